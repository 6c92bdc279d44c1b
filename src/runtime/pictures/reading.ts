/** Pictures as a decoder reads them: the tokens that stand for one, and its features, by a frozen tower. */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import { join } from "node:path"
import { modelFiles } from "../../domain/fileNames.ts"
import { expansionOf, marks } from "../../domain/pictures/expansion.ts"
import { type Division, divisionOf, parts, partsOf } from "../../domain/pictures/parts.ts"
import type { Picture, Size } from "../../domain/pictures/Picture.ts"
import { mostPixels, unfold } from "../../domain/pictures/preprocess.ts"
import { bind, entering, flatten, type Params } from "../../kernels/nn/Module.ts"
import { area } from "../../kernels/nn/pictures/positions.ts"
import type { ReaderNames } from "../../kernels/nn/pictures/reader.ts"
import { connector, type Features, features } from "../../kernels/nn/pictures/reading.ts"
import type { Graph } from "../../kernels/onnx/encode.ts"
import { reshape } from "../../kernels/op/broadcast.ts"
import { names as inputNames } from "../../kernels/Step.ts"
import { input, type Tensor } from "../../kernels/Tensor.ts"
import * as Halving from "../engine/halving.ts"
import { cached } from "../engine/Programs.ts"
import { about, Session } from "../engine/Session.ts"
import * as Weights from "../engine/Weights.ts"
import { FileError } from "../files/disk.ts"
import { preparedSize } from "../files/vision/preprocessor.ts"
import * as Processor from "../files/vision/processor.ts"
import type { PicturesConfig } from "../files/vision/reader.ts"
import { ofReader } from "../files/vision/readerNames.ts"
import * as WeightFiles from "../files/weights.ts"
import * as ModelFolder from "../models/folder.ts"
import * as Budget from "../models/memoryBudget.ts"
import { ImageError, Images } from "../ports/Images.ts"
import type { Tokenizer } from "../tokenizers/tokenizer.ts"
import { limits } from "./decode.ts"
import { Kept } from "./kept.ts"

/** A picture as it stands in a text. */
export interface Shown {
  readonly reference: string
  /** SHA-256 of its pixels: equal pictures have equal features. */
  readonly hash: string
  /** The tokens that stand for it. */
  readonly ids: ReadonlyArray<number>
  /** Rows of its features: one for each of its ids that is the picture's. */
  readonly rows: number
}

/** How pictures are read. */
export interface ReadingSettings {
  /** MiB of features that are kept in memory. */
  readonly memory: number
  readonly seed: number
  /** Whether weights may be drawn that the folder lacks. */
  readonly draws: boolean
  /** Whether features are the tower's, and the connector is the decoder's to apply, which trains it. */
  readonly projected: boolean
}

/** What is opened of a model folder. */
export interface ReadingFolder {
  readonly folder: string
  readonly pictures: PicturesConfig
  readonly names: ReaderNames
  readonly tied: boolean
  readonly tokenizer: Pick<Tokenizer, "encode" | "id" | "token">
}

const by = ({ height, width }: Size): string => `${height} × ${width}`

/** The token of pictures' rows, which the tokenizer must read as one. */
const tokenOf = Effect.fnUntraced(
  function*({ folder, pictures: { family, image_token_id: id }, tokenizer }: ReadingFolder) {
    const fail = (reason: string) => new FileError({ path: join(folder, modelFiles.tokenizer), place: "", reason })
    const token = tokenizer.token(id)
    if (token === undefined) return yield* fail(`has no token ${id}, which stands for pictures by ${modelFiles.config}`)
    if (tokenizer.encode(token).join() !== String(id)) return yield* fail(`reads ${token} as other tokens than ${id}`)
    const lost = family === "idefics3" ? Object.values(marks).filter((mark) => tokenizer.id(mark) === undefined) : []
    if (lost.length > 0) return yield* fail(`has no ${lost.join(", ")}, which stand around pictures`)
    return token
  }
)

/** Refuses a processor that gives pictures another size, or another number of tokens, than the model takes. */
const fitting = Effect.fnUntraced(
  function*({ config, path, preprocessing, tokens }: Processor.Processor, p: PicturesConfig) {
    const size = preparedSize(preprocessing)
    const fail = (file: string, reason: string) => new FileError({ path: file, place: "", reason })
    if (size === undefined || by(size) !== by(p.image)) {
      const made = size === undefined ? "different sizes" : `${by(size)} pixels`
      return yield* fail(path, `makes pictures of ${made}, and the model's tower takes ${by(p.image)}`)
    }
    const { image_seq_len, num_additional_image_tokens: extra = 0, patch_size, vision_feature_select_strategy } = config
    const counted = p.family === "idefics3" || patch_size === undefined
      ? image_seq_len
      : Math.floor(size.height / patch_size) * Math.floor(size.width / patch_size) + extra
        - (vision_feature_select_strategy === "default" ? 1 : 0)
    if (counted === undefined || counted === p.rows) return
    return yield* fail(
      tokens ?? path,
      `counts ${counted} tokens for a picture, of which the model makes ${p.rows} rows`
    )
  }
)

