/** How a ColBERT checkpoint marks, cuts and counts texts, as it tells in the files of ColBERT or of PyLate. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import type { Lengths, Marks } from "./colbertText.ts"
import { keys, or } from "./configKeys.ts"
import { decodeFile, FileError, located } from "./files.ts"
import { special, type Tokenizer } from "./tokenizer.ts"

/** ColBERT's file, whose spelling is ours too. */
export const METADATA = "artifact.metadata"
const PYLATE = "config_sentence_transformers.json"

const Length = Schema.Int.check(Schema.isGreaterThanOrEqualTo(4))
const Convention = Schema.Struct({
  /** The tokens put after [CLS]. */
  query_token_id: or(Schema.String, "[unused0]"),
  doc_token_id: or(Schema.String, "[unused1]"),
  query_maxlen: Schema.optionalKey(Length),
  doc_maxlen: Schema.optionalKey(Length),
  attend_to_mask_tokens: or(Schema.Boolean, false),
  mask_punctuation: or(Schema.Boolean, true),
  /** Instead of punctuation, where it is given. */
  skiplist_words: Schema.optionalKey(Schema.Array(Schema.String)),
  similarity: or(Schema.Literal("cosine"), "cosine"),
  dim: Schema.optionalKey(Schema.Natural)
})
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

/** PyLate's names of what ColBERT calls otherwise. */
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

/** What the folder tells; ColBERT's own ways where it tells nothing. */
export const read = Effect.fnUntraced(function*(folder: string) {
  const fs = yield* FileSystem.FileSystem
  for (const [name, decode] of [[METADATA, decodeOwn], [PYLATE, decodePyLate]] as const) {
    const path = join(folder, name)
    if (yield* fs.exists(path).pipe(located(path))) return yield* decodeFile(path, decode)
  }
  return yield* Effect.orDie(decodeOwn({}))
})

/** The convention as a file of ColBERT, for a copy of the model. */
export const text = (convention: Convention): string => JSON.stringify(convention, null, 2)

const punctuation = [..."!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"]

/** The ids of a tokenizer that the convention means. */
export const marks = Effect.fnUntraced(function*(folder: string, convention: Convention, tokenizer: Tokenizer) {
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
    return yield* new FileError({ path: join(folder, "tokenizer.json"), place: "", reason })
  }
  const id = (name: keyof typeof wanted): number => tokenizer.id(wanted[name])!
  const words = convention.skiplist_words ?? (convention.mask_punctuation ? punctuation : [])
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

/** Tokens of a question and of a passage where neither settings nor checkpoint tell. */
const usual = { query: 32, passage: 220 }

/** The settings', or where those are 0 the checkpoint's, or as many as is usual and the model has positions for. */
export const lengths = (
  { doc_maxlen, query_maxlen }: Convention,
  settings: { readonly query_max_len: number; readonly passage_max_len: number },
  positions: number
): Lengths => ({
  query: settings.query_max_len || (query_maxlen ?? Math.min(usual.query, positions)),
  passage: settings.passage_max_len || (doc_maxlen ?? Math.min(usual.passage, positions))
})
