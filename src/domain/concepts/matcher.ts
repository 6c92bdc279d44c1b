/** Finds names of concepts in texts: the longest at each place, from left to right. */
import { hashTable } from "./hashTable.ts"
import { keysOf, type NormaliseOptions, type Token, tokensOf } from "./normalise.ts"

/** A name in a text, and the concepts it may stand for, more than one where it is ambiguous. */
export interface Mention {
  readonly start: number
  readonly end: number
  readonly concepts: ReadonlyArray<string>
}

/** What a vocabulary holds. */
export interface VocabularyCounts {
  readonly concepts: number
  /** Distinct names. */
  readonly names: number
  /** Names of several concepts. */
  readonly ambiguous: number
  /** Names that are too short to be looked for, and those of more tokens than are looked at. */
  readonly short: number
  readonly long: number
  /** Memory of the index, without the ids. */
  readonly bytes: number
}

/** A vocabulary that gains names, and finds them. */
export interface Matcher {
  readonly add: (concept: string, name: string) => void
  readonly find: (text: string) => ReadonlyArray<Mention>
  readonly counts: () => VocabularyCounts
}

/** Most tokens of a name that is looked for. */
const LONGEST = 12
/** Names by their first token: how long the longest is. */
const FIRST = 2 ** 20

/** Unsigned integers, added one by one. */
const growing = () => {
  let [all, size] = [new Uint32Array(1024), 0]
  return {
    add: (value: number): number => {
      if (size === all.length) {
        const larger = new Uint32Array(2 * size)
        larger.set(all)
        all = larger
      }
      all[size] = value
      return size++
    },
    at: (i: number): number => all[i]!,
    bytes: () => all.byteLength
  }
}

const placeOf = (key: string): number => {
  let h = 0x811c9dc5
  for (let i = 0; i < key.length; i++) h = Math.imul(h ^ key.charCodeAt(i), 0x01000193)
  return (h ^ h >>> 15) & FIRST - 1
}

/** Which names are looked for, and how they are compared. */
export interface MatcherOptions extends NormaliseOptions {
  /** Names that are not looked for. */
  readonly exclude: ReadonlyArray<string>
}

/** An empty vocabulary. Names are kept as hashes: 12 to 36 bytes each, 8 for each concept of one, and the ids. */
export const matcher = (o: MatcherOptions): Matcher => {
  const excluded = new Set(o.exclude.map((name) => keysOf(name, o)?.join(" ")))
  const [names, places, ids] = [hashTable(), hashTable(), new Array<string>()]
  /** Lists of the concepts of names: a concept, and the place of the rest and 1, 0 at the end. */
  const [concepts, rest] = [growing(), growing()]
  const longest = new Uint8Array(FIRST)
  let [ambiguous, short, long] = [0, 0, 0]
  const idOf = (concept: string): number => {
    const known = places.get(concept)
    if (known >= 0) return known
    places.set(concept, ids.length)
    return ids.push(concept) - 1
  }
  const listAt = (head: number): ReadonlyArray<number> => {
    const found: Array<number> = []
    for (let at = head; at >= 0; at = rest.at(at) - 1) found.push(concepts.at(at))
    return found
  }
  const add = (concept: string, name: string) => {
    const id = idOf(concept)
    const keys = keysOf(name, o)
    if (keys === undefined) return void short++
    if (keys.length > LONGEST) return void long++
    const key = keys.join(" ")
    if (excluded.has(key)) return
    const head = names.get(key)
    const before = listAt(head)
    if (before.includes(id)) return
    if (before.length === 1) ambiguous++
    names.set(key, concepts.add(id))
    rest.add(head + 1)
    const first = placeOf(keys[0]!)
    longest[first] = Math.max(longest[first]!, keys.length)
  }
  /** The number of tokens of the longest name that begins with a token, and its concepts. */
  const longestAt = (tokens: ReadonlyArray<Token>, at: number) => {
    const most = Math.min(longest[placeOf(tokens[at]!.key)]!, tokens.length - at)
    for (let n = most; n > 0; n--) {
      const head = names.get(tokens.slice(at, at + n).map(({ key }) => key).join(" "))
      if (head >= 0) return { n, found: listAt(head).toReversed() }
    }
    return undefined
  }
  const find = (text: string): ReadonlyArray<Mention> => {
    const tokens = tokensOf(text, o)
    const mentions: Array<Mention> = []
    for (let at = 0; at < tokens.length;) {
      const match = longestAt(tokens, at)
      if (match) {
        const { found, n } = match
        mentions.push({ start: tokens[at]!.start, end: tokens[at + n - 1]!.end, concepts: found.map((id) => ids[id]!) })
      }
      at += match?.n ?? 1
    }
    return mentions
  }
  const bytes = () => names.bytes() + places.bytes() + concepts.bytes() + rest.bytes() + FIRST
  const counts = () => ({ concepts: ids.length, names: names.size(), ambiguous, short, long, bytes: bytes() })
  return { add, find, counts }
}
