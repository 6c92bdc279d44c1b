/** ONNX export of a model folder, in the layout that transformers.js expects: `onnx/model.onnx`. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { join } from "node:path"
import { modelFiles } from "../../../domain/fileNames.ts"
import * as Nd from "../../../kernels/NdArray.ts"
import { appended, encode } from "../../../kernels/onnx/encode.ts"
import { decodeDecoder } from "../../files/config/decoder.ts"
import { decodeEncoder } from "../../files/config/encoder.ts"
import { FileError, located, makeFolder, moveDurably, replace, writing } from "../../files/disk.ts"
import { decodeFile, readJson } from "../../files/model.ts"
import * as Peft from "../../files/peft.ts"
import { encoderType, HEAD, ofDecoder, ofEncoder, twinsOf } from "../../files/stateDict.ts"
import * as WeightFiles from "../../files/weights.ts"
import * as Graphs from "./graphs.ts"
import { sentenceOf } from "./sentence.ts"

const [FOLDER, MODEL, DATA] = ["onnx", "model.onnx", "model.onnx_data"] as const

/** A protobuf message is at most 2 GiB; this leaves 64 MiB for the graph itself. */
const MOST = 2 ** 31 - 2 ** 26

/** Options of the export. */
export interface Options {
  /** Maximum bytes of weights in the model's own file; larger models have them in an external data file. */
  readonly most?: number
}

/** A written export. */
export interface Written {
  readonly folder: string
  readonly kind: "encoder" | "decoder"
  readonly files: ReadonlyArray<string>
}

/** The graph of the folder's model, and the tensors of its parameters, open until the scope ends. */
const opened = Effect.fnUntraced(function*(folder: string) {
  const path = join(folder, modelFiles.config)
  const { model_type: type } = (yield* readJson(path)) as { readonly model_type?: unknown }
  const sources = yield* WeightFiles.open(folder)
  if (!sources) return yield* new FileError({ path: folder, place: "", reason: "has no weights" })
  const sentence = yield* sentenceOf([folder])
  if (sentence?.modules.some(({ kind }) => kind === "Dense")) {
    const reason = "its dense layers have no place in an ONNX export; sentence-transformers exports them"
    return yield* new FileError({ path: join(folder, modelFiles.modules), place: "", reason })
  }
  const head = [...sources].find(([name]) => name.endsWith(HEAD))?.[1]
  if (encoderType(type, head !== undefined)) {
    const config = yield* decodeFile(path, decodeEncoder)
    if (config.model_type === "deberta" || config.model_type === "deberta-v2") {
      const reason = `${config.model_type} has no ONNX form for texts of any length here; Optimum exports it`
      return yield* new FileError({ path, place: "model_type", reason })
    }
    const exported = Graphs.encoder({ ...config, dim: head?.shape[0] ?? 0 })
    const options = { naming: ofEncoder(config.model_type), dispensable: () => false }
    const tensors = yield* WeightFiles.fitting(folder, exported.params, sources, options)
    return { kind: "encoder" as const, type: config.model_type, exported, tensors }
  }
  const config = yield* decodeFile(path, decodeDecoder)
  if (config.bidirectional) {
    const reason = "attends in both directions, which an ONNX export for generation cannot"
    return yield* new FileError({ path, place: "is_causal", reason })
  }
  const exported = Graphs.decoder(config)
  const options = { naming: ofDecoder(config), dispensable: () => false, twins: twinsOf(config) }
  const tensors = yield* WeightFiles.fitting(folder, exported.params, sources, options)
  return { kind: "decoder" as const, type: "llama", exported, tensors }
})

/** Writes the model and its weights, holding one tensor in memory at a time; returns the names of the files. */
const write = Effect.fnUntraced(
  function*(folder: string, { params, ...one }: Graphs.Exported, tensors: WeightFiles.Sources, most: number) {
    const size = (path: string) => 4 * Nd.size(params.get(path)!.shape)
    const beside = [...params.keys()].reduce((sum, path) => sum + size(path), 0) > most
    let end = 0
    const place = (path: string) => beside ? { location: DATA, offset: (end += size(path)) - size(path) } : undefined
    const weights = new Map([...params.keys()].map((path) => [path, place(path)]))
    const model = yield* writing(join(folder, MODEL))
    const data = beside ? yield* writing(join(folder, DATA)) : model
    yield* model.add(encode(one.graph, { ...one.options, weights }))
    for (const [path, { shape }] of params) {
      const { file, name } = tensors.get(path)!
      const { buffer, byteLength, byteOffset } = (yield* file.read(name)).data
      if (!beside) yield* model.add(appended(path, { dtype: "float32", shape }))
      yield* data.add(new Uint8Array(buffer, byteOffset, byteLength))
    }
    yield* model.finish
    if (beside) yield* data.finish
    return beside ? [MODEL, DATA] : [MODEL]
  },
  Effect.scoped
)

/** Adds what transformers.js needs to know to the config: the model type, and that the weights are external data. */
const configured = Effect.fnUntraced(function*(folder: string, type: string, beside: boolean) {
  const path = join(folder, modelFiles.config)
  const config = (yield* readJson(path)) as Readonly<Record<string, unknown>>
  const own = beside ? { "transformers.js_config": { use_external_data_format: true } } : {}
  if (config["model_type"] !== undefined && !beside) return
  yield* replace(
    path,
    new TextEncoder().encode(`${JSON.stringify({ model_type: type, ...config, ...own }, null, 2)}\n`)
  )
})

/** Adds an ONNX export to a model folder: whole, or not at all. */
export const add = Effect.fnUntraced(
  function*(folder: string, { most = MOST }: Options = {}) {
    const fs = yield* FileSystem.FileSystem
    const out = join(folder, FOLDER)
    if (yield* fs.exists(out).pipe(located(out))) {
      return yield* new FileError({ path: out, place: "", reason: "is there already; remove it to write it anew" })
    }
    if (yield* Peft.isIn(folder)) {
      const reason = "is an adapter; merge it first (anamnesis merge)"
      return yield* new FileError({ path: folder, place: "", reason })
    }
    const { exported, kind, tensors, type } = yield* opened(folder)
    const partial = `${out}.partial`
    yield* fs.remove(partial, { recursive: true, force: true }).pipe(located(partial))
    yield* makeFolder(partial)
    const files = yield* write(partial, exported, tensors, most)
    yield* configured(folder, type, files.includes(DATA))
    yield* moveDurably(partial, out)
    return { folder: out, kind, files } satisfies Written as Written
  },
  Effect.scoped
)
