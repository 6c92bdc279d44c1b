/** Vectors of pictures, and of texts in the same space, by a model folder's frozen encoder. */
import * as Effect from "effect/Effect"
import type { Picture } from "../../domain/pictures/Picture.ts"
import { mostPixels, preprocess, unfold } from "../../domain/pictures/preprocess.ts"
import { entering, flatten } from "../../kernels/nn/Module.ts"
import { area } from "../../kernels/nn/pictures/positions.ts"
import type { TextEncoder } from "../../kernels/nn/pictures/textTower.ts"
import type { ImageEncoder } from "../../kernels/nn/pictures/vision.ts"
import type { Graph } from "../../kernels/onnx/encode.ts"
import { names } from "../../kernels/Step.ts"
import { input, type TensorType } from "../../kernels/Tensor.ts"
import * as Halving from "../engine/halving.ts"
import { cached } from "../engine/Programs.ts"
import { about, partFrom, Session } from "../engine/Session.ts"
import * as Weights from "../engine/Weights.ts"
import { FileError } from "../files/disk.ts"
import { type Limits, limits } from "./decode.ts"
import { type FolderSettings, open, type Opened } from "./folder.ts"

/** A picture, and what errors call it. */
export interface Named {
  readonly name: string
  readonly picture: Picture
}

/** Settings of an encoder. */
export interface EncoderSettings extends FolderSettings, Partial<Limits> {
  /** The most pictures or texts in a run. */
  readonly batch?: number
}

/** The graph of unit vectors [rows, size] of an encoder's input. */
const graphOf = (encoder: ImageEncoder | TextEncoder, name: string, type: TensorType): Graph => {
  const { bound, inputs } = entering(encoder.params, names.param)
  const own = input("own", type.shape, type.dtype)
  const vectors = encoder.apply(bound, own)
  return { name, inputs: { ...inputs, own }, outputs: { vectors } }
}

/** The values of an encoder's own parameters, none of which is trained. */
const weightsFor = Effect.fnUntraced(function*({ params }: ImageEncoder | TextEncoder, all: Opened["weights"]) {
  const { kept } = yield* Session
  const own = flatten(params)
  return Weights.make(own, [], [], new Map([...own.keys()].map((path) => [path, all.get(path)!])), { kept })
})

/** Refuses a picture that would be resized to more pixels than it may have, as a thin one by its shortest edge. */
const affordable = ({ preprocessing }: Opened, most: number) => ({ name, picture }: Named) => {
  const pixels = mostPixels(picture, preprocessing)
  if (pixels <= most) return Effect.void
  const reason =
    `of ${picture.width} × ${picture.height} pixels would be resized to ${pixels}, more than max_pixels (${most})`
  return Effect.fail(new FileError({ path: name, place: "", reason }))
}

const pictureVectors = Effect.fnUntraced(function*(opened: Opened, { batch = 16, max_pixels }: EncoderSettings) {
  const { model: { image }, size, vision: { num_channels, patch_size, patches, positions } } = opened
  const [n, width] = [area(patches ?? positions), num_channels * patch_size ** 2]
  const weights = yield* weightsFor(image, opened.weights)
  const type = (rows: number): TensorType => ({ dtype: "float32", shape: [rows, n, width] })
  const run = yield* cached(([rows]: [number]) => graphOf(image, `pictures.encode ${rows}`, type(rows)), {
    fixed: weights.frozen
  })
  const halving = Halving.make("pictures.encode", "pictures")
  return Effect.fnUntraced(function*(pictures: ReadonlyArray<Named>) {
    yield* Effect.forEach(pictures, affordable(opened, max_pixels ?? limits.max_pixels), { discard: true })
    const part = ([from, to]: Halving.Range) => {
      const own = patchesOf(opened, pictures.slice(from, to).map(({ picture }) => picture))
      const found = Effect.map(run([to - from], { ...weights.values(), own }), ({ vectors }) => vectors as Float32Array)
      return found.pipe(partFrom(from * size), about((element) => pictures[Math.floor(element / size)]?.name ?? ""))
    }
    const parts = yield* Effect.forEach(
      spans(pictures.length, batch),
      ([from, to]) => halving.each(to - from, ([a, b]) => b - a, ([a, b]) => part([from + a, from + b]))
    )
    return Halving.joined(parts.flat())
  })
})

/** What a graph of pictures takes: the patches of each, [pictures, n, channels·side·side]. */
export const patchesOf = (
  { preprocessing, vision: { patch_size } }: Pick<Opened, "preprocessing" | "vision">,
  pictures: ReadonlyArray<Picture>
): Float32Array => {
  const all = pictures.map((picture) => unfold(preprocess(picture, preprocessing), patch_size))
  const own = new Float32Array(all.reduce((sum, { length }) => sum + length, 0))
  all.forEach((patches, i) => own.set(patches, i * patches.length))
  return own
}

/** Ranges of at most `most` rows. */
const spans = (rows: number, most: number): ReadonlyArray<Halving.Range> =>
  Array.from({ length: Math.ceil(rows / most) }, (_, i) => [i * most, Math.min(rows, (i + 1) * most)] as const)

const textVectors = Effect.fnUntraced(function*(
  opened: Opened,
  encoder: TextEncoder,
  rowsOf: NonNullable<Opened["texts"]>,
  { batch = 16 }: EncoderSettings
) {
  const weights = yield* weightsFor(encoder, opened.weights)
  const type = (rows: number, length: number): TensorType => ({ dtype: "int32", shape: [rows, length] })
  const run = yield* cached(
    ([rows, length]: [number, number]) => graphOf(encoder, `texts.encode ${rows}x${length}`, type(rows, length)),
    { fixed: weights.frozen }
  )
  const halving = Halving.make("texts.encode", "texts")
  return Effect.fnUntraced(function*(texts: ReadonlyArray<string>) {
    const { cut, ids, length } = rowsOf(texts)
    if (cut > 0) {
      yield* Effect.logWarning(`${opened.folder}: ${cut} of ${texts.length} texts are cut to ${length} tokens`)
    }
    const part = ([from, to]: Halving.Range) => {
      const own = ids.subarray(from * length, to * length)
      const found = Effect.map(
        run([to - from, length], { ...weights.values(), own }),
        ({ vectors }) => vectors as Float32Array
      )
      return found.pipe(
        partFrom(from * opened.size),
        about((element) => `text "${texts[Math.floor(element / opened.size)] ?? ""}"`)
      )
    }
    const parts = yield* Effect.forEach(
      spans(texts.length, batch),
      ([from, to]) => halving.each(to - from, ([a, b]) => b - a, ([a, b]) => part([from + a, from + b]))
    )
    return { vectors: Halving.joined(parts.flat()), cut }
  })
})

/**
 * The encoder of a model folder, or of a model of the Hub that the cache has. `pictures`: unit vectors, float32 [n, size].
 * `texts`, where the model has them: the same, and how many texts were cut to the model's length, which is told. `opened`: the
 * folder as it was read.
 */
export const make = Effect.fnUntraced(function*(name: string, settings: EncoderSettings = {}) {
  const opened = yield* open(name, settings)
  const { hash, model, size, texts } = opened
  return {
    opened,
    size,
    hash,
    pictures: yield* pictureVectors(opened, settings),
    texts: model.text && texts ? yield* textVectors(opened, model.text, texts, settings) : undefined
  }
})
