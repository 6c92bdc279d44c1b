/** The next token from its logits, as Hugging Face's generate chooses it. */

/** How a token is chosen; each is Hugging Face's of the same name. */
export interface Sampling {
  /** Draw, instead of taking the likeliest. */
  readonly do_sample: boolean
  /** Logits are divided by it before a draw. */
  readonly temperature: number
  /** Draw from so many likeliest tokens; 0 for all. */
  readonly top_k: number
  /** Draw from the likeliest tokens that together are so likely. */
  readonly top_p: number
  /** Draw from tokens that are at least so likely, as a share of the likeliest one's probability. */
  readonly min_p: number
  /** Makes tokens of the text so far less likely: positive logits are divided by it, others multiplied. */
  readonly repetition_penalty: number
}

/** The place of the greatest; the first of those that tie. */
const greatest = (logits: Float32Array): number => {
  let best = 0
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i
  return best
}

/** Places by logit, greatest first, as far as they are asked for: a heap that is emptied. */
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

/** The `k` greatest and those that tie with the last of them. */
const topK = (logits: Float32Array, k: number): ReadonlyArray<number> => {
  const kept: Array<number> = []
  for (const i of descending(logits)) {
    if (kept.length >= k && logits[i]! < logits[kept.at(-1)!]!) break
    kept.push(i)
  }
  return kept
}

/** exp(x - greatest) of the logits at some places, or of all. */
const masses = (logits: Float32Array, places: Iterable<number>, temperature: number): Float64Array => {
  const top = logits[greatest(logits)]!
  return Float64Array.from(places, (i) => Math.exp((logits[i]! - top) / temperature))
}

const total = (values: Float64Array): number => values.reduce((a, b) => a + b, 0)

/** Places, likeliest first, as long as those before are together less likely than `p`. */
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

/** Tokens that may be drawn by `top_k` and `top_p`: `undefined` for all. */
const likeliest = (logits: Float32Array, sampling: Sampling): ReadonlyArray<number> | undefined => {
  const { temperature, top_k, top_p } = sampling
  const first = top_k > 0 && top_k < logits.length ? topK(logits, top_k) : undefined
  if (top_p >= 1) return first
  const whole = total(masses(logits, first ?? logits.keys(), temperature))
  return topP(logits, first ?? descending(logits), whole, sampling)
}

/** Tokens that may be drawn: `undefined` for all. */
const candidates = (logits: Float32Array, sampling: Sampling): ReadonlyArray<number> | undefined => {
  const kept = likeliest(logits, sampling)
  if (sampling.min_p === 0) return kept
  const places = kept ?? [...logits.keys()]
  const mass = masses(logits, places, sampling.temperature)
  return places.filter((_, i) => mass[i]! >= sampling.min_p)
}

/** Why no token can be chosen: logits that are no numbers, or that leave none; `undefined` where one can. */
export const unusable = (logits: Float32Array): string | undefined => {
  let possible = false
  for (let i = 0; i < logits.length; i++) {
    const logit = logits[i]!
    if (logit !== logit || logit === Infinity) return `the logit of token ${i} is ${logit}`
    possible ||= logit > -Infinity
  }
  return possible ? undefined : "no token is left to go on with"
}

/** The place at which the sum of masses passes the share `u` of their total. */
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

/** The next token of a text of tokens `text`, whose logits are overwritten; `u` is uniform on [0, 1). */
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
