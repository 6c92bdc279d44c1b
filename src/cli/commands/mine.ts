/** Add hard negatives to questions. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type FormatName, formatNames } from "../../domain/mining/formats.ts"
import { defaults } from "../../domain/mining/negatives.ts"
import { mine } from "../../programs/mining/mine.ts"
import { splits } from "../../programs/prepare.ts"
import { minedTable } from "../../report/minedTable.ts"
import { runtime, settings, settle, tell } from "../command.ts"

const score = (name: string, description: string) =>
  Flag.Finite(name).pipe(Flag.withMetavar("score"), Flag.withDescription(description), Flag.optional)

const count = (name: string, description: string) =>
  Flag.Int(name).pipe(Flag.withMetavar("count"), Flag.withDescription(description))

const flags = {
  split: Flag.Literals("split", splits).pipe(
    Flag.withDescription("Questions of which split"),
    Flag.withDefault("train" as const)
  ),
  rangeMin: count("range-min", "Best ranks to pass over").pipe(Flag.withDefault(defaults.range_min)),
  rangeMax: count("range-max", "Last rank to take (default: as many as the filters are likely to need)").pipe(
    Flag.optional
  ),
  maxScore: score("max-score", "Greatest score of a negative"),
  minScore: score("min-score", "Least score of a negative"),
  absoluteMargin: score("absolute-margin", "Least distance below the score of the query's lowest positive"),
  relativeMargin: score("relative-margin", "The same as a share of that score, as 0.05"),
  numNegatives: count("num-negatives", "Negatives for each query").pipe(Flag.withDefault(defaults.num_negatives)),
  samplingStrategy: Flag.Literals("sampling-strategy", ["top", "random"]).pipe(
    Flag.withDescription("The best ones, or some drawn under the setting `seed`"),
    Flag.withDefault(defaults.sampling_strategy)
  ),
  rankOf: Flag.Literals("rank-of", ["survivors", "raw"]).pipe(
    Flag.withDescription("Count ranks among the passages that pass all filters, or among all that are found"),
    Flag.withDefault(defaults.rank_of)
  ),
  answerText: Flag.Literals("answer-text", ["any", "absent"]).pipe(
    Flag.withDescription("absent: drop passages that contain an answer of the question"),
    Flag.withDefault(defaults.answer_text)
  ),
  maxOverlap: Flag.Finite("max-overlap").pipe(
    Flag.withMetavar("share"),
    Flag.withDescription("Greatest overlap of a negative with a positive (Jaccard index of runs of five words)"),
    Flag.withDefault(defaults.max_overlap)
  ),
  outputFormat: Flag.Literals("output-format", formatNames as readonly [FormatName, ...ReadonlyArray<FormatName>]).pipe(
    Flag.withDescription("FlagEmbedding's records, or those of sentence-transformers"),
    Flag.withDefault("flag-embedding" as const)
  ),
  outputScores: Flag.Boolean("output-scores").pipe(
    Flag.withDescription("Scores in sentence-transformers' records, in place of labels"),
    Flag.withDefault(false)
  ),
  out: Flag.Path("out").pipe(
    Flag.withDescription("File to write (default: mined/SPLIT.jsonl in output_dir)"),
    Flag.optional
  )
}

export const mineCommand = Command.make(
  "mine",
  { ...settings, ...flags },
  Effect.fnUntraced(function*(given) {
    const o = Option.getOrUndefined
    const mined = yield* mine(yield* settle(given), {
      split: given.split,
      format: given.outputFormat,
      output_scores: given.outputScores,
      num_negatives: given.numNegatives,
      out: o(given.out),
      mining: {
        range_min: given.rangeMin,
        range_max: o(given.rangeMax),
        max_score: o(given.maxScore),
        min_score: o(given.minScore),
        absolute_margin: o(given.absoluteMargin),
        relative_margin: o(given.relativeMargin),
        num_negatives: given.numNegatives,
        sampling_strategy: given.samplingStrategy,
        rank_of: given.rankOf,
        answer_text: given.answerText,
        max_overlap: given.maxOverlap
      }
    })
    yield* tell(mined, minedTable)
  })
).pipe(
  Command.withDescription("Add hard negatives to the questions of a split, whose gold passages are known"),
  Command.provide(runtime)
)
