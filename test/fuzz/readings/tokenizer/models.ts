/** Models, read a second time by the letter of the format: slowly, and by other ways than the program's. */
import * as own from "../fields.ts"
import { isFields } from "../json.ts"
import { bad, type Fields } from "../records.ts"

export interface Model {
  readonly ids: (word: string) => ReadonlyArray<number>
  readonly id: (token: string) => number | undefined
  readonly token: (id: number) => string | undefined
  readonly count: number
  readonly greatest: number
}

/** Ids by token, each of one token. */
type Vocabulary = ReadonlyMap<string, number>

const vocabularyOf = (fields: Fields): Vocabulary => {
  const vocab = own.get(fields, "vocab")
  if (!isFields(vocab)) return bad("no vocabulary")
  const found = new Map(Object.entries(vocab).map(([token, id]) => [own.text(token), own.natural(id)]))
  return new Set(found.values()).size === found.size ? found : bad("an id of two tokens")
}

const over = (vocabulary: Vocabulary, ids: Model["ids"]): Model => {
  const tokens = new Map([...vocabulary].map(([token, id]) => [id, token]))
  return {
    ids,
    id: (token) => vocabulary.get(token),
    token: (id) => tokens.get(id),
    count: vocabulary.size,
    greatest: Math.max(-1, ...vocabulary.values())
  }
}

const unknownOf = (fields: Fields, vocabulary: Vocabulary): number =>
  vocabulary.get(own.text(own.get(fields, "unk_token"))) ?? bad("no unknown token")

const wordLevel = (fields: Fields): Model => {
  own.fieldsOf(fields, "type", "vocab", "unk_token")
  const vocabulary = vocabularyOf(fields)
  const unknown = unknownOf(fields, vocabulary)
  return over(vocabulary, (word) => [vocabulary.get(word) ?? unknown])
}

