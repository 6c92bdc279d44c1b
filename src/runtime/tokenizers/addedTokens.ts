/** Added tokens: recognised in a text before it is split. */
import { isWhiteSpace, wordClass } from "./characters/classes.ts"
import { type Fields, Misfit } from "./fields.ts"
import type { Model } from "./models/model.ts"
import { Trie } from "./models/trie.ts"
import { type Part, type Parts, splitAll } from "./parts.ts"

/** An entry of `added_tokens`. */
export interface AddedToken {
  readonly content: string
  readonly single_word: boolean
  readonly lstrip: boolean
  readonly rstrip: boolean
  readonly normalized: boolean
  readonly special: boolean
}

const options = ["single_word", "lstrip", "rstrip", "normalized", "special"] as const

/** @throws Misfit if an option is missing. */
export const readAddedToken = (fields: Fields): AddedToken => ({
  content: fields.text("content"),
  single_word: fields.flag("single_word"),
  lstrip: fields.flag("lstrip"),
  rstrip: fields.flag("rstrip"),
  normalized: fields.flag("normalized"),
  special: fields.flag("special")
})

const same = (a: AddedToken, b: AddedToken): boolean =>
  a.content === b.content && options.every((option) => a[option] === b[option])

/** Finds tokens: leftmost first, longest among those. */
interface Finder {
  readonly trie: Trie
  /** UTF-16 units with which tokens begin, as flags. */
  readonly begins: Uint8Array
}

const finderOf = (forms: ReadonlyMap<string, number>): Finder | undefined => {
  if (forms.size === 0) return undefined
  const trie = new Trie([...forms.keys()].reduce((sum, form) => sum + form.length, 0))
  const begins = new Uint8Array(0x10000)
  for (const [form, id] of forms) {
    trie.set(form, id)
    begins[form.charCodeAt(0)] = 1
  }
  return { trie, begins }
}

let words: { readonly first: RegExp; readonly last: RegExp } | undefined
const wordEnds = () => words ??= { first: new RegExp(`^${wordClass()}`, "v"), last: new RegExp(`${wordClass()}$`, "v") }

/** Whether a token is part of a longer word, by the characters on either side. */
const withinWord = (text: string, start: number, end: number): boolean =>
  wordEnds().last.test(text.slice(Math.max(0, start - 2), start)) || wordEnds().first.test(text.slice(end, end + 2))

const spaceBefore = (text: string, at: number): number => {
  let start = at
  while (start > 0 && isWhiteSpace(text.charCodeAt(start - 1))) start--
  return start
}

const spaceAfter = (text: string, at: number): number => {
  let end = at
  while (end < text.length && isWhiteSpace(text.charCodeAt(end))) end++
  return end
}

/** The added tokens of a file. */
export class AddedTokens {
  private readonly model: Model
  private readonly normalize: (text: string) => string
  /** Whether special tokens are tokenised as ordinary text. */
  private readonly split: boolean
  private readonly ids = new Map<string, number>()
  private readonly tokens = new Map<number, AddedToken>()
  private readonly special = new Set<string>()
  /** Normalised forms of tokens, where they differ. */
  private readonly forms = new Map<number, string>()
  private raw: Finder | undefined
  private normal: Finder | undefined

  constructor(model: Model, normalize: (text: string) => string, split: boolean) {
    this.model = model
    this.normalize = normalize
    this.split = split
  }

  /** The id of a token; added tokens take precedence over the model's. */
  id(token: string): number | undefined {
    return this.ids.get(token) ?? this.model.id(token)
  }

  /** The text of an id for decoding; normalised tokens have their normalised form. */
  token(id: number): string | undefined {
    const added = this.tokens.get(id)
    return added === undefined ? this.model.token(id) : this.forms.get(id) ?? added.content
  }

  isSpecial(token: string): boolean {
    return this.special.has(token)
  }

  get greatest(): number {
    return Math.max(this.model.greatest, this.greatestAdded())
  }

  private greatestAdded(): number {
    let greatest = -1
    for (const id of this.tokens.keys()) greatest = Math.max(greatest, id)
    return greatest
  }

  /** All added tokens, in id order. */
  all(): ReadonlyArray<AddedToken> {
    return [...this.tokens].toSorted(([a], [b]) => a - b).map(([, token]) => token)
  }

