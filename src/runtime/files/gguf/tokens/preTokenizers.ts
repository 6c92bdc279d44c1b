/** Pre-tokenizers of byte-level BPE by the names that GGUF files have for them, as `tokenizer.json` states them. */

type Json = Readonly<Record<string, unknown>>

/** How a byte-level BPE splits a text before it merges bytes. */
export interface PreTokenizer {
  readonly normalizer: Json | null
  readonly pre_tokenizer: Json
  /** Whether a word that is a token as a whole is not taken apart. */
  readonly ignore_merges: boolean
  /** Whether a text begins with the bos token if the file does not say. */
  readonly add_bos: boolean
}

const byteLevel = (use_regex: boolean): Json => ({
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: true,
  use_regex
})

const sequence = (...pretokenizers: ReadonlyArray<Json>): Json => ({ type: "Sequence", pretokenizers })

const split = (pattern: string): Json =>
  sequence({ type: "Split", pattern: { Regex: pattern }, behavior: "Isolated", invert: false }, byteLevel(false))

const contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
const spaces = "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
const marks = (after: string) => ` ?[^\\s\\p{L}\\p{N}]+[\\r\\n${after}]*`
const words = "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"

/** Letters with digits in runs of up to so many. */
const plain = (digits: string): string => [contractions, words, digits, marks(""), spaces].join("|")

const [upper, lower] = ["[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]", "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"]
/** Words that begin anew at a capital letter. */
const cased = (digits: string, after: string): string =>
  [
    `[^\\r\\n\\p{L}\\p{N}]?${upper}*${lower}+${after}`,
    `[^\\r\\n\\p{L}\\p{N}]?${upper}+${lower}*${after}`,
    digits,
    marks("/"),
    spaces
  ].join("|")

const usual = { normalizer: null, ignore_merges: false, add_bos: false }
const single: PreTokenizer = {
  ...usual,
  pre_tokenizer: sequence({ type: "Digits", individual_digits: true }, byteLevel(true))
}
const llama3: PreTokenizer = {
  ...usual,
  pre_tokenizer: split(plain("\\p{N}{1,3}")),
  ignore_merges: true,
  add_bos: true
}
const dbrx: PreTokenizer = { ...llama3, ignore_merges: false, add_bos: false }

/** Those that are known, by `tokenizer.ggml.pre`; of several names for one, the first is the one that is written. */
export const preTokenizers: ReadonlyMap<string, PreTokenizer> = new Map([
  ["gpt-2", { ...usual, pre_tokenizer: byteLevel(true) }],
  ["smollm", single],
  ["starcoder", single],
  ["refact", single],
  ["llama-bpe", llama3],
  ["llama3", llama3],
  ["llama-v3", llama3],
  ["qwen2", { ...usual, normalizer: { type: "NFC" }, pre_tokenizer: split(plain("\\p{N}")) }],
  ["dbrx", dbrx],
  ["smaug-bpe", dbrx],
  ["tekken", { ...usual, pre_tokenizer: split(cased("\\p{N}", "")), ignore_merges: true, add_bos: true }],
  ["gpt-4o", { ...usual, pre_tokenizer: split(cased("\\p{N}{1,3}", `${contractions}?`)) }]
])
