/** Chooses the next token from its logits, like Hugging Face's `generate`. */

/** Sampling parameters, with Hugging Face's names and meanings. */
export interface Sampling {
  /** Sample instead of greedy decoding. */
  readonly do_sample: boolean
  /** Logits are divided by it before sampling. */
  readonly temperature: number
  /** Sample from the `top_k` most likely tokens; 0 for all. */
  readonly top_k: number
  /** Sample from the smallest set of most likely tokens whose total probability is at least `top_p`. */
  readonly top_p: number
  /** Sample from tokens with at least `min_p` times the highest probability. */
  readonly min_p: number
  /** Penalises tokens already in the text: positive logits are divided by it, negative ones multiplied. */
  readonly repetition_penalty: number
}

/** Greedy decoding of the logits as they are. */
export const greedy: Sampling = {
  do_sample: false,
  temperature: 1,
  top_k: 0,
  top_p: 1,
  min_p: 0,
  repetition_penalty: 1
}

/** Argmax; the first of ties. */
export const greatest = (logits: Float32Array): number => {
  let best = 0
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i
  return best
}

/** Token ids by descending logit, lazily, from a heap. */
function* descending(logits: Float32Array): Generator<number> {
  const heap = new Int32Array(logits.length).map((_, i) => i)
  const sink = (from: number, size: number): void => {
    const moved = heap[from]!
    let at = from
    for (let child = 2 * at + 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && logits[heap[child + 1]!]! > logits[heap[child]!]!) child++
      if (logits[heap[child]!]! <= logits[moved]!) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = moved
  }
  for (let i = heap.length >> 1; i >= 0; i--) sink(i, heap.length)
  for (let size = heap.length; size > 0; size--) {
    yield heap[0]!
    heap[0] = heap[size - 1]!
    sink(0, size - 1)
  }
}

/** The `k` largest, and any that tie with the last of them. */
const topK = (logits: Float32Array, k: number): ReadonlyArray<number> => {
  const kept: Array<number> = []
  for (const i of descending(logits)) {
    if (kept.length >= k && logits[i]! < logits[kept.at(-1)!]!) break
    kept.push(i)
  }
  return kept
}

/** Unnormalised probabilities of the tokens in `places`: exp((x - max) / temperature). */
const masses = (logits: Float32Array, places: Iterable<number>, temperature: number): Float64Array => {
  const top = logits[greatest(logits)]!
  return Float64Array.from(places, (i) => Math.exp((logits[i]! - top) / temperature))
}

const total = (values: Float64Array): number => values.reduce((a, b) => a + b, 0)

/** The most likely tokens, while the probability of those before is less than `top_p`. */
const topP = (logits: Float32Array, places: Iterable<number>, whole: number, { temperature, top_p }: Sampling) => {
  const top = logits[greatest(logits)]!
  const kept: Array<number> = []
  let before = 0
  for (const i of places) {
    if (kept.length > 0 && before >= top_p * whole) break
    kept.push(i)
    before += Math.exp((logits[i]! - top) / temperature)
  }
  return kept
}

/** Tokens left by `top_k` and `top_p`; `undefined` for all. */
const likeliest = (logits: Float32Array, sampling: Sampling): ReadonlyArray<number> | undefined => {
  const { temperature, top_k, top_p } = sampling
  const first = top_k > 0 && top_k < logits.length ? topK(logits, top_k) : undefined
  if (top_p >= 1) return first
  const whole = total(masses(logits, first ?? logits.keys(), temperature))
  return topP(logits, first ?? descending(logits), whole, sampling)
}

/** Tokens that may be sampled; `undefined` for all. */
const candidates = (logits: Float32Array, sampling: Sampling): ReadonlyArray<number> | undefined => {
  const kept = likeliest(logits, sampling)
  if (sampling.min_p === 0) return kept
  const places = kept ?? [...logits.keys()]
  const mass = masses(logits, places, sampling.temperature)
  return places.filter((_, i) => mass[i]! >= sampling.min_p)
}

/** Why no token can be chosen: a logit is NaN or Infinity, or all are -Infinity; `undefined` if one can. */
export const unusable = (logits: Float32Array): string | undefined => {
  let possible = false
  for (let i = 0; i < logits.length; i++) {
    const logit = logits[i]!
    if (logit !== logit || logit === Infinity) return `the logit of token ${i} is ${logit}`
    possible ||= logit > -Infinity
  }
  return possible ? undefined : "no token is left to go on with"
}

/** Inverse transform sampling: the index at which the cumulative mass exceeds `u` times the total. */
const drawn = (mass: Float64Array, u: number): number => {
  let rest = u * total(mass)
  let last = 0
  for (let i = 0; i < mass.length; i++) {
    if (mass[i] === 0) continue
    last = i
    rest -= mass[i]!
    if (rest < 0) return i
  }
  return last
}

/** The next token after the tokens `text`; overwrites the logits. `u` is uniform on [0, 1). */
export const choose = (
  logits: Float32Array,
  text: ReadonlyArray<number>,
  sampling: Sampling,
  u: () => number
): number => {
  const { do_sample, repetition_penalty, temperature } = sampling
  if (repetition_penalty !== 1) {
    for (const id of new Set(text)) logits[id]! *= logits[id]! < 0 ? repetition_penalty : 1 / repetition_penalty
  }
  if (!do_sample) return greatest(logits)
  const places = candidates(logits, sampling)
  const at = drawn(masses(logits, places ?? logits.keys(), temperature), u())
  return places?.[at] ?? at
}
