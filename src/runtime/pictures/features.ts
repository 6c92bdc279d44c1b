/** The features of pictures: by a frozen tower, as data; or by the tower that is part of a model, under its weights. */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import { parts } from "../../domain/pictures/parts.ts"
import { mostPixels, unfold } from "../../domain/pictures/preprocess.ts"
import type { Decoder } from "../../kernels/nn/decoder.ts"
import { bind, entering, flatten, type Params } from "../../kernels/nn/Module.ts"
import { rowsOf } from "../../kernels/nn/pictures/reader.ts"
import { connector, features, type FeaturesConfig, patchesOf, patchSize } from "../../kernels/nn/pictures/reading.ts"
import type { Graph } from "../../kernels/onnx/encode.ts"
import { reshape } from "../../kernels/op/broadcast.ts"
import { names as inputNames } from "../../kernels/Step.ts"
import { input, type Tensor } from "../../kernels/Tensor.ts"
import * as Halving from "../engine/halving.ts"
import { cached } from "../engine/Programs.ts"
import { about, Session, type SessionError } from "../engine/Session.ts"
import * as Weights from "../engine/Weights.ts"
import { FileError } from "../files/disk.ts"
import { ofReader, partOf } from "../files/vision/readerNames.ts"
import * as WeightFiles from "../files/weights.ts"
import * as ModelFolder from "../models/folder.ts"
import * as Budget from "../models/memoryBudget.ts"
import { ImageError, type Images } from "../ports/Images.ts"
import { limits } from "./decode.ts"
import { Kept } from "./kept.ts"
import { pictures as around, type Processed, type ReadingFolder, type Shown, sight } from "./reading.ts"

/** How pictures are looked at. */
export interface FeatureSettings {
  /** MiB that are kept in memory of features, or of patches where the model's own tower learns. */
  readonly memory: number
  readonly seed: number
  /** Whether the model learns: weights may be drawn that the folder lacks, and features do not last. */
  readonly learns: boolean
  /** What of the folder is the model's to apply: the connector, or that and the tower. */
  readonly own: ReadonlyArray<"connector" | "tower">
  /** Whether the connector is trained. */
  readonly projects: boolean
}

/** How features of pictures are had, as a program is fed them. */
export interface Seeing {
  /** Size of a row. */
  readonly width: number
  /** Rows of a picture, or of a part of one, in the places of tokens; and those that a program is fed for them. */
  readonly unit: number
  readonly inputs: number
  /** Features by hash, [rows that are fed, width] each. */
  readonly features: (
    shown: ReadonlyArray<Shown>
  ) => Effect.Effect<ReadonlyMap<string, Float32Array>, ImageError | SessionError>
}

/** Tower, and the connector unless it is the model's: patches [b · n, channels·side·side] -> rows [b · rows, width]. */
const moduleOf = ({ names, pictures }: ReadingFolder, own: FeatureSettings["own"]) => {
  const tower = features(pictures.features, names.tower)
  const between = own.includes("connector") ? undefined : connector(pictures.connector, names.connector)
  const params = { ...flat(tower.params), ...(between ? flat(between.params) : {}) }
  const used = own.includes("tower") ? flatten(tower.params) : new Map<string, unknown>()
  const rest = Object.entries(flat(tower.all)).filter(([path]) => !used.has(path))
  const apply = (at: (path: string) => Tensor, patches: Tensor): Tensor => {
    const each = reshape(patches, [-1, patchesOf(pictures.features), patchSize(pictures.features)])
    const rows = reshape(tower.apply(bind(tower.params, at), each), [-1, pictures.connector.from])
    return between ? between.apply(bind(between.params, at), rows) : rows
  }
  const width = between ? pictures.connector.to : pictures.connector.from
  return {
    params,
    used,
    beside: { ...Object.fromEntries(rest), ...(between ? flat(between.params) : {}) },
    apply,
    width
  }
}
const flat = (params: Params): Params => Object.fromEntries(flatten(params))

type Towering = ReturnType<typeof moduleOf>
type Stored = ReadonlyMap<string, { readonly shape: ReadonlyArray<number>; readonly data: Float32Array }>

