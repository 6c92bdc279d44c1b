/** What a sentence-transformers folder says besides its weights: modules, prompts, lengths, similarity. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import { brief } from "../../../domain/brief.ts"
import { modelFiles } from "../../../domain/fileNames.ts"
import type { DenseLayer } from "../../../kernels/nn/sentence.ts"
import { isObject, type Json, keys, or, tell } from "../../files/config/keys.ts"
import { FileError } from "../../files/disk.ts"
import { decodeFile, exists } from "../../files/model.ts"
import * as Modules from "../../files/sentence/modules.ts"

const [SENTENCES, MODEL, MODULES] = [modelFiles.lengths, modelFiles.pylate, modelFiles.modules]

const Sentences = Schema.Struct({
  max_seq_length: Schema.optionalKey(Schema.Natural),
  do_lower_case: or(Schema.Boolean, false),
  transformer_task: or(Schema.Literal("feature-extraction"), "feature-extraction"),
  modality_config: Schema.optionalKey(Schema.Record(Schema.String, Schema.Unknown)),
  module_output_name: or(Schema.Literal("token_embeddings"), "token_embeddings"),
  config_args: Schema.optionalKey(Schema.Record(Schema.String, Schema.Unknown)),
  config_kwargs: Schema.optionalKey(Schema.Record(Schema.String, Schema.Unknown))
})

const Model = Schema.Struct({
  model_type: or(Schema.Literal("SentenceTransformer"), "SentenceTransformer"),
  prompts: or(Schema.Record(Schema.String, Schema.String), {}),
  default_prompt_name: Schema.optionalKey(Schema.String),
  similarity_fn_name: or(Schema.Literals(["cosine", "dot", "dot_score"]), "cosine"),
  truncate_dim: Schema.optionalKey(Schema.Natural)
})

/** A file's own keys, decoded; warns about others. */
const decoded = <A>(
  path: string,
  schema: Schema.Codec<A, any> & { readonly fields: object },
  idle: ReadonlyArray<string>
) =>
  decodeFile(path, (json) =>
    Effect.tap(keys(schema)(json), () => {
      const known = new Set([...Object.keys(schema.fields), ...idle])
      return tell(
        path,
        Object.keys(isObject(json) ? json : {}).filter((key) => !known.has(key) && (json as Json)[key] !== null)
      )
    }))

/** The first of the folders that has a file, with its path. */
const holder = Effect.fnUntraced(function*(folders: ReadonlyArray<string>, name: string) {
  for (const folder of folders) if (yield* exists(join(folder, name))) return folder
  return undefined
})

const sentencesOf = Effect.fnUntraced(function*(folders: ReadonlyArray<string>) {
  const folder = yield* holder(folders, SENTENCES)
  if (folder === undefined) return { causal: undefined, lowers: undefined, most: undefined }
  const path = join(folder, SENTENCES)
  const own = yield* decoded(path, Sentences, [])
  const others = Object.keys(own.modality_config ?? {}).filter((name) => name !== "text")
  const config: Json = { ...own.config_args, ...own.config_kwargs }
  const strange = Object.keys(config).filter((key) => key !== "is_causal")
  const reason = others.length > 0
    ? `modality_config: ${others.map((name) => brief(name)).join(", ")} is not text`
    : strange.length > 0 && `config_kwargs: ${strange.map((key) => brief(key)).join(", ")} is not known here`
  if (reason) return yield* new FileError({ path, place: "", reason })
  return {
    most: own.max_seq_length,
    lowers: own.do_lower_case ? folder : undefined,
    causal: typeof config["is_causal"] === "boolean" ? config["is_causal"] : undefined
  }
})

/** The prompts of queries and passages, as `encode_query` and `encode_document` choose them. */
const promptsOf = ({ default_prompt_name: name, prompts }: typeof Model.Type) => {
  const usual = name === undefined ? "" : prompts[name]
  const passage = ["document", "passage", "corpus"].find((key) => Object.hasOwn(prompts, key))
  return {
    usual,
    query: prompts["query"] ?? usual ?? "",
    passage: passage === undefined ? usual ?? "" : prompts[passage]!
  }
}

const modelOf = Effect.fnUntraced(function*(folders: ReadonlyArray<string>) {
  const folder = yield* holder(folders, MODEL)
  if (folder === undefined) return { prompts: { query: "", passage: "" }, similarity: "cosine", truncate: 0 }
  const path = join(folder, MODEL)
  const own = yield* decoded(path, Model, ["__version__"])
  const { usual, ...prompts } = promptsOf(own)
  if (usual === undefined) {
    const reason = `${brief(own.default_prompt_name)} is not one of prompts`
    return yield* new FileError({ path, place: "default_prompt_name", reason })
  }
  return { prompts, similarity: own.similarity_fn_name, truncate: own.truncate_dim ?? 0 }
})

/** Refuses an order of modules other than Transformer, Pooling, dense layers, Normalize. */
const ordered = (path: string, modules: ReadonlyArray<Modules.Module>) => {
  const order = modules.map(({ kind }) => kind).join(" ")
  if (/^Transformer Pooling( Dense)*( Normalize)?$/.test(order)) return Effect.void
  const reason = `the order ${order} is not known here (known: Transformer Pooling Dense ... Normalize)`
  return Effect.fail(new FileError({ path, place: "", reason }))
}

const headOf = Effect.fnUntraced(function*(folders: ReadonlyArray<string>, size: number) {
  const folder = yield* holder(folders, MODULES)
  const modules = folder === undefined ? undefined : yield* Modules.modulesOf(folder)
  const pooling = modules?.find(({ kind }) => kind === "Pooling")
  if (folder === undefined || modules === undefined || pooling === undefined) {
    return { pooled: undefined, dense: [] as ReadonlyArray<DenseLayer>, normalises: false }
  }
  const path = join(folder, MODULES)
  yield* ordered(path, modules)
  const root = modules.find(({ kind }) => kind === "Transformer")!.path
  if (root !== "") {
    return yield* new FileError({
      path,
      place: "path",
      reason: `the transformer is in ${brief(root)}, not in the folder itself`
    })
  }
  const pooled = yield* Modules.poolingOf(folder, pooling.path, size)
  const dense: Array<DenseLayer> = []
  for (const { path: name } of modules.filter(({ kind }) => kind === "Dense")) {
    dense.push(yield* Modules.denseLayer(folder, name, dense.at(-1)?.to ?? size * pooled.pooling.length))
  }
  return {
    pooled,
    dense: dense as ReadonlyArray<DenseLayer>,
    normalises: modules.some(({ kind }) => kind === "Normalize")
  }
})

/**
 * The convention of a model with hidden states of this size: from the first of the folders that has a file (an adapter's,
 * its base's).
 */
export const read = Effect.fnUntraced(function*(folders: ReadonlyArray<string>, size: number) {
  const { dense, normalises, pooled } = yield* headOf(folders, size)
  const { causal, lowers, most } = yield* sentencesOf(folders)
  const { prompts, similarity, truncate } = yield* modelOf(folders)
  return { dense, pooled, causal, lowers, most, prompts, truncate, normalise: normalises || similarity === "cosine" }
})
/** The convention of a folder. */
export type Convention = Effect.Success<ReturnType<typeof read>>