const wordPiece = (fields: Fields): Model => {
  own.fieldsOf(fields, "type", "vocab", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word")
  const vocabulary = vocabularyOf(fields)
  const unknown = unknownOf(fields, vocabulary)
  const most = own.natural(own.get(fields, "max_input_chars_per_word"))
  const prefix = own.text(own.get(fields, "continuing_subword_prefix"))
  const pieces = (rest: ReadonlyArray<string>, first: boolean): ReadonlyArray<number> | undefined => {
    if (rest.length === 0) return []
    for (let end = rest.length; end > 0; end--) {
      const id = vocabulary.get((first ? "" : prefix) + rest.slice(0, end).join(""))
      if (id === undefined) continue
      const more = pieces(rest.slice(end), false)
      return more && [id, ...more]
    }
    return undefined
  }
  return over(vocabulary, (word) => ([...word].length > most ? undefined : pieces([...word], true)) ?? [unknown])
}

/** A byte by the name that byte fallback gives it. */
const byteTokens = (text: string): ReadonlyArray<string> =>
  [...Buffer.from(text)].map((byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`)

const bytesOf = (text: string, id: (token: string) => number | undefined): ReadonlyArray<number> | undefined => {
  const ids = byteTokens(text).map(id)
  return ids.every((one) => one !== undefined) ? ids : undefined
}

const pairOf = (merge: unknown): readonly [string, string] => {
  const parts = typeof merge === "string" ? merge.split(" ") : own.list(merge)
  return parts.length === 2 ? [own.text(parts[0]), own.text(parts[1])] : bad("no pair")
}

type Merge = readonly [rank: number, result: number]

const mergesOf = (fields: Fields, vocabulary: Vocabulary, prefix: string): ReadonlyMap<string, Merge> => {
  const known = (token: string) => vocabulary.get(token) ?? bad(`no token ${token}`)
  const all = own.list(own.get(fields, "merges")).filter((one) =>
    typeof one !== "string" || !one.startsWith("#version")
  )
  return new Map(all.map((one, rank) => {
    const [left, right] = pairOf(one)
    if (!right.startsWith(prefix)) bad("no continuation")
    return [[known(left), known(right)].join(), [rank, known(left + right.slice(prefix.length))]]
  }))
}

/** Of the pairs that wait, that of the least rank, the leftmost of several. Which was met first does not matter. */
const merged = (given: ReadonlyArray<number>, merges: ReadonlyMap<string, Merge>): ReadonlyArray<number> => {
  const ids: Array<number | undefined> = [...given]
  const after = (i: number) => ids.findIndex((id, j) => j > i && id !== undefined)
  const waiting: Array<readonly [at: number, merge: Merge]> = []
  const meet = (at: number) => {
    const next = at < 0 ? -1 : after(at)
    const merge = next < 0 ? undefined : merges.get([ids[at], ids[next]].join())
    if (merge) waiting.push([at, merge])
  }
  given.forEach((_, i) => meet(i))
  while (waiting.length > 0) {
    waiting.sort(([a, [rank]], [b, [other]]) => rank - other || a - b)
    const [at, [, result]] = waiting.shift()!
    const next = after(at)
    if (ids[at] === undefined || next < 0 || merges.get([ids[at], ids[next]].join())?.[1] !== result) continue
    ids[at] = result
    ids[next] = undefined
    meet(ids.findLastIndex((id, j) => j < at && id !== undefined))
    meet(at)
  }
  return ids.filter((id) => id !== undefined)
}

const bpe = (fields: Fields): Model => {
  const texts = ["continuing_subword_prefix", "end_of_word_suffix"] as const
  const flags = ["fuse_unk", "byte_fallback", "ignore_merges"] as const
  own.fieldsOf(fields, "type", "vocab", "merges", "dropout", "unk_token", ...texts, ...flags)
  if (![undefined, null, 0].includes(own.get(fields, "dropout") as null)) bad("random")
  const vocabulary = vocabularyOf(fields)
  const [prefix, suffix] = texts.map((key) => own.or(own.text, "")(own.get(fields, key))) as [string, string]
  const [fuses, fallsBack, ignores] = flags.map((key) => own.or(own.flag, false)(own.get(fields, key)))
  const merges = mergesOf(fields, vocabulary, prefix)
  const token = own.or<string | undefined>(own.text, undefined)(own.get(fields, "unk_token"))
  const unknown = token === undefined ? undefined : vocabulary.get(token)
  if (token !== undefined && unknown === undefined) bad("no unknown token")
  const characters = (word: string): ReadonlyArray<number> => {
    const out: Array<number> = []
    let waiting = 0
    const flush = () => {
      for (let i = 0; i < (fuses ? Math.min(1, waiting) : waiting); i++) out.push(unknown!)
      waiting = 0
    }
    const all = [...word]
    for (const [i, c] of all.entries()) {
      const piece = (i === 0 ? "" : prefix) + c + (i === all.length - 1 ? suffix : "")
      const id = vocabulary.get(piece)
      const bytes = id === undefined && fallsBack ? bytesOf(piece, (one) => vocabulary.get(one)) : undefined
      if (id !== undefined) {
        flush()
        out.push(id)
      } else if (bytes) out.push(...bytes)
      else if (unknown !== undefined) waiting++
    }
    flush()
    return out
  }
  return over(vocabulary, (word) => {
    const id = ignores ? vocabulary.get(word) : undefined
    return id === undefined ? merged(characters(word), merges) : [id]
  })
}

/** Best paths to every place, from the left. */
const unigram = (fields: Fields): Model => {
  own.fieldsOf(fields, "type", "vocab", "unk_id", "byte_fallback")
  const pieces = own.list(own.get(fields, "vocab")).map((one) => {
    const [token, score, ...more] = own.list(one)
    return Number.isFinite(score) && more.length === 0 ? [own.text(token), score as number] as const : bad("no piece")
  })
  const unknown = own.natural(own.get(fields, "unk_id"))
  if (unknown >= pieces.length) bad("no unknown token")
  const fallsBack = own.unlessAbsent(own.flag, false)(own.get(fields, "byte_fallback"))
  const ids = new Map(pieces.map(([token], id) => [token, id]))
  const least = Math.min(...pieces.map(([, score]) => score))
  const best = (all: ReadonlyArray<string>): ReadonlyArray<string> => {
    const paths: Array<{ score: number; from: number; known: boolean } | undefined> = [{
      score: 0,
      from: -1,
      known: true
    }]
    const offer = (from: number, end: number, score: number, known: boolean) => {
      const total = paths[from]!.score + score
      if (paths[end] === undefined || total > paths[end].score) paths[end] = { score: total, from, known }
    }
    for (const from of all.keys()) {
      for (let end = from + 1; end <= all.length; end++) {
        const id = ids.get(all.slice(from, end).join(""))
        if (id !== undefined) offer(from, end, pieces[id]![1], id !== unknown)
      }
      if (!ids.has(all[from]!)) offer(from, from + 1, least - 10, false)
    }
    const found: Array<{ text: string; known: boolean }> = []
    for (let end = all.length; end > 0; end = paths[end]!.from) {
      const { from, known } = paths[end]!
      const text = all.slice(from, end).join("")
      if (!known && found[0]?.known === false) found[0].text = text + found[0].text
      else found.unshift({ text, known })
    }
    return found.map(({ text }) => text)
  }
  const idsOf = (piece: string): ReadonlyArray<number> => {
    const id = ids.get(piece)
    return id === undefined ? (fallsBack ? bytesOf(piece, (one) => ids.get(one)) : undefined) ?? [unknown] : [id]
  }
  return {
    ...over(ids, (word) => best([...word]).flatMap(idsOf)),
    token: (id) => pieces[id]?.[0],
    count: pieces.length,
    greatest: pieces.length - 1
  }
}

const kinds = { BPE: bpe, WordPiece: wordPiece, WordLevel: wordLevel, Unigram: unigram }

/** Older files have no type: it shows by what else is there. */
export const modelOf: own.Read<Model> = (value) => {
  if (!isFields(value)) return bad("no model")
  if (Object.hasOwn(value, "type")) return own.byType(kinds)(value)
  if ((own.get(value, "merges") ?? null) !== null) return bpe(value)
  if (Array.isArray(own.get(value, "vocab"))) return unigram(value)
  return (own.get(value, "max_input_chars_per_word") ?? null) === null ? wordLevel(value) : wordPiece(value)
}