const patchesIn = (c: FeaturesConfig, count: number) => input("patches", [count * patchesOf(c), patchSize(c)])
const named = (count: number): string => `pictures.features ${count}`

/** The graph of the features of `count` pictures or parts. */
const graphOf = ({ apply, params }: Towering, c: FeaturesConfig, count: number): Graph => {
  const { byPath, inputs } = entering(params, inputNames.param)
  const patches = patchesIn(c, count)
  const rows = apply((path) => byPath.get(path)!, patches)
  return { name: named(count), inputs: { ...inputs, patches }, outputs: { rows } }
}

/** The same by a model's own tower and connector, of whose parameters these are the graph's alone. */
const graphWithin = ({ names, pictures }: ReadingFolder, decoder: Decoder, count: number): Graph => {
  const { bound, byPath } = entering(decoder.params, inputNames.param)
  const own = [...byPath].filter(([path]) => partOf(names)(path) !== "language")
  const patches = patchesIn(pictures.features, count)
  const inputs = Object.fromEntries(own.map(([path, tensor]) => [inputNames.param(path), tensor]))
  return { name: named(count), inputs: { ...inputs, patches }, outputs: { rows: rowsOf(decoder)(bound, patches) } }
}

/** Weights of everything that the model does not hold: as stored, to be saved again, and by path. */
const weightsOf = Effect.fnUntraced(
  function*(o: ReadingFolder, { beside, used }: Towering, { learns, own, projects, seed }: FeatureSettings) {
    const all = flatten(beside)
    if (!projects && learns && (yield* WeightFiles.shapes(o.folder)) === undefined) {
      const reason =
        "has no weights, and its projector is not trained, so that pictures would mean nothing: train it (train_projector)"
      return yield* new FileError({ path: o.folder, place: "", reason })
    }
    const sizes = { ...o.pictures.features.vision }
    yield* Budget.fits({ folder: o.folder, sizes, params: all, trainable: () => false, slots: 0 })
    const parts = own.includes("connector") ? ["tower" as const] : ["tower" as const, "connector" as const]
    const named = ofReader({ names: o.names, parts, tied: o.tied })
    const naming = (name: string) => used.has(name) ? undefined : named(name)
    const values = yield* ModelFolder.weights(o.folder, all, seed, { naming, draws: learns })
    return new Map([...values].map(([path, data]) => [path, { shape: all.get(path)!.shape, data }])) as Stored
  }
)

/** The patches of a picture, and what errors call it. */
interface Patched {
  readonly name: string
  readonly patches: Float32Array
}

/** The most pictures, or parts of them, in a run. */
const TOGETHER = 16

/** The patches of a picture's parts; refuses one that resizing would blow up, as a thin one by its longest edge. */
const unfolded = Effect.fnUntraced(function*(
  { pictures: { features: { vision } }, preprocessing: p }: Processed,
  images: Images["Service"],
  name: string
) {
  const { picture } = yield* images.read(name)
  const most = mostPixels(picture, p)
  if (most <= limits.max_pixels) return Halving.joined(parts(picture, p).map((part) => unfold(part, vision.patch_size)))
  const detail = `${picture.width} × ${picture.height} pixels would become ${most}, more than ${limits.max_pixels}`
  return yield* new ImageError({ path: name, kind: "undecodable", detail })
})

/** Consecutive groups of at most `size`. */
const groupsOf = <A>(items: ReadonlyArray<A>, size: number): ReadonlyArray<ReadonlyArray<A>> =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size))

/** Features of pictures under these weights: [rows of all its parts, width] each. */
const running = Effect.fnUntraced(
  function*(
    o: Processed,
    graph: (count: number) => Graph,
    width: number,
    weights: Pick<Weights.Weights, "values" | "frozen">
  ) {
    const run = yield* cached(([count]: [number]) => graph(count), { fixed: weights.frozen })
    const halving = Halving.make("pictures.features", "pictures")
    const size = o.pictures.rows * width
    const each = patchesOf(o.pictures.features) * patchSize(o.pictures.features)
    return Effect.fnUntraced(function*(pictures: ReadonlyArray<Patched>) {
      const counts = pictures.map(({ patches }) => patches.length / each)
      const all = pictures.flatMap(({ name, patches }, i) =>
        Array.from(
          { length: counts[i]! },
          (_, part) => ({ name, data: patches.subarray(part * each, (part + 1) * each) })
        )
      )
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
      return counts.map((count) => rows.slice(at, at += count * size))
    })
  }
)

