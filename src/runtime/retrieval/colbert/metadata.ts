/**
 * ColBERT metadata of a checkpoint, in the files of ColBERT or PyLate: markers, maximum lengths, tokens masked in
 * MaxSim.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import { brief, several } from "../../../domain/brief.ts"
import { modelFiles } from "../../../domain/fileNames.ts"
import { isObject, type Json, keys, names, or, refuse, tell } from "../../files/config/keys.ts"
import { FileError } from "../../files/disk.ts"
import { decodeFile, exists, readJson } from "../../files/model.ts"
import { special, type Tokenizer } from "../../tokenizers/tokenizer.ts"
import type { Lengths } from "../dense/texts.ts"
import { MARKERS, type Marks } from "./text.ts"

/** ColBERT's metadata file, which is also our format. */
export const METADATA = modelFiles.colbert
const PYLATE = modelFiles.pylate

const Length = Schema.Int.check(Schema.isGreaterThanOrEqualTo(4))
const Convention = Schema.Struct({
  /** Marker tokens inserted after [CLS]. */
  query_token_id: or(Schema.String, "[unused0]"),
  doc_token_id: or(Schema.String, "[unused1]"),
  query_maxlen: Schema.optionalKey(Length),
  doc_maxlen: Schema.optionalKey(Length),
  attend_to_mask_tokens: or(Schema.Boolean, false),
  mask_punctuation: or(Schema.Boolean, true),
  /** If given, replaces the punctuation list. */
  skiplist_words: Schema.optionalKey(Schema.Array(Schema.String)),
  similarity: or(Schema.Literal("cosine"), "cosine"),
  dim: Schema.optionalKey(Schema.Natural)
})
/** The ColBERT metadata of a checkpoint. */
export type Convention = typeof Convention.Type

const PyLate = Schema.Struct({
  query_prefix: Schema.optionalKey(Schema.String),
  document_prefix: Schema.optionalKey(Schema.String),
  query_length: Schema.optionalKey(Length),
  document_length: Schema.optionalKey(Length),
  attend_to_expansion_tokens: Schema.optionalKey(Schema.Boolean),
  do_query_expansion: or(Schema.Literal(true), true),
  skiplist_words: Schema.optionalKey(Schema.Array(Schema.String))
})

/** Keys of ColBERT's file about training, indexing, search and paths. */
const elsewhere: ReadonlySet<string> = names(
  "query_token doc_token reranker",
  "accumsteps amp avoid_fork_if_possible bsize checkpoint collection distillation_alpha epochs experiment",
  "git_branch git_commit_datetime git_hash gpus hidden_size ignore_scores index_bsize index_name index_path",
  "index_root kmeans_niters lr maxsteps meta model_name name nbits ncandidates ncells centroid_score_threshold",
  "ndocs nranks nway overwrite num_partitions_max partitions queries ranks rank relu rerank resume resume_optimizer",
  "root save_every seed total_visible_gpus triples use_ib_negatives version warmup warmup_bert load_index_with_mmap"
)

/** Keys of PyLate's file without effect here. */
const beside: ReadonlySet<string> = names(
  "__version__ default_prompt_name model_type prompts similarity_fn_name truncate_dim"
)

/** Unsupported values of keys about scoring or prompts; not applied to single-vector sentence-transformers models. */
const problems = (own: Json): ReadonlyArray<string | false> => {
  const unlike = (key: string, ...usual: ReadonlyArray<unknown>) =>
    own[key] !== undefined && own[key] !== null && !usual.includes(own[key]) &&
    `${key} ${brief(own[key])} is not known here`
  return [
    unlike("interaction", "colbert"),
    unlike("similarity_fn_name", "MaxSim"),
    unlike("relu", false),
    unlike("truncate_dim"),
    unlike("default_prompt_name"),
    asks(own) && `prompts ${brief(own["prompts"])} are not put before texts here`
  ]
}
const asks = ({ prompts }: Json): boolean => isObject(prompts) && Object.values(prompts).some((text) => text !== "")

/** PyLate's keys and their ColBERT names. */
const renamed = {
  query_prefix: "query_token_id",
  document_prefix: "doc_token_id",
  query_length: "query_maxlen",
  document_length: "doc_maxlen",
  attend_to_expansion_tokens: "attend_to_mask_tokens",
  skiplist_words: "skiplist_words"
} as const

const decodeOwn = keys(Convention)
const decodePyLate = (json: unknown) =>
  Effect.flatMap(keys(PyLate)(json), (found) => {
    const entries = Object.entries(found).filter(([key]) => key in renamed)
    return decodeOwn(Object.fromEntries(entries.map(([key, v]) => [renamed[key as keyof typeof renamed], v])))
  })

const known = (fields: object, others: ReadonlySet<string>) =>
  new Set([...Object.keys(fields), ...others, "interaction"])
/** The metadata files, with their decoders and known keys. */
const files = [
  { name: METADATA, decode: decodeOwn, keys: known(Convention.fields, elsewhere) },
  { name: PYLATE, decode: decodePyLate, keys: known(PyLate.fields, beside) }
] as const

