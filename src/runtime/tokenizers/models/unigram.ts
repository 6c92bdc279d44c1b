/** Unigram: the segmentation with the highest total score (Viterbi). */
import { byteTokens } from "../characters/bytes.ts"
import { type Fields, isText } from "../fields.ts"
import type { Model } from "./model.ts"
import { Trie } from "./trie.ts"

interface Pieces {
  readonly tokens: ReadonlyArray<string>
  readonly scores: Float64Array
}

const readPieces = (fields: Fields): Pieces => {
  const list = fields.list("vocab")
  const scores = new Float64Array(list.length)
  const tokens = list.map((entry, i) => {
    if (!Array.isArray(entry) || entry.length !== 2 || !isText(entry[0])) {
      return fields.fail(`vocab[${i}]`, "a token and its score are expected")
    }
    if (!Number.isFinite(entry[1])) fields.fail(`vocab[${i}]`, `${JSON.stringify(entry[0])} has no finite score`)
    scores[i] = entry[1] as number
    return entry[0]
  })
  return { tokens, scores }
}

/** Score of an unknown character below that of the least likely piece. */
const penalty = 10

/** Viterbi state, by end position: best score, and start and id of the last piece. */
class Paths {
  scores = new Float64Array(256)
  starts = new Int32Array(256)
  ids = new Int32Array(256)

  reset(length: number): void {
    if (this.starts.length <= length) {
      this.scores = new Float64Array(length * 2)
      this.starts = new Int32Array(length * 2)
      this.ids = new Int32Array(length * 2)
    }
    this.starts.fill(-1, 0, length + 1)
    this.scores[0] = 0
  }

  /** Of equal scores, the first is kept. */
  offer(start: number, end: number, id: number, score: number): void {
    const total = score + this.scores[start]!
    if (this.starts[end] !== -1 && total <= this.scores[end]!) return
    this.scores[end] = total
    this.starts[end] = start
    this.ids[end] = id
  }
}

const search = ({ scores, tokens }: Pieces, unknown: number) => {
  const trie = new Trie(tokens.reduce((sum, token) => sum + token.length, 0))
  tokens.forEach((token, id) => trie.set(token, id))
  const least = scores.reduce((a, b) => Math.min(a, b), Infinity)
  const paths = new Paths()
  const offerFrom = (text: string, start: number): number => {
    const next = start + (text.codePointAt(start)! > 0xffff ? 2 : 1)
    let single = false
    let node = 0
    for (let i = start; i < text.length; i++) {
      node = trie.next(node, text.charCodeAt(i))
      if (node === -1) break
      const id = trie.value(node)
      if (id === -1) continue
      paths.offer(start, i + 1, id, scores[id]!)
      single ||= i + 1 === next
    }
    if (!single) paths.offer(start, next, unknown, least - penalty)
    return next
  }
  /** Ends of the best pieces, last to first; adjacent unknown pieces are fused. */
  return (text: string): ReadonlyArray<number> => {
    paths.reset(text.length)
    for (let start = 0; start < text.length;) start = offerFrom(text, start)
    const ends: Array<number> = []
    let fused = false
    for (let end = text.length; end > 0; end = paths.starts[end]!) {
      const isUnknown = paths.ids[end] === unknown
      if (!(fused && isUnknown)) ends.push(end)
      fused = isUnknown
    }
    return ends
  }
}

export const readUnigram = (fields: Fields): Model => {
  const pieces = readPieces(fields.only("type", "unk_id", "vocab", "byte_fallback"))
  const { tokens } = pieces
  const unknown = fields.id("unk_id")
  if (unknown >= tokens.length) fields.fail("unk_id", `${unknown}: the vocabulary has ${tokens.length} tokens`)
  const byteFallback = fields.get("byte_fallback") !== undefined && fields.flag("byte_fallback")
  const ids = new Map(tokens.map((token, id) => [token, id]))
  const endsOf = search(pieces, unknown)
  const idsOf = (piece: string): ReadonlyArray<number> => {
    const id = ids.get(piece)
    if (id !== undefined) return [id]
    const bytes = byteFallback ? byteTokens(piece).map((token) => ids.get(token)) : [undefined]
    return bytes.every((byte) => byte !== undefined) ? bytes : [unknown]
  }
  return {
    type: "Unigram",
    tokenize: (text) => {
      const ends = endsOf(text)
      return ends.toReversed().flatMap((end, i) => idsOf(text.slice(ends[ends.length - i] ?? 0, end)))
    },
    id: (token) => ids.get(token),
    token: (id) => tokens[id],
    count: tokens.length,
    greatest: tokens.length - 1
  }
}
