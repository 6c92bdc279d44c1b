/** The frozen encoder F of a retriever of pictures, and E of texts in the same space, if there is one: by name. */
import * as Effect from "effect/Effect"
import { pixelVector } from "../../../domain/pictures/pixels.ts"
import type { SessionError } from "../../engine/Session.ts"
import { type FileError, sha256Of } from "../../files/disk.ts"
import { make, type Named } from "../../pictures/encoder.ts"
import type { Opened } from "../../pictures/folder.ts"
import { make as makeOnnx, type OnnxSettings } from "../../pictures/onnxFile.ts"

/** A frozen encoder. */
export interface Frozen {
  /** Numbers of a vector. */
  readonly size: number
  /** SHA-256 of all that its vectors depend on. */
  readonly hash: string
  /** Unit vectors of pictures, [pictures, size]. */
  readonly pictures: (pictures: ReadonlyArray<Named>) => Effect.Effect<Float32Array, FileError | SessionError>
  /** Unit vectors of texts in the same space, [texts, size]; `undefined` for encoders of pictures alone. */
  readonly texts: ((texts: ReadonlyArray<string>) => Effect.Effect<Float32Array, SessionError>) | undefined
  /** The folder, whose tower can be copied; `undefined` where there is none. */
  readonly opened: Opened | undefined
}

const named = /^pixels(?::([1-9]\d{0,2}))?$/

/** Whether a name stands for the pixels themselves: `pixels`, or `pixels:SIDE`. */
export const isPixels = (name: string): boolean => named.test(name)

/** Whether a name is that of no model folder: of pixels, or of an ONNX file. */
export const isBare = (name: string): boolean => isPixels(name) || name.endsWith(".onnx")

const pixels = (name: string): Frozen => {
  const side = Number(named.exec(name)![1] ?? 28)
  const size = side ** 2
  return {
    size,
    hash: sha256Of([`pixels ${side}`]),
    pictures: (pictures) =>
      Effect.sync(() => {
        const found = new Float32Array(pictures.length * size)
        pictures.forEach(({ picture }, i) => found.set(pixelVector(picture, side), i * size))
        return found
      }),
    texts: undefined,
    opened: undefined
  }
}

/** The encoder of a name: `pixels`, an ONNX file, or a model folder as Hugging Face has it. */
export const open = Effect.fnUntraced(function*(name: string, onnx: OnnxSettings = { input: "", output: "" }) {
  if (isPixels(name)) return pixels(name)
  if (isBare(name)) {
    return { ...(yield* makeOnnx(name, onnx)), texts: undefined, opened: undefined } satisfies Frozen as Frozen
  }
  const { hash, opened, pictures, size, texts } = yield* make(name)
  return {
    size,
    hash,
    pictures,
    texts: texts && ((own) => Effect.map(texts(own), ({ vectors }) => vectors)),
    opened
  } satisfies Frozen as Frozen
})
