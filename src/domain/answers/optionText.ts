/** Finds options in a text by their words, ignoring punctuation and spaces between them. */

/** A word or number in a text. */
export interface Word {
  readonly key: string
  readonly from: number
  readonly to: number
}

/** An option's start and end in a text. */
export interface Mention {
  readonly option: number
  readonly from: number
  readonly to: number
}

/** Words and numbers; signs too if words and numbers do not distinguish the options. */
const coarse = /\d+(?:[.,]\d+)*|[\p{L}\p{M}][\p{L}\p{M}\p{N}]*|\p{N}/gu
const fine = /\d+(?:[.,]\d+)*|[\p{L}\p{M}][\p{L}\p{M}\p{N}]*|[^\s\p{L}\p{M}]/gu

/** Ignores case and thousands separators, and accents unless `exact`. */
const keyOf = (word: string, exact: boolean): string => {
  const plain = /^\d{1,3}(?:,\d{3})+$/.test(word) ? word.replaceAll(",", "") : word
  return exact ? plain.toLowerCase() : plain.toLowerCase().normalize("NFKD").replaceAll(/\p{M}/gu, "")
}

const wordsOf = (text: string, exact: boolean): ReadonlyArray<Word> =>
  [...text.matchAll(exact ? fine : coarse)].map(({ 0: word, index }) => ({
    key: keyOf(word, exact),
    from: index,
    to: index + word.length
  }))

/** Options too common or too short to count wherever they occur. */
const common = new Set(["yes", "no", "maybe", "true", "false", "both", "none", "all", "either", "neither", "unknown"])
const isVague = (words: ReadonlyArray<string>): boolean =>
  words.length === 0 ||
  (words.length === 1 && (common.has(words[0]!) || words[0]!.length <= 2 || /^\d/.test(words[0]!)))

/** Options indexed by their words. */
export interface Options {
  readonly count: number
  readonly words: (text: string) => ReadonlyArray<Word>
  /** The option that consists of exactly these words; -1 if there is none. */
  readonly whole: (words: ReadonlyArray<Word>) => number
  /** The longest option that starts at a position, and the position after it. */
  readonly at: (
    words: ReadonlyArray<Word>,
    place: number
  ) => { readonly option: number; readonly next: number } | undefined
  /** Whether an option is recognised by a word that may mean something else. */
  readonly vague: (option: number) => boolean
}

/** Indexes options by their words; if these do not distinguish all options, signs and accents count too. */
export const optionsOf = (texts: ReadonlyArray<string>): Options => {
  const keys = (exact: boolean) => texts.map((text) => wordsOf(text, exact).map(({ key }) => key))
  const loose = keys(false)
  const distinct = new Set(loose.map((words) => words.join(" ")))
  const exact = distinct.size < texts.length || distinct.has("")
  const own = exact ? keys(true) : loose
  /** Different options with the same words can only be distinguished by their letters. */
  const alike = Map.groupBy(own.keys(), (i) => own[i]!.join(" "))
  const isClear = (i: number) => alike.get(own[i]!.join(" "))!.every((other) => texts[other] === texts[i])
  const order = [...own.keys()].filter((i) => own[i]!.length > 0 && isClear(i)).toSorted((a, b) =>
    own[b]!.length - own[a]!.length || a - b
  )
  const begins = (words: ReadonlyArray<Word>, place: number, option: number) =>
    own[option]!.every((key, i) => words[place + i]?.key === key)
  return {
    count: texts.length,
    words: (text) => wordsOf(text, exact),
    whole: (words) => order.find((i) => own[i]!.length === words.length && begins(words, 0, i)) ?? -1,
    at: (words, place) => {
      const option = order.find((i) => begins(words, place, i))
      return option === undefined ? undefined : { option, next: place + own[option]!.length }
    },
    vague: (option) => isVague(own[option]!)
  }
}

/** Non-overlapping options that occur in a text; vague ones are left out. */
export const mentions = (text: string, options: Options): ReadonlyArray<Mention> => {
  const words = options.words(text)
  const found: Array<Mention> = []
  for (let place = 0; place < words.length;) {
    const hit = options.at(words, place)
    if (hit && !options.vague(hit.option)) {
      found.push({ option: hit.option, from: words[place]!.from, to: words[hit.next - 1]!.to })
    }
    place = hit ? hit.next : place + 1
  }
  return found
}
