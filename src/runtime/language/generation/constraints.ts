/** Tokens excluded from generation, as in Hugging Face's `generate`. */

/** Constraints, with Hugging Face's names and meanings. */
export interface Constraints {
  /** No n-gram of this size repeats, prompt included; 0 for no limit. */
  readonly no_repeat_ngram_size: number
  /** No eos token before the text has this many tokens, prompt included. */
  readonly min_length: number
  /** No eos token before this many new tokens. */
  readonly min_new_tokens: number
  /** Tokens that are never generated. */
  readonly suppress_tokens: ReadonlyArray<number>
  /** Tokens that are never generated first. */
  readonly begin_suppress_tokens: ReadonlyArray<number>
  /** Token sequences that are never generated. */
  readonly bad_words_ids: ReadonlyArray<ReadonlyArray<number>>
}

/** No constraints. */
export const unconstrained: Constraints = {
  no_repeat_ngram_size: 0,
  min_length: 0,
  min_new_tokens: 0,
  suppress_tokens: [],
  begin_suppress_tokens: [],
  bad_words_ids: []
}

/** Whether `text[from..]` starts with a token sequence. */
const goesOn = (text: ReadonlyArray<number>, from: number, run: ReadonlyArray<number>): boolean =>
  run.every((id, i) => text[from + i] === id)

/** The tokens that followed earlier occurrences of the text's last n - 1 tokens. */
const repeated = (text: ReadonlyArray<number>, n: number): ReadonlyArray<number> => {
  const end = text.length - (n - 1)
  if (n === 0 || end < 0) return []
  const last = text.slice(end)
  const found: Array<number> = []
  for (let i = 0; i < end; i++) if (goesOn(text, i, last)) found.push(text[i + n - 1]!)
  return found
}

/** Last tokens of the sequences that the text is about to complete; a single eos token is always allowed. */
const completed = (text: ReadonlyArray<number>, runs: Constraints["bad_words_ids"], ends: ReadonlySet<number>) =>
  runs.filter((run) => !(run.length === 1 && ends.has(run[0]!)))
    .filter((run) => text.length >= run.length - 1 && goesOn(text, text.length - run.length + 1, run.slice(0, -1)))
    .map((run) => run.at(-1)!)

/** Sets the logits of excluded tokens to -Infinity; the first `prompted` tokens of `text` are the prompt. */
export const constrain = (
  logits: Float32Array,
  text: ReadonlyArray<number>,
  prompted: number,
  ends: ReadonlySet<number>,
  c: Constraints
): void => {
  const tooEarly = text.length < c.min_length || text.length - prompted < c.min_new_tokens
  const barred = [
    ...repeated(text, c.no_repeat_ngram_size),
    ...completed(text, c.bad_words_ids, ends),
    ...(tooEarly ? ends : []),
    ...c.suppress_tokens,
    ...(text.length === prompted ? c.begin_suppress_tokens : [])
  ]
  for (const id of barred) if (id < logits.length) logits[id] = -Infinity
}
