/** Trains a WordPiece vocabulary on texts, and writes it as a `tokenizer.json` for Hugging Face libraries. */
import { Fields } from "./fields.ts"
import { readNormalizer } from "./normalizers.ts"
import { readPreTokenizer } from "./preTokenizers.ts"

/** Options of a vocabulary. */
export interface VocabularyOptions {
  readonly size: number
  /** Minimum count of a word or piece. */
  readonly minCount: number
  /**
   * How words outside the vocabulary are spelled: in pieces, merged by frequency as in BPE, or in single characters,
   * which a reader can copy one by one.
   */
  readonly rest: "pieces" | "characters"
  readonly special: ReadonlyArray<string>
}

const PREFIX = "##"

const normalizer = {
  type: "BertNormalizer",
  clean_text: true,
  handle_chinese_chars: true,
  strip_accents: true,
  lowercase: true
}
const preTokenizer = { type: "BertPreTokenizer" }

const normalize = readNormalizer(new Fields(normalizer, "normalizer"))
const split = readPreTokenizer(new Fields(preTokenizer, "pre_tokenizer"))

/**
 * BERT's basic tokenisation: lowercase, accents stripped, split at whitespace and around punctuation and Chinese
 * characters.
 */
export const basicWords = (text: string): ReadonlyArray<string> =>
  split({ parts: [normalize(text.toWellFormed(), 0)[0]], heads: [] }).parts.map(String)

const countWords = (texts: Iterable<string>): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const text of texts) for (const word of basicWords(text)) counts.set(word, (counts.get(word) ?? 0) + 1)
  return counts
}

const spelled = (word: string): Array<string> => [...word].map((c, i) => i === 0 ? c : PREFIX + c)
const joined = (a: string, b: string): string => a + b.slice(PREFIX.length)

/** Descending by count, then ascending by text, for a deterministic order. */
const byCount = ([a, n]: readonly [string, number], [b, m]: readonly [string, number]): number =>
  m - n || (a < b ? -1 : 1)

interface Word {
  readonly count: number
  pieces: Array<string>
}

/** Counts pairs of adjacent pieces, and indexes words by them. */
class Pairs {
  readonly counts = new Map<string, number>()
  private readonly holders = new Map<string, Set<Word>>()
  constructor(words: ReadonlyArray<Word>) {
    for (const word of words) this.add(word, 1)
  }
  private add(word: Word, sign: 1 | -1): void {
    for (let i = 0; i + 1 < word.pieces.length; i++) {
      const pair = `${word.pieces[i]} ${word.pieces[i + 1]}`
      this.counts.set(pair, (this.counts.get(pair) ?? 0) + sign * word.count)
      const holders = this.holders.get(pair) ?? new Set()
      this.holders.set(pair, holders.add(word))
    }
  }
  best(): readonly [string, number] | undefined {
    let best: readonly [string, number] | undefined
    for (const entry of this.counts) if (best === undefined || byCount(entry, best) < 0) best = entry
    return best
  }
  merge(pair: string): string {
    const [left, right] = pair.split(" ") as [string, string]
    const piece = joined(left, right)
    for (const word of this.holders.get(pair) ?? []) {
      this.add(word, -1)
      const merged: Array<string> = []
      for (const p of word.pieces) {
        if (merged.at(-1) === left && p === right) merged[merged.length - 1] = piece
        else merged.push(p)
      }
      word.pieces = merged
      this.add(word, 1)
    }
    this.counts.delete(pair)
    this.holders.delete(pair)
    return piece
  }
}

const mergedPieces = (counts: ReadonlyMap<string, number>, room: number, minCount: number): ReadonlyArray<string> => {
  const words = [...counts].map(([word, count]) => ({ count, pieces: spelled(word) }))
  const pairs = new Pairs(words)
  const found = new Set<string>()
  while (found.size < room) {
    const best = pairs.best()
    if (best === undefined || best[1] < minCount) break
    found.add(pairs.merge(best[0]))
  }
  return [...found]
}

/** Tokens in id order: special tokens, characters, then words or pieces. */
export const vocabulary = (texts: Iterable<string>, options: VocabularyOptions): ReadonlyArray<string> => {
  const { minCount, rest, size, special } = options
  const counts = countWords(texts)
  const characters = [...new Set([...counts.keys()].flatMap(spelled))].toSorted()
  const base = new Set([...special, ...characters])
  const room = size - base.size
  const words = rest === "pieces"
    ? mergedPieces(counts, room, minCount)
    : [...counts].filter(([, n]) => n >= minCount).toSorted(byCount).map(([word]) => word).filter((w) => !base.has(w))
      .slice(0, Math.max(0, room))
  return [...base, ...words]
}

/** Puts [CLS] and [SEP] around texts, if the vocabulary has them. */
const around = (tokens: ReadonlyArray<string>) => {
  const [cls, sep] = ["[CLS]", "[SEP]"].map((token) => [token, tokens.indexOf(token)] as const)
  return cls![1] < 0 || sep![1] < 0 ? null : { type: "BertProcessing", cls, sep }
}

/** The `tokenizer.json` of a vocabulary. */
export const tokenizerJson = (
  tokens: ReadonlyArray<string>,
  special: ReadonlyArray<string>,
  unknown: string
): object => ({
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: special.map((content) => ({
    id: tokens.indexOf(content),
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true
  })),
  normalizer,
  pre_tokenizer: preTokenizer,
  post_processor: around(tokens),
  decoder: { type: "WordPiece", prefix: PREFIX, cleanup: true },
  model: {
    type: "WordPiece",
    unk_token: unknown,
    continuing_subword_prefix: PREFIX,
    max_input_chars_per_word: 100,
    vocab: Object.fromEntries(tokens.map((token, id) => [token, id]))
  }
})

/** Special tokens of a retriever's vocabulary. */
export const retrieverSpecial = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]", "[unused1]"] as const
/** Special tokens of a reader's vocabulary. */
export const readerSpecial = ["<pad>", "<unk>", "<s>", "</s>"] as const
