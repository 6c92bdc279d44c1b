/** The model folder of a single-vector retriever: an encoder or a decoder, as it is or in sentence-transformers' layout. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { modelFiles } from "../../../domain/fileNames.ts"
import type { Retrieval } from "../../../domain/settings/retrieval.ts"
import { templates, type Vectors } from "../../../domain/settings/vectors.ts"
import { reach } from "../../../kernels/nn/rope.ts"
import { type Pooling, sentence, type SentenceConfig, sentenceSize } from "../../../kernels/nn/sentence.ts"
import { attendingAs, decodeDecoder, isDecoder, type TokenIds } from "../../files/config/decoder.ts"
import { decodeEncoder } from "../../files/config/encoder.ts"
import type { Decode, Json } from "../../files/config/keys.ts"
import { FileError } from "../../files/disk.ts"
import { spelledAs } from "../../files/json/numbers.ts"
import { readJson, readText } from "../../files/model.ts"
import { ofDecoder, ofEncoder } from "../../files/stateDict.ts"
import type { Naming } from "../../files/weights.ts"
import * as ModelFolder from "../../models/folder.ts"
import * as Model from "../../models/load.ts"
import { appendEos } from "../../tokenizers/appendEos.ts"
import { special, type Tokenizer } from "../../tokenizers/tokenizer.ts"
import { cased } from "../colbert/metadata.ts"
import type { Lengths } from "../dense/texts.ts"
import * as Convention from "./convention.ts"
import { sentenceFiles } from "./saved.ts"
import * as Text from "./text.ts"

/** The settings of how texts become vectors, and how long they are. */
export type FolderSettings = Omit<Vectors, "retriever_type"> & Pick<Retrieval, "query_max_len" | "passage_max_len">

type Decoded<C> = C extends unknown ? Omit<C, "pooling" | "dense" | "truncate" | "normalise"> : never
type Body = Decoded<SentenceConfig> & Partial<TokenIds>

const decodeBody: Decode<Body> = (json, path) =>
  isDecoder(json)
    ? Effect.map(
      decodeDecoder(json, path),
      (c): Body => ({ ...c, model_type: "decoder", bidirectional: c.bidirectional ?? false })
    )
    : Effect.map(decodeEncoder(json, path), ({ dim: _, ...c }): Body => c)

/** Attention as the settings, the folder and its config have it, in this order. */
const attending = Effect.fnUntraced(
  function*(folder: string, body: Body, causal: boolean | undefined, settings: FolderSettings) {
    const { retriever_attention: asked } = settings
    if (body.model_type !== "decoder") {
      if (asked !== "causal") return body
      const reason = `retriever_attention causal: ${body.model_type} attends in both directions`
      return yield* new FileError({ path: join(folder, modelFiles.config), place: "", reason })
    }
    const wanted = asked === "auto" ? causal === undefined ? undefined : !causal : asked === "bidirectional"
    if (wanted === undefined || wanted === body.bidirectional) return body
    return { ...body, bidirectional: wanted, window_reach: undefined } as unknown as Body
  }
)

/** Pooling as the settings or the folder have it, else the last token's for causal decoders, and the mean. */
const poolingOf = (
  body: Body,
  pooled: Convention.Convention["pooled"],
  { retriever_pooling: asked }: FolderSettings
): ReadonlyArray<Pooling> => {
  if (asked === "eos" || asked === "last") return ["lasttoken"]
  if (asked !== "auto") return [asked]
  return pooled?.pooling ?? [body.model_type === "decoder" && !body.bidirectional ? "lasttoken" : "mean"]
}

/** The id of the end token, as the tokenizer or the config has it. */
const eosOf = (tokenizer: Tokenizer, body: Body): number | undefined => {
  const own = special(tokenizer, "eos_token")
  return (own === undefined ? undefined : tokenizer.id(own)) ?? body.eos_token_id?.[0]
}

/** The place of `retrieval_task` in a prompt. */
const TASK = "{task}"

/** Prompts and end token of the settings, or of the folder. */
const framed = Effect.fnUntraced(function*(
  { folder, tokenizer }: { readonly folder: string; readonly tokenizer: Tokenizer },
  body: Body,
  convention: Convention.Convention,
  settings: FolderSettings
) {
  const { retrieval_task, retriever_template } = settings
  const template = retriever_template === "folder" ? convention.prompts : templates[retriever_template]
  const [query, passage] = [settings.query_prompt || template.query, settings.passage_prompt || template.passage]
  const filled = (prompt: string) => prompt.replaceAll(TASK, () => retrieval_task)
  const { end, start = [] } = tokenizer
  const eos = eosOf(tokenizer, body)
  const asked = settings.append_eos === "auto"
    ? settings.retriever_pooling === "eos" || ("appendEos" in template && template.appendEos)
    : settings.append_eos
  if (asked && eos === undefined) {
    const reason = "has no eos_token to append to texts; set append_eos: false, and another retriever_pooling than eos"
    return yield* new FileError({ path: join(folder, modelFiles.tokenizerConfig), place: "", reason })
  }
  const appended = asked && end.at(-1) !== eos ? eos : undefined
  const pad = special(tokenizer, "pad_token")
  return {
    appended,
    start,
    end: appended === undefined ? end : [...end, appended],
    pad: (pad === undefined ? undefined : tokenizer.id(pad)) ?? eos ?? 0,
    prompts: { query: filled(query), passage: filled(passage) },
    instructed: [query, passage].some((prompt) => prompt.includes(TASK)),
    includePrompt: convention.pooled?.includePrompt ?? true
  }
})

