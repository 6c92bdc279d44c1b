/**
 * Hard negatives: passages that rank high for a query and do not answer it. Names, defaults and rules are those of
 * sentence-transformers' `mine_hard_negatives` (6.2); ids, equal texts, answers and near duplicates are checked besides.
 */
import { normalise } from "../answers/correct.ts"
import * as Key from "../Key.ts"
import { jaccard } from "../texts/overlap.ts"
import { plain, shingles } from "./overlap.ts"

/** Which passages become negatives. */
export interface MiningOptions {
  /** Best ranks to pass over. */
  readonly range_min: number
  /** One past the last rank; `undefined` for what `rangeEnd` says. */
  readonly range_max: number | undefined
  readonly max_score: number | undefined
  readonly min_score: number | undefined
  /** Least distance from the score of the query's lowest positive. */
  readonly absolute_margin: number | undefined
  /** The same as a share of that score's absolute value. */
  readonly relative_margin: number | undefined
  readonly num_negatives: number
  /** The best of the range, or drawn uniformly from it. */
  readonly sampling_strategy: "top" | "random"
  /** Whether ranks are counted among the passages that pass all filters, or among all that the retriever found. */
  readonly rank_of: "survivors" | "raw"
  /** `absent`: passages that contain one of the query's answers are dropped. */
  readonly answer_text: "any" | "absent"
  /** Greatest Jaccard index of the five-word shingles of a negative and a positive. */
  readonly max_overlap: number
}

/** The defaults of sentence-transformers, and ours. */
export const defaults: MiningOptions = {
  range_min: 0,
  range_max: undefined,
  max_score: undefined,
  min_score: undefined,
  absolute_margin: undefined,
  relative_margin: undefined,
  num_negatives: 3,
  sampling_strategy: "top",
  rank_of: "survivors",
  answer_text: "any",
  max_overlap: 0.8
}

/** One past the last rank, where at most `positives` positives belong to a query: ten times as many under a filter. */
export const rangeEnd = (o: MiningOptions, positives: number): number => {
  if (o.range_max !== undefined) return o.range_max
  const filters = [o.absolute_margin, o.relative_margin, o.max_score].some((value) => value !== undefined)
  return o.range_min + positives + o.num_negatives * (filters || o.answer_text === "absent" ? 10 : 1)
}

/** Passages to retrieve for each query. */
export const depthOf = (o: MiningOptions, positives: number): number =>
  rangeEnd(o, positives) + (o.rank_of === "survivors" ? positives : 0)

/** What is wrong with the options, one sentence each. */
export const problemsOf = (o: MiningOptions, positives: number): ReadonlyArray<string> => {
  const end = rangeEnd(o, positives)
  return [
    !(o.num_negatives >= 1) && `num_negatives (${o.num_negatives}) must be at least 1`,
    !(o.range_min >= 0) && `range_min (${o.range_min}) must be at least 0`,
    o.range_min >= end && `range_min (${o.range_min}) must be less than range_max (${end})`,
    o.range_min < end && o.num_negatives > end - o.range_min
    && `num_negatives (${o.num_negatives}) exceeds the ${end - o.range_min} ranks of range_min (${o.range_min}) to `
      + `range_max (${end})`,
    o.relative_margin !== undefined && !(o.relative_margin >= 0 && o.relative_margin < 1)
    && `relative_margin (${o.relative_margin}) is a share, of at least 0 and less than 1`,
    o.absolute_margin !== undefined && !(o.absolute_margin >= 0)
    && `absolute_margin (${o.absolute_margin}) must be at least 0`,
    o.min_score !== undefined && o.max_score !== undefined && o.min_score > o.max_score
    && `min_score (${o.min_score}) exceeds max_score (${o.max_score})`,
    !(o.max_overlap >= 0 && o.max_overlap <= 1) && `max_overlap (${o.max_overlap}) must be from 0 to 1`
  ].filter((problem) => problem !== false)
}

/** Why a passage is no negative; the first that applies, in this order, is counted. */
export const reasons = [
  "range",
  "positive",
  "equals_positive",
  "equals_query",
  "no_match",
  "absolute_margin",
  "relative_margin",
  "max_score",
  "min_score",
  "answer_text",
  "near_duplicate",
  "repeated"
] as const
/** One of `reasons`. */
export type Reason = typeof reasons[number]

/** A retrieved passage. */
export interface Candidate {
  readonly row: number
  /** In float32. */
  readonly score: number
  readonly text: string
}