/** What is read of pictures, by hash: each once as long as there is memory, of so many MiB; without, at each call. */
const byHash = Effect.fnUntraced(function*<E>(
  memory: number | undefined,
  read: (shown: ReadonlyArray<Shown>) => Effect.Effect<ReadonlyArray<Float32Array>, E>
) {
  const kept = memory === undefined ? undefined : new Kept<Float32Array>(memory * 2 ** 20)
  /** One at a time: a picture that several ask for is read once. */
  const alone = Semaphore.withPermit(yield* Semaphore.make(1))
  const all = Effect.fnUntraced(function*(shown: ReadonlyArray<Shown>) {
    const found = new Map<string, Float32Array>()
    const missing = new Map<string, Shown>()
    for (const one of shown) {
      const known = kept?.get(one.hash)
      if (known) found.set(one.hash, known)
      else missing.set(one.hash, one)
    }
    for (const some of groupsOf([...missing.values()], TOGETHER)) {
      const made = yield* read(some)
      some.forEach(({ hash }, i) => {
        found.set(hash, made[i]!)
        kept?.set(hash, made[i]!, made[i]!.byteLength)
      })
    }
    return found as ReadonlyMap<string, Float32Array>
  })
  return (shown: ReadonlyArray<Shown>) => alone(all(shown))
})

/**
 * How the features of pictures are had: each picture is looked at once, as long as there is memory for what is seen, but by a
 * tower that learns at each call. Fails with `FileError` if the weights do not fit the model.
 */
export const open = Effect.fnUntraced(function*(o: Processed, settings: FeatureSettings) {
  const { learns, memory, own } = settings
  const towering = moduleOf(o, own)
  const stored = yield* weightsOf(o, towering, settings)
  const images = yield* around
  const within = own.includes("tower")
  const unit = o.pictures.rows
  const patches = yield* byHash(
    within && learns ? memory : undefined,
    (shown) => Effect.forEach(shown, ({ reference }) => unfolded(o, images, reference))
  )
  /** Rows of a program of the tower, which are kept if its weights stay. */
  const seen = Effect.fnUntraced(function*(
    graph: (count: number) => Graph,
    width: number,
    weights: Pick<Weights.Weights, "values" | "frozen">,
    lasting: boolean
  ) {
    const run = yield* running(o, graph, width, weights)
    const features = yield* byHash(
      lasting ? memory : undefined,
      (shown) =>
        Effect.flatMap(
          patches(shown),
          (found) => run(shown.map(({ hash, reference }) => ({ name: reference, patches: found.get(hash)! })))
        )
    )
    return { width, unit, inputs: unit, features } satisfies Seeing as Seeing
  })
  const frozen = Effect.gen(function*() {
    const { kept } = yield* Session
    const params = flatten(towering.params)
    const values = new Map([...params.keys()].map((path) => [path, stored.get(path)!.data]))
    const weights = Weights.make(params, [], [], values, { kept })
    return yield* seen((count) => graphOf(towering, o.pictures.features, count), towering.width, weights, true)
  })
  const data = within ? undefined : yield* frozen
  const c = o.pictures.features
  const taught: Seeing = data ?? { width: patchSize(c), unit, inputs: patchesOf(c), features: patches }
  return {
    /** The folder's tensors that are none of the model's, under their names there. */
    stored,
    sight: yield* sight(o, { hashes: true }),
    /** What training steps are fed: patches, where the tower is the model's. */
    taught,
    /** What a decoder is fed that only reads, under these weights of its model. */
    under: (decoder: Decoder, weights: Weights.Weights) =>
      data
        ? Effect.succeed(data)
        : seen((count) => graphWithin(o, decoder, count), o.pictures.connector.to, weights, !learns)
  }
})
/** How a model looks at pictures. */
export type Features = Effect.Success<ReturnType<typeof open>>
