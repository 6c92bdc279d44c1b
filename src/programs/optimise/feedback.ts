/** What is told of a question to the model that rewrites its prompt. */
import { cut } from "../../domain/brief.ts"
import type { Judged } from "../../domain/judge.ts"
import type { QuestionRecord } from "../../domain/records/Records.ts"
import type { Metric } from "./tunable.ts"

/** Passages shown, and characters of each. */
const [FOUND, WIDTH] = [5, 160]

/** The text of a passage, by id. */
export type Texts = ReadonlyMap<string, string>

/** Ids whose texts are needed. */
export const shownOf = ({ found, gold }: Judged): ReadonlyArray<string> => [
  ...found.slice(0, FOUND).map(([id]) => id),
  ...gold
]

const passage = (texts: Texts, id: string): string =>
  `[${id}] ${cut((texts.get(id) ?? "").replace(/\s+/g, " "), WIDTH)}`

const ranks = ({ found, gold }: Judged, texts: Texts): ReadonlyArray<string> =>
  gold.map((id) => {
    const rank = found.findIndex(([own]) => own === id) + 1
    return `Right passage, ${rank === 0 ? "not found" : `found at rank ${rank}`}: ${passage(texts, id)}`
  })

const answered = ({ prediction, written }: Judged): string =>
  prediction !== "" ? prediction : written !== "" ? `none that can be told from: ${cut(written, 400)}` : "none"

/** A score from 0 to 1; what has none counts as 0. */
export const scoreOf = (judged: Judged, metric: Metric): number =>
  (metric === "accuracy" ? judged.correct : judged.ndcg) ?? 0

/** One question's part of the reflection. */
export const feedbackOf = (
  { options, question }: QuestionRecord,
  judged: Judged,
  texts: Texts,
  metric: Metric
): string =>
  [
    `Question: ${cut(question, 1000)}`,
    ...(options.length > 0 ? [`Options: ${options.join(" | ")}`] : []),
    ...judged.found.slice(0, FOUND).map(([id], i) => `Found at rank ${i + 1}: ${passage(texts, id)}`),
    ...(metric === "ndcg" ? ranks(judged, texts) : [
      `Answer: ${answered(judged)}`,
      `Right answer: ${judged.answers.join(" | ")}`
    ]),
    `Score: ${scoreOf(judged, metric).toFixed(2)}`
  ].join("\n")