/** Whether a folder says that it is for late interaction, in ColBERT's or PyLate's terms. */
export const isColbert = Effect.fnUntraced(function*(folder: string) {
  if (yield* exists(join(folder, METADATA))) return true
  const path = join(folder, PYLATE)
  if (!(yield* exists(path))) return false
  const found = yield* readJson(path)
  if (!isObject(found)) return false
  return Object.keys(PyLate.fields).some((key) => (found[key] ?? null) !== null)
    || found["similarity_fn_name"] === "MaxSim" || found["model_type"] === "MultiVectorEncoder"
})

/** Reads a folder's metadata; ColBERT's defaults if there is none. */
export const read = Effect.fnUntraced(function*(folder: string) {
  for (const { decode, keys: all, name } of files) {
    const path = join(folder, name)
    if (!(yield* exists(path))) continue
    return yield* decodeFile(
      path,
      Effect.fnUntraced(function*(json) {
        const own = isObject(json) ? json : {}
        const isColbert = name === METADATA || Object.keys(PyLate.fields).some((key) => own[key] !== undefined)
        yield* refuse(isColbert ? problems(own) : [])
        const strange = Object.keys(own).filter((key) => own[key] !== null && !all.has(key))
        yield* tell(path, isColbert ? strange : asks(own) ? ["prompts"] : [])
        return yield* decode(json)
      })
    )
  }
  return yield* Effect.orDie(decodeOwn({}))
})

const Sentences = Schema.Struct({ do_lower_case: or(Schema.Boolean, false) })
/** Fails if `do_lower_case` (sentence-transformers) is set but the tokenizer is case-sensitive. */
export const cased = Effect.fnUntraced(function*(folder: string, { encode }: Tokenizer) {
  const path = join(folder, modelFiles.lengths)
  if (!(yield* exists(path))) return
  const { do_lower_case } = yield* decodeFile(path, keys(Sentences))
  if (!do_lower_case || encode("ABC").join() === encode("abc").join()) return
  const reason = "true, though the tokenizer tells upper case apart, is not known here"
  return yield* new FileError({ path, place: "do_lower_case", reason })
})

/** The metadata in ColBERT's format, for a copy of the model. */
export const text = (convention: Convention): string => JSON.stringify(convention, null, 2)

const punctuation = [..."!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"]

/** The marker and special token ids, and the ids masked in MaxSim; fails if the vocabulary lacks a token. */
export const marks = Effect.fnUntraced(function*(folder: string, convention: Convention, tokenizer: Tokenizer) {
  yield* cased(folder, tokenizer)
  const named = (name: string) => special(tokenizer, `${name}_token`) ?? `[${name.toUpperCase()}]`
  const wanted = {
    cls: named("cls"),
    sep: named("sep"),
    mask: named("mask"),
    pad: named("pad"),
    query: convention.query_token_id,
    doc: convention.doc_token_id
  }
  const lost = Object.values(wanted).filter((token) => tokenizer.id(token) === undefined)
  if (lost.length > 0) {
    const reason = `${
      lost.join(", ")
    } not in the vocabulary; ${METADATA} may name other marks for questions and passages`
    return yield* new FileError({ path: join(folder, modelFiles.tokenizer), place: "", reason })
  }
  const id = (name: keyof typeof wanted): number => tokenizer.id(wanted[name])!
  const words = convention.skiplist_words ?? (convention.mask_punctuation ? punctuation : [])
  const unknown = (convention.skiplist_words ?? []).filter((word) => tokenizer.id(word) === undefined)
  if (unknown.length > 0) {
    const names = several(unknown.map((word) => brief(word))).join(", ")
    yield* Effect.logWarning(`${folder}: skiplist_words that are no tokens, and count like others: ${names}`)
  }
  return {
    cls: id("cls"),
    sep: id("sep"),
    mask: id("mask"),
    pad: id("pad"),
    query: id("query"),
    doc: id("doc"),
    skip: new Set(words.map(tokenizer.id).filter((found) => found !== undefined)),
    attendToMasks: convention.attend_to_mask_tokens
  } satisfies Marks as Marks
})

/** Default maximum lengths in tokens. */
const usual = { query: 32, passage: 220 }

/**
 * Maximum lengths: from the settings, or if 0 from the checkpoint, or else the defaults, up to the model's positions.
 */
export const lengths = Effect.fnUntraced(function*(
  folder: string,
  { doc_maxlen, query_maxlen }: Convention,
  settings: { readonly query_max_len: number; readonly passage_max_len: number },
  positions: number
) {
  const found = {
    query_max_len: settings.query_max_len || (query_maxlen ?? Math.min(usual.query, positions)),
    passage_max_len: settings.passage_max_len || (doc_maxlen ?? Math.min(usual.passage, positions))
  }
  const short = Object.entries(found).filter(([, length]) => length <= MARKERS)
  if (short.length > 0) {
    const told = short.map(([name, length]) => `${name} (${length})`).join(", ")
    const reason = `${told}: of the tokens of a text ${MARKERS} are markers, so that none would be left for words`
    return yield* new FileError({ path: join(folder, modelFiles.config), place: "", reason })
  }
  return { query: found.query_max_len, passage: found.passage_max_len } satisfies Lengths as Lengths
})
