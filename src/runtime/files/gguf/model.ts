/** A GGUF file as a model folder: the files that a folder of its model would have beside the weights, as texts. */
import * as Effect from "effect/Effect"
import { modelFiles } from "../../../domain/fileNames.ts"
import { fromWords, toWords } from "../../../kernels/half.ts"
import { configOf } from "./config.ts"
import { generationOf } from "./generation.ts"
import { guarded } from "./malformed.ts"
import type { Metadata } from "./metadata.ts"
import { ropeTables } from "./names.ts"
import { type GgufFile, open } from "./read.ts"
import type { Tables } from "./rope.ts"
import { type Named as Tensors, named } from "./tensors.ts"
import { tokenizerConfigOf, tokenizerOf } from "./tokens/tokenizer.ts"

type Json = Readonly<Record<string, unknown>>

/** RoPE's divisors by dimension pair, which the config states; few and small. */
const tablesOf = Effect.fnUntraced(function*({ read, tensors }: GgufFile) {
  const tables = new Map<string, Float32Array>()
  for (const name of ropeTables) if (tensors.has(name)) tables.set(name, (yield* read(name)).data)
  return tables as Tables
})

/** Tensors of the state dict in float32: most files have vectors in it, whatever their matrices have. */
const float32s = (file: Tensors): ReadonlyArray<string> =>
  [...file.shapes.keys()].filter((name) => file.half(name) === undefined)

/** The dtype in which a folder has the same values: half precision if it holds what the file has in float32, too. */
const dtypeOf = Effect.fnUntraced(function*(file: GgufFile, dtype: unknown) {
  if (dtype !== "float16" && dtype !== "bfloat16") return "float32"
  const tensors = yield* named(file)
  for (const name of float32s(tensors)) {
    const { data } = yield* tensors.read(name)
    const again = fromWords(toWords(data, dtype), dtype)
    if (data.some((value, i) => value !== again[i])) return "float32"
  }
  return dtype
})

const config = Effect.fnUntraced(function*(file: GgufFile) {
  const tables = yield* tablesOf(file)
  const found = yield* guarded(file.path, () => configOf(file, tables))
  return { ...found, dtype: yield* dtypeOf(file, found["dtype"]) } as Json
})

const ofMetadata = (of: (metadata: Metadata) => Json) => ({ metadata, path }: GgufFile) =>
  guarded(path, () => of(metadata))

/** The files, by name, and what makes each of them. */
const files = {
  [modelFiles.config]: config,
  [modelFiles.generation]: ofMetadata(generationOf),
  [modelFiles.tokenizer]: ofMetadata(tokenizerOf),
  [modelFiles.tokenizerConfig]: ofMetadata(tokenizerConfigOf)
}

/** The names of the files. */
export const names: ReadonlyArray<string> = Object.keys(files)

/** The text of one of the files; the header is read for it. */
export const text = Effect.fnUntraced(function*(path: string, name: string) {
  const file = yield* open(path)
  const json: Json = yield* files[name as keyof typeof files](file)
  return `${JSON.stringify(json, null, name === modelFiles.tokenizer ? undefined : 2)}\n`
}, Effect.scoped)