  added(content: string): AddedToken | undefined {
    const id = this.ids.get(content)
    return id === undefined ? undefined : this.tokens.get(id)
  }

  /** Adds tokens: known ones keep their ids, new ones get the next. Adding a token again replaces its options. */
  add(tokens: ReadonlyArray<AddedToken>): void {
    let next = Math.max(this.greatestAdded() + 1, this.model.count)
    for (const token of tokens) {
      const { content, normalized, special } = token
      if (content === "" || this.has(token)) continue
      const id = this.id(content) ?? next++
      if (normalized) {
        const form = this.normalize(content)
        if (form !== content) this.forms.set(id, form)
      }
      this.ids.set(content, id)
      if (special) this.special.add(content)
      this.tokens.set(id, token)
    }
  }

  private has(token: AddedToken): boolean {
    const known = this.added(token.content)
    return known !== undefined && same(known, token)
  }

  /** Call after adding all tokens. @throws Misfit if two of them match the same text, or one normalises to nothing. */
  ready(place: string): void {
    const finder = (normalized: boolean) => {
      const forms = new Map<string, number>()
      for (const [id, token] of this.tokens) {
        if (token.normalized !== normalized) continue
        const form = normalized ? this.forms.get(id) ?? token.content : token.content
        const other = forms.get(form)
        const name = JSON.stringify(token.content)
        if (form === "") throw new Misfit(place, `nothing is left of ${name} once it is normalised`)
        if (other !== undefined) {
          throw new Misfit(place, `${name} and ${JSON.stringify(this.tokens.get(other)!.content)} are the same text`)
        }
        forms.set(form, id)
      }
      return finderOf(forms)
    }
    this.raw = finder(false)
    this.normal = finder(true)
  }

  /** Replaces unnormalised tokens in the text by their ids. */
  extract(parts: Parts): Parts {
    return this.raw === undefined ? parts : this.extracted(parts, this.raw)
  }

  /** Replaces normalised tokens by their ids, in text that may have become empty. */
  extractNormal(parts: Parts): Parts {
    return this.normal === undefined ? splitAll(parts, (text) => [0, text.length]) : this.extracted(parts, this.normal)
  }

  private extracted(parts: Parts, finder: Finder): Parts {
    const found: Array<number> = []
    const cut = splitAll(parts, (text) => this.spansOf(text, finder, found))
    let at = 0
    const withIds = cut.parts.map((part): Part => {
      if (typeof part === "number") return part
      const id = found[at++]!
      return id === -1 ? part : id
    })
    return { parts: withIds, heads: cut.heads }
  }

  /** The spans of a text; `found` gets the token id of each span, or -1. */
  private spansOf(text: string, finder: Finder, found: Array<number>): ReadonlyArray<number> {
    const spans: Array<number> = []
    const push = (start: number, end: number, id: number) => {
      /** Skips a token that consists of spaces already taken by another. */
      if (start >= end) return
      spans.push(start, end)
      found.push(id)
    }
    let at = 0
    for (let i = 0; i < text.length;) {
      const [matched, id] = finder.begins[text.charCodeAt(i)] === 0 ? [-1, -1] : longest(text, i, finder.trie)
      if (matched === -1) {
        i++
        continue
      }
      const token = this.tokens.get(id)!
      if (!this.passesOver(token, text, i, matched)) {
        const start = token.lstrip ? Math.max(spaceBefore(text, i), at) : i
        const end = token.rstrip ? spaceAfter(text, matched) : matched
        if (at < start) push(at, start, -1)
        push(start, end, id)
        at = end
      }
      i = matched
    }
    if (at !== text.length) push(at, text.length, -1)
    return spans
  }

  private passesOver(token: AddedToken, text: string, start: number, end: number): boolean {
    if (this.split && this.special.has(token.content)) return true
    return token.single_word && withinWord(text, start, end)
  }
}

/** End and value of the longest text of a trie at `start`; -1 and -1 if there is none. */
const longest = (text: string, start: number, trie: Trie): readonly [number, number] => {
  let end = -1
  let value = -1
  let node = 0
  for (let i = start; i < text.length; i++) {
    node = trie.next(node, text.charCodeAt(i))
    if (node === -1) break
    const found = trie.value(node)
    if (found === -1) continue
    end = i + 1
    value = found
  }
  return [end, value]
}