/** Tokens of the longest text where neither the settings nor the folder say. */
const USUAL = 512

/** The greatest length that a tokenizer states; a huge one stands for none. */
const statedBy = ({ config }: Tokenizer): number | undefined => {
  const most = config["model_max_length"]
  return typeof most === "number" && Number.isInteger(most) && most > 0 && most < 2 ** 31 ? most : undefined
}

const lengthsOf = Effect.fnUntraced(function*(
  { folder, tokenizer }: { readonly folder: string; readonly tokenizer: Tokenizer },
  body: Body,
  told: number | undefined,
  around: number,
  settings: FolderSettings
) {
  const positions = body.model_type === "decoder"
    ? reach(body.rope_parameters, body.max_position_embeddings)
    : body.max_position_embeddings
  const usual = Math.min(told || statedBy(tokenizer) || USUAL, positions)
  const lengths: Lengths = { query: settings.query_max_len || usual, passage: settings.passage_max_len || usual }
  const named = { query_max_len: lengths.query, passage_max_len: lengths.passage }
  yield* ModelFolder.fits(folder, { max_position_embeddings: positions }, named)
  const short = Object.entries(named).filter(([, length]) => length <= around)
  if (short.length === 0) return lengths
  const reason = `${
    short.map(([name, length]) => `${name} (${length})`).join(", ")
  }: ${around} tokens are put around a text, `
    + "so that none would be left for words"
  return yield* new FileError({ path: join(folder, modelFiles.config), place: "", reason })
})

/** Tensors of the model by parameter path, those of dense layers as they are named; an output head is not used. */
const namingOf = (body: Body): Naming => {
  const own = body.model_type === "decoder" ? ofDecoder({ tie_word_embeddings: true }) : ofEncoder(body.model_type)
  return (stored) => /^\d+_Dense\./.test(stored) ? stored : own(stored)
}

/** `config.json` of a copy, with attention as it is. */
const configText = Effect.fnUntraced(
  function*(path: string, body: Body, { bidirectional: before = false }: { readonly bidirectional?: boolean }) {
    const [json, text] = [(yield* readJson(path)) as Json, yield* readText(path)]
    if (body.model_type !== "decoder" || body.bidirectional === before) return text
    return spelledAs(attendingAs(json, body.bidirectional), text)
  }
)

/** `tokenizer.json` of a copy, with the end token that is appended here. */
const tokenizerText = Effect.fnUntraced(function*({ folder, token: tokenOf }: Tokenizer, id: number) {
  const path = join(folder, modelFiles.tokenizer)
  const token = tokenOf(id)
  const found = token === undefined ? undefined : appendEos(yield* readText(path), { token, id })
  if (found !== undefined) return found
  const reason = `cannot be made to end texts with token ${id}, the eos_token; set append_eos: false`
  return yield* new FileError({ path, place: "post_processor", reason })
})

const tellChoice = (
  name: string,
  { bidirectional, pooling }: { readonly bidirectional: boolean; readonly pooling: ReadonlyArray<Pooling> }
) =>
  Effect.logInfo(
    `${name}: a decoder as single-vector retriever, attention ${bidirectional ? "bidirectional" : "causal"}, pooling `
      + `${pooling.join(", ")} (retriever_attention, retriever_pooling)`
  )

/** Opens a folder under the settings. */
export const open = Effect.fnUntraced(function*(name: string, settings: FolderSettings) {
  const opened = yield* ModelFolder.open(name, decodeBody)
  const { adapter, config: found, folder, given, tokenizer } = opened
  const convention = yield* Convention.read(given === folder ? [folder] : [given, folder], found.hidden_size)
  if (convention.lowers !== undefined) yield* cased(convention.lowers, tokenizer)
  const body = yield* attending(folder, found, convention.causal, settings)
  const pooling = poolingOf(body, convention.pooled, settings)
  const { appended, instructed, ...frame } = yield* framed(opened, body, convention, settings)
  const lengths = yield* lengthsOf(opened, body, convention.most, frame.start.length + frame.end.length, settings)
  const truncate = settings.truncate_dim || convention.truncate
  const { dense, normalise } = convention
  const config = { ...body, pooling, dense, truncate, normalise } as SentenceConfig
  if (body.model_type === "decoder") yield* tellChoice(name, { bidirectional: body.bidirectional, pooling })
  const texts = new Map(yield* ModelFolder.companions(folder))
  texts.set(
    modelFiles.config,
    yield* configText(join(folder, modelFiles.config), body, found as { bidirectional?: boolean })
  )
  if (appended !== undefined) texts.set(modelFiles.tokenizer, yield* tokenizerText(tokenizer, appended))
  const most = Math.max(lengths.query, lengths.passage)
  for (const [file, text] of sentenceFiles({ config, frame, most })) texts.set(file, text)
  const loading = { naming: namingOf(body), dispensable: () => false }
  return {
    text: Text.make(tokenizer, frame, lengths),
    lengths,
    dim: sentenceSize(config),
    pools: true,
    instructed,
    adapted: adapter !== undefined,
    files: [...texts],
    load: (options: Model.LoadOptions) => Model.load({ ...opened, config, loading }, sentence, options)
  }
})