/** Tower, and the connector unless the decoder applies it: patches [b, n, channels·side·side] -> rows [b · rows, width]. */
const moduleOf = ({ names, pictures }: ReadingFolder, projected: boolean) => {
  const tower: Features = features(pictures.features, names.tower)
  const between = projected ? undefined : connector(pictures.connector, names.connector)
  const params = { ...flat(tower.params), ...(between ? flat(between.params) : {}) }
  const all = { ...flat(tower.all), ...(between ? flat(between.params) : {}) }
  const apply = (at: (path: string) => Tensor, patches: Tensor): Tensor => {
    const rows = reshape(tower.apply(bind(tower.params, at), patches), [-1, pictures.connector.from])
    return between ? between.apply(bind(between.params, at), rows) : rows
  }
  return { params, all, apply, width: between ? pictures.connector.to : pictures.connector.from }
}
const flat = (params: Params): Params => Object.fromEntries(flatten(params))

type Seeing = ReturnType<typeof moduleOf>
type Stored = ReadonlyMap<string, { readonly shape: ReadonlyArray<number>; readonly data: Float32Array }>
const whole: Division = { rows: 0, columns: 0 }

/** The graph of the features of `count` pictures or parts. */
const graphOf = ({ apply, params }: Seeing, { features: { vision } }: PicturesConfig, count: number): Graph => {
  const { byPath, inputs } = entering(params, inputNames.param)
  const shape = [count, area(vision.positions), vision.num_channels * vision.patch_size ** 2]
  const patches = input("patches", shape)
  const rows = apply((path) => byPath.get(path)!, patches)
  return { name: `pictures.features ${count}`, inputs: { ...inputs, patches }, outputs: { rows } }
}

/** Weights of everything that the decoder does not hold: as stored, to be saved again, and by path. */
const weightsOf = Effect.fnUntraced(function*(o: ReadingFolder, seeing: Seeing, settings: ReadingSettings) {
  const { draws, projected, seed } = settings
  const all = flatten(seeing.all)
  if (!projected && draws && (yield* WeightFiles.shapes(o.folder)) === undefined) {
    const reason =
      "has no weights, and its projector is not trained, so that pictures would mean nothing: train it (train_projector)"
    return yield* new FileError({ path: o.folder, place: "", reason })
  }
  const sizes = { ...o.pictures.features.vision }
  yield* Budget.fits({ folder: o.folder, sizes, params: all, trainable: () => false, slots: 0 })
  const parts = projected ? ["tower" as const] : ["tower" as const, "connector" as const]
  const naming = ofReader({ names: o.names, parts, tied: o.tied })
  const values = yield* ModelFolder.weights(o.folder, all, seed, { naming, draws })
  return new Map([...values].map(([path, data]) => [path, { shape: all.get(path)!.shape, data }])) as Stored
})

/** A picture, and what errors call it. */
interface Named {
  readonly name: string
  readonly picture: Picture
}

/** The most pictures, or parts of them, in a run. */
const TOGETHER = 16

/** The patches of a picture's parts; refuses one that resizing would blow up, as a thin one by its longest edge. */
const patchesOf = ({ preprocessing: p, pictures: { features: { vision } } }: Processed, { name, picture }: Named) => {
  const most = mostPixels(picture, p)
  if (most <= limits.max_pixels) {
    return Effect.sync(() => parts(picture, p).map((part) => unfold(part, vision.patch_size)))
  }
  const detail = `${picture.width} × ${picture.height} pixels would become ${most}, more than ${limits.max_pixels}`
  return Effect.fail(new ImageError({ path: name, kind: "undecodable", detail }))
}

/** Consecutive groups of at most `size`. */
const groupsOf = <A>(items: ReadonlyArray<A>, size: number): ReadonlyArray<ReadonlyArray<A>> =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size))

/** Features of pictures: [rows of all its parts, width] each. */
const running = Effect.fnUntraced(function*(o: Processed, seeing: Seeing, values: Stored) {
  const { kept } = yield* Session
  const own = flatten(seeing.params)
  const used = new Map([...own.keys()].map((path) => [path, values.get(path)!.data]))
  const weights = Weights.make(own, [], [], used, { kept })
  const run = yield* cached(([count]: [number]) => graphOf(seeing, o.pictures, count), { fixed: weights.frozen })
  const halving = Halving.make("pictures.features", "pictures")
  const size = o.pictures.rows * seeing.width
  return Effect.fnUntraced(function*(named: ReadonlyArray<Named>) {
    const patches = yield* Effect.forEach(named, (one) => patchesOf(o, one))
    const all = patches.flatMap((own, i) => own.map((data) => ({ data, name: named[i]!.name })))
    const part = (some: typeof all) => {
      const feeds = { ...weights.values(), patches: Halving.joined(some.map(({ data }) => data)) }
      return run([some.length], feeds).pipe(about((element) => some[Math.floor(element / size)]?.name ?? ""))
    }
    const found = yield* Effect.forEach(
      groupsOf(all, TOGETHER),
      (some) => halving.each(some.length, ([from, to]) => to - from, (range) => part(some.slice(...range)))
    )
    const rows = Halving.joined(found.flat().map((each) => each["rows"] as Float32Array))
    let at = 0
    return patches.map(({ length }) => rows.slice(at, at += length * size))
  })
})

