/** Tokens that a text may not go on with, as Hugging Face's generate leaves them out. */

/** What may not be written; each is Hugging Face's of the same name. */
export interface Constraints {
  /** No run of so many tokens stands twice in the text, its prompt included; 0 for no such rule. */
  readonly no_repeat_ngram_size: number
  /** The text does not end before it has so many tokens, its prompt included. */
  readonly min_length: number
  /** It does not end before so many tokens are written. */
  readonly min_new_tokens: number
  /** Tokens that are never written. */
  readonly suppress_tokens: ReadonlyArray<number>
  /** Tokens that nothing that is written begins with. */
  readonly begin_suppress_tokens: ReadonlyArray<number>
  /** Runs of tokens that are never written. */
  readonly bad_words_ids: ReadonlyArray<ReadonlyArray<number>>
}

/** No constraint at all. */
export const unconstrained: Constraints = {
  no_repeat_ngram_size: 0,
  min_length: 0,
  min_new_tokens: 0,
  suppress_tokens: [],
  begin_suppress_tokens: [],
  bad_words_ids: []
}

/** Whether the tokens `text[from..]` begin with a run. */
const goesOn = (text: ReadonlyArray<number>, from: number, run: ReadonlyArray<number>): boolean =>
  run.every((id, i) => text[from + i] === id)

/** The tokens that followed the last n - 1 of a text wherever these stood before. */
const repeated = (text: ReadonlyArray<number>, n: number): ReadonlyArray<number> => {
  const end = text.length - (n - 1)
  if (n === 0 || end < 0) return []
  const last = text.slice(end)
  const found: Array<number> = []
  for (let i = 0; i < end; i++) if (goesOn(text, i, last)) found.push(text[i + n - 1]!)
  return found
}

/** The last tokens of the runs that a text is about to complete; an end by itself is always allowed. */
const completed = (text: ReadonlyArray<number>, runs: Constraints["bad_words_ids"], ends: ReadonlySet<number>) =>
  runs.filter((run) => !(run.length === 1 && ends.has(run[0]!)))
    .filter((run) => text.length >= run.length - 1 && goesOn(text, text.length - run.length + 1, run.slice(0, -1)))
    .map((run) => run.at(-1)!)

/**
 * Makes impossible what may not follow a text, of which the first `prompted` tokens are its prompt: the logits of these
 * tokens become -Infinity.
 */
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
