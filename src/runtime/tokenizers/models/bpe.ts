/** Byte-pair encoding: the characters of a word, merged in order of rank. */
import { byteAlphabet, byteToken, byteTokens } from "../characters/bytes.ts"
import { type Fields, isText } from "../fields.ts"
import { MergeQueue } from "./mergeQueue.ts"
import { byVocabulary, type Model, readVocabulary, type Vocabulary } from "./model.ts"
import { PairTable } from "./pairTable.ts"

interface Merges {
  /** Rank of a pair of ids. */
  readonly ranks: PairTable
  /** By rank: the id of the merged pair. */
  readonly results: Int32Array
}

interface Options {
  readonly vocabulary: Vocabulary
  readonly merges: Merges
  readonly prefix: string
  readonly suffix: string
  readonly byteFallback: boolean
  readonly fuses: boolean
  readonly unknown: number | undefined
}

/** A merge; in older files, a string with one space. */
const pairOf = (merge: unknown): readonly [string, string] | undefined => {
  const pair = typeof merge === "string" ? merge.split(" ") : merge
  return Array.isArray(pair) && pair.length === 2 && pair.every(isText) ? pair as [string, string] : undefined
}

const maxMerges = 2 ** 22

const readMerges = (fields: Fields, vocabulary: Vocabulary, prefix: string): Merges => {
  const list = fields.list("merges").filter((merge) => typeof merge !== "string" || !merge.startsWith("#version"))
  if (list.length > maxMerges) fields.fail("merges", `more than ${maxMerges}`)
  const ranks = new PairTable(list.length)
  const results = new Int32Array(list.length)
  let last = -1
  list.forEach((merge, rank) => {
    const fail = (reason: string) => fields.fail(`merges[${rank}]`, reason)
    const [left, right] = pairOf(merge) ?? fail(`two tokens are expected, not ${JSON.stringify(merge)?.slice(0, 60)}`)
    const id = (token: string) => vocabulary.id(token) ?? fail(`${JSON.stringify(token)} is not in the vocabulary`)
    if (!right.startsWith(prefix)) fail(`${JSON.stringify(right)} does not begin with "${prefix}"`)
    ranks.set(id(left), id(right), rank)
    const result = left + right.slice(prefix.length)
    /** A merge's result usually has the id after the previous one's, which saves a lookup. */
    last = vocabulary.token(last + 1) === result ? last + 1 : id(result)
    results[rank] = last
  })
  return { ranks, results }
}

/**
 * Ids of a word's characters. An unknown character becomes its byte tokens, if all are known, else the unknown token,
 * else nothing. As in the library, an unknown token is emitted after any byte tokens that directly follow it.
 */
const charactersOf = (
  { byteFallback, fuses, prefix, suffix, unknown, vocabulary }: Options,
  word: string
): Array<number> => {
  const ids: Array<number> = []
  let pending = false
  const flush = () => {
    if (pending) ids.push(unknown!)
    pending = false
  }
  for (let i = 0; i < word.length;) {
    const end = i + (word.codePointAt(i)! > 0xffff ? 2 : 1)
    const piece = (i > 0 ? prefix : "") + word.slice(i, end) + (end === word.length ? suffix : "")
    i = end
    const id = vocabulary.id(piece)
    if (id !== undefined) {
      flush()
      ids.push(id)
      continue
    }
    const bytes = byteFallback ? byteTokens(piece).map((token) => vocabulary.id(token)) : [undefined]
    if (bytes.every((byte) => byte !== undefined)) {
      for (const byte of bytes) ids.push(byte)
      continue
    }
    if (unknown === undefined) continue
    if (!fuses) flush()
    pending = true
  }
  flush()
  return ids
}

/** Merges in place, over a linked list of symbols; a symbol merged into another becomes -1. */
const merger = ({ ranks, results }: Merges) => {
  const queue = new MergeQueue()
  let next = new Int32Array(64)
  let previous = new Int32Array(64)
  const offer = (ids: ReadonlyArray<number>, left: number, right: number) => {
    const rank = ranks.get(ids[left]!, ids[right]!)
    if (rank !== -1) queue.push(rank, left)
  }
  const link = (ids: ReadonlyArray<number>) => {
    if (next.length < ids.length) {
      next = new Int32Array(ids.length * 2)
      previous = new Int32Array(ids.length * 2)
    }
    for (let i = 0; i < ids.length; i++) {
      previous[i] = i - 1
      next[i] = i + 1 < ids.length ? i + 1 : -1
      if (i > 0) offer(ids, i - 1, i)
    }
  }
  return (ids: Array<number>): Array<number> => {
    link(ids)
    for (let top = queue.pop(); top !== -1; top = queue.pop()) {
      const left = top % 2 ** 31
      const right = next[left]!
      if (ids[left] === -1 || right === -1) continue
      /** Queue entries may be stale; another pair with the same result is equally valid. */
      const rank = ranks.get(ids[left]!, ids[right]!)
      const result = results[Math.floor(top / 2 ** 31)]!
      if (rank === -1 || results[rank] !== result) continue
      ids[left] = result
      ids[right] = -1
      next[left] = next[right]!
      if (next[left] !== -1) previous[next[left]!] = left
      if (previous[left] !== -1) offer(ids, previous[left]!, left)
      if (next[left] !== -1) offer(ids, left, next[left]!)
    }
    return ids.filter((id) => id !== -1)
  }
}

/** If every byte has a token, nothing is unknown. */
const knowsAll = (vocabulary: Vocabulary, byteFallback: boolean): boolean =>
  byteAlphabet.every((character) => vocabulary.id(character) !== undefined) ||
  (byteFallback && byteAlphabet.every((_, byte) => vocabulary.id(byteToken(byte)) !== undefined))

const unknownOf = (fields: Fields, vocabulary: Vocabulary, byteFallback: boolean): number | undefined => {
  const token = fields.optional("unk_token", fields.text, undefined)
  if (token === undefined) return undefined
  const id = vocabulary.id(token)
  if (id === undefined && !knowsAll(vocabulary, byteFallback)) {
    fields.fail("unk_token", `${JSON.stringify(token)} is not in the vocabulary`)
  }
  return id
}

export const readBpe = (fields: Fields): Model => {
  fields.only(
    "type",
    "dropout",
    "unk_token",
    "continuing_subword_prefix",
    "end_of_word_suffix",
    "fuse_unk",
    "byte_fallback",
    "ignore_merges",
    "vocab",
    "merges"
  )
  if (fields.has("dropout") && fields.get("dropout") !== 0) {
    fields.fail("dropout", `${JSON.stringify(fields.get("dropout"))}: random encodings are not supported`)
  }
  const vocabulary = readVocabulary(fields)
  const flag = (key: string) => fields.optional(key, fields.flag, false)
  const text = (key: string) => fields.optional(key, fields.text, "")
  const prefix = text("continuing_subword_prefix")
  const byteFallback = flag("byte_fallback")
  const merges = readMerges(fields, vocabulary, prefix)
  const unknown = unknownOf(fields, vocabulary, byteFallback)
  const options = { vocabulary, merges, prefix, suffix: text("end_of_word_suffix"), byteFallback, unknown }
  const characters = { ...options, fuses: flag("fuse_unk") }
  const ignores = flag("ignore_merges")
  const merge = merger(merges)
  return {
    type: "BPE",
    tokenize: (word) => {
      const id = ignores ? vocabulary.id(word) : undefined
      return id === undefined ? merge(charactersOf(characters, word)) : [id]
    },
    ...byVocabulary(vocabulary)
  }
}
