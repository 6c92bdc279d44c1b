/** A frozen encoder of pictures in an ONNX file, with `preprocessor_config.json` beside it. */
import * as Effect from "effect/Effect"
import { dirname, join } from "node:path"
import { modelFiles } from "../../domain/fileNames.ts"
import { preprocess, type Preprocessing } from "../../domain/pictures/preprocess.ts"
import { type Floats, type ModelFile, open, type Slot } from "../engine/native/modelFile.ts"
import { finite, Session, type SessionError } from "../engine/Session.ts"
import { decodeFile, exists, FileError, hashFile, sha256Of } from "../files/disk.ts"
import { decodePreprocessor, preparedSize } from "../files/vision/preprocessor.ts"
import type { Named } from "./encoder.ts"

/** Which input and output of a file are used; "" to find them. */
export interface OnnxSettings {
  readonly input: string
  readonly output: string
}

/** Outputs that hold one vector of a picture, by the names that exporters give them. */
const usual: ReadonlySet<string> = new Set(["image_embeds", "pooler_output", "embeddings", "output"])

const shown = (slots: ReadonlyArray<Slot>): string =>
  slots.map(({ name, shape, type }) => `${name} (${type || "no tensor"} [${shape.join(", ")}])`).join(", ")

/** The input that takes pictures, or what is wrong. */
const inputOf = ({ inputs }: ModelFile, { input }: OnnxSettings): Slot | string => {
  const named = inputs.find(({ name }) => name === input)
  if (input !== "" && named === undefined) return `has no input ${input}; it has ${shown(inputs)}`
  if (inputs.length > 1) {
    return `takes more than pictures: ${shown(inputs)}; export the part that encodes pictures by itself`
  }
  const [only] = inputs
  if (only?.type === "float32" && only.shape.length === 4) return only
  return `takes ${shown(inputs)}, and pictures are float32 [batch, 3, height, width]`
}

/** The output that holds a vector of a picture, or what is wrong. */
const outputOf = ({ outputs }: ModelFile, { output }: OnnxSettings): Slot | string => {
  const named = outputs.find(({ name }) => name === output)
  if (output !== "") return named ?? `has no output ${output}; it has ${shown(outputs)}`
  const vectors = outputs.filter(({ shape, type }) => type === "float32" && shape.length === 2)
  const found = vectors.length === 1 ? vectors[0] : vectors.find(({ name }) => usual.has(name))
  return found ??
    `gives ${shown(outputs)}, of which none is known to be one vector of a picture; name it as image_encoder_output`
}

/** Pixels of a picture as the file takes them, or what is wrong with their size. */
const misfit = ({ shape: [, channels, height, width] }: Slot, p: Preprocessing): string | undefined => {
  const size = preparedSize(p)
  if (size === undefined) {
    return `${modelFiles.preprocessor} leaves pictures of different sizes; give size a height and a width`
  }
  const differs = (own: number | string | undefined, wanted: number) =>
    typeof own === "number" && own > 0 && own !== wanted
  if (!differs(channels, 3) && !differs(height, size.height) && !differs(width, size.width)) return undefined
  return `takes pictures [${channels}, ${height}, ${width}], and ${modelFiles.preprocessor} makes [3, ${size.height}, ${size.width}]`
}

const unit = (vector: Float32Array): Float32Array => {
  const norm = Math.max(Math.sqrt(vector.reduce((sum, value) => sum + value ** 2, 0)), 1e-12)
  return vector.map((value) => value / norm)
}

/** SHA-256 of a model file and of files of its weights beside it. */
const hashOf = Effect.fnUntraced(
  function*(path: string, preprocessing: Preprocessing, { input, output }: OnnxSettings) {
    const files = yield* Effect.filter([path, `${path}.data`, `${path}_data`], exists)
    const hashes = yield* Effect.forEach(files, hashFile)
    return sha256Of([...hashes, JSON.stringify([preprocessing, input, output])])
  }
)

/**
 * The encoder in a file: unit vectors of pictures, [pictures, size]. Pictures are encoded one by one, by ONNX Runtime on the CPU.
 * What does not fit is refused by name.
 */
export const make = Effect.fnUntraced(function*(path: string, settings: OnnxSettings) {
  const { provider, threads } = yield* Session
  const fail = (reason: string) => new FileError({ path, place: "", reason })
  if (!(yield* exists(path))) return yield* fail("there is no such file or folder")
  const config = join(dirname(path), modelFiles.preprocessor)
  const preprocessing = yield* decodeFile(config, (json) => decodePreprocessor(json, config))
  const model = yield* open(path, threads)
  const [input, output] = [inputOf(model, settings), outputOf(model, settings)]
  if (typeof input === "string") return yield* fail(input)
  if (typeof output === "string") return yield* fail(output)
  const why = misfit(input, preprocessing)
  if (why !== undefined) return yield* fail(why)
  if (provider !== "cpu") yield* Effect.logInfo(`${path} is run on the CPU, not by ${provider}`)
  const one = Effect.fnUntraced(function*({ name, picture }: Named) {
    const { data, height, width } = preprocess(picture, preprocessing)
    const value: Floats = { shape: [1, 3, height, width], data }
    const { data: vector, shape } = yield* model.run(input.name, value, output.name)
    yield* finite(`${path}, for ${name}`, { [output.name]: vector })
    if (shape.length === 2 && shape[0] === 1) return unit(vector)
    return yield* fail(`gives [${shape.join(", ")}] for one picture, and is to give [1, size]`)
  })
  const { shape: [, known] } = output
  const blank = { width: 1, height: 1, channels: 3, data: new Uint8Array(3) } as const
  const size = typeof known === "number" && known > 0
    ? known
    : (yield* one({ name: "a black pixel", picture: blank })).length
  return {
    size,
    hash: yield* hashOf(path, preprocessing, { input: input.name, output: output.name }),
    pictures: (pictures: ReadonlyArray<Named>): Effect.Effect<Float32Array, FileError | SessionError> =>
      Effect.map(Effect.forEach(pictures, one), (vectors) => {
        const all = new Float32Array(vectors.length * size)
        vectors.forEach((vector, i) => all.set(vector, i * size))
        return all
      })
  }
})