const unseen = (reference: string) =>
  new ImageError({ path: reference, kind: "missing", detail: "no pictures are at hand where the model was opened" })

/** The pictures of the surroundings, if there are any. */
const pictures = Effect.map(Effect.serviceOption(Images), (found) =>
  Images.of(
    found._tag === "Some"
      ? found.value
      : { read: (reference) => Effect.fail(unseen(reference)), hash: (reference) => Effect.fail(unseen(reference)) }
  ))

/** How pictures are shown: the tokens of each, by its size where that matters. */
const showing = (images: Images["Service"], o: Processed, hashes: boolean) => {
  const { pictures: { family, rows }, preprocessing: p, token } = o
  const texts = new Map<string, ReadonlyArray<number>>()
  const shown = new Map<string, Shown>()
  const idsOf = (division: Division) => {
    const key = `${division.rows} ${division.columns}`
    const ids = texts.get(key) ?? o.tokenizer.encode(expansionOf({ family, rows, token }, division))
    texts.set(key, ids)
    return ids
  }
  return Effect.fnUntraced(function*(reference: string) {
    const known = shown.get(reference)
    if (known) return known
    const hash = hashes ? yield* images.hash(reference) : reference
    const division = p.split === undefined ? whole : divisionOf((yield* images.read(reference)).picture, p)
    const found: Shown = { reference, hash, ids: idsOf(division), rows: rows * partsOf(division) }
    shown.set(reference, found)
    return found
  })
}

/** What a model folder says of pictures: how they are prepared, and what stands for one in a text. Reads no weights. */
export const processed = Effect.fnUntraced(function*(o: ReadingFolder) {
  const processor = yield* Processor.read(o.folder)
  yield* fitting(processor, o.pictures)
  return { ...o, preprocessing: processor.preprocessing, token: yield* tokenOf(o), id: o.pictures.image_token_id }
})
/** A model folder of which this is known. */
export type Processed = Effect.Success<ReturnType<typeof processed>>

/** How pictures are shown in texts. Without `hashes` they are only looked at where their size matters. */
export const sight = Effect.fnUntraced(function*(o: Processed, { hashes }: { readonly hashes: boolean }) {
  return { token: o.token, id: o.id, show: showing(yield* pictures, o, hashes) }
})

/**
 * The features of pictures: each is computed once, as long as there is memory for them. Fails with `FileError` if the weights do
 * not fit the model.
 */
export const open = Effect.fnUntraced(function*(o: Processed, settings: ReadingSettings) {
  const seeing = moduleOf(o, settings.projected)
  const stored = yield* weightsOf(o, seeing, settings)
  const images = yield* pictures
  const run = yield* running(o, seeing, stored)
  const kept = new Kept<Float32Array>(settings.memory * 2 ** 20)
  /** One at a time: a picture that several ask for is read once. */
  const alone = Semaphore.withPermit(yield* Semaphore.make(1))
  const features = Effect.fnUntraced(function*(shown: ReadonlyArray<Shown>) {
    const found = new Map<string, Float32Array>()
    const missing = new Map<string, string>()
    for (const { hash, reference } of shown) {
      const known = kept.get(hash)
      if (known) found.set(hash, known)
      else missing.set(hash, reference)
    }
    for (const some of groupsOf([...missing], TOGETHER)) {
      const named = yield* Effect.forEach(
        some,
        ([, name]) => Effect.map(images.read(name), ({ picture }): Named => ({ name, picture }))
      )
      const rows = yield* run(named)
      some.forEach(([hash], i) => {
        found.set(hash, rows[i]!)
        kept.set(hash, rows[i]!, rows[i]!.byteLength)
      })
    }
    return found as ReadonlyMap<string, Float32Array>
  })
  return {
    width: seeing.width,
    unit: o.pictures.rows,
    /** The folder's tensors that are none of the decoder's, under their names there. */
    stored,
    sight: yield* sight(o, { hashes: true }),
    /** Features by hash, [rows, width] each. */
    features: (shown: ReadonlyArray<Shown>) => alone(features(shown))
  }
})
/** How a model reads pictures. */
export type Reading = Effect.Success<ReturnType<typeof open>>