/** A query with what is known of it. */
export interface Asked {
  readonly query: string
  /** Rows and texts of its positives. */
  readonly positives: ReadonlySet<number>
  readonly texts: ReadonlyArray<string>
  /** The lowest score of a positive. */
  readonly score: number
  readonly answers: ReadonlyArray<string>
  /** Passages that score no more than this are none that the retriever found: 0 for BM25. */
  readonly floor?: number
}

type Refusal = readonly [reason: Reason, refuses: (candidate: Candidate) => boolean]

/** By score. Sums are rounded to float32, as the scores are. */
const byScore = (o: MiningOptions, { floor, score }: Asked): ReadonlyArray<Refusal> => {
  const f = Math.fround
  const { absolute_margin: absolute, max_score: most, min_score: least, relative_margin: relative } = o
  const limit = relative === undefined ? Infinity : f(score - f(Math.abs(score) * f(relative)))
  return [
    ["no_match", (c) => floor !== undefined && c.score <= floor],
    ["absolute_margin", (c) => absolute !== undefined && f(c.score + f(absolute)) > score],
    ["relative_margin", (c) => c.score > limit],
    ["max_score", (c) => most !== undefined && c.score > f(most)],
    ["min_score", (c) => least !== undefined && c.score < f(least)]
  ]
}

/** By text. */
const byText = (o: MiningOptions, asked: Asked): ReadonlyArray<Refusal> => {
  const answers = o.answer_text === "any" ? [] : asked.answers.map(normalise).filter((answer) => answer !== "")
  const own = asked.texts.map(shingles)
  const seen = new Set<string>()
  return [
    ["answer_text", ({ text }) => {
      const said = answers.length === 0 ? "" : ` ${normalise(text)} `
      return answers.some((answer) => said.includes(` ${answer} `))
    }],
    ["near_duplicate", ({ text }) => {
      const these = shingles(text)
      return own.some((positive) => jaccard(positive, these) > o.max_overlap)
    }],
    ["repeated", ({ text }) => {
      const before = seen.size
      return seen.add(plain(text)).size === before
    }]
  ]
}

const refusalsOf = (o: MiningOptions, asked: Asked): ReadonlyArray<Refusal> => {
  const [texts, query] = [new Set(asked.texts.map(plain)), plain(asked.query)]
  return [
    ["positive", ({ row }) => asked.positives.has(row)],
    ["equals_positive", ({ text }) => texts.has(plain(text))],
    ["equals_query", ({ text }) => plain(text) === query],
    ...byScore(o, asked),
    ...byText(o, asked)
  ]
}

/** The negatives of a query, best first, and how many candidates were dropped for each reason. */
export interface Chosen {
  readonly negatives: ReadonlyArray<Candidate>
  readonly dropped: ReadonlyMap<Reason, number>
}

/** So many of the candidates: the first, or some drawn under the key, in their order. */
const sampled = (o: MiningOptions, range: ReadonlyArray<Candidate>, key: Key.Key): ReadonlyArray<Candidate> => {
  if (o.sampling_strategy === "top") return range.slice(0, o.num_negatives)
  const drawn = Key.permutation(key, range.length).subarray(0, o.num_negatives).toSorted()
  return Array.from(drawn, (i) => range[i]!)
}

/** Chooses among candidates, best first, up to rank `end`; a random choice is made under the key. */
export const choose = (
  o: MiningOptions,
  asked: Asked,
  candidates: ReadonlyArray<Candidate>,
  end: number,
  key: Key.Key
): Chosen => {
  const dropped = new Map<Reason, number>()
  const drop = (reason: Reason) => void dropped.set(reason, (dropped.get(reason) ?? 0) + 1)
  const refusals = refusalsOf(o, asked)
  const [survivors, raw] = [new Array<Candidate>(), o.rank_of === "raw"]
  let rank = 0
  for (const candidate of raw ? candidates.slice(0, end) : candidates) {
    const reason = raw && rank++ < o.range_min ? "range" : refusals.find(([, refuses]) => refuses(candidate))?.[0]
    if (reason === undefined) survivors.push(candidate)
    else drop(reason)
  }
  if (raw) return { negatives: sampled(o, survivors, key), dropped }
  survivors.slice(0, o.range_min).forEach(() => drop("range"))
  return { negatives: sampled(o, survivors.slice(o.range_min, end), key), dropped }
}
