/** What keeps the questions of a split from being learned from, or from being judged. */
import { isAnswered, type QuestionRecord, type Split } from "../domain/records/Records.ts"
import type { RunConfig } from "../domain/settings/RunConfig.ts"
import type { Corpus } from "../runtime/ports/Corpus.ts"
import { modeOf, systemOf } from "../systems/all.ts"

/** Names the modes that evaluate only the ranking, as a hint. */
const ranking = (c: RunConfig): string => {
  const names = Object.entries(systemOf(c).spec.modes).filter(([, { reader }]) => reader === "none").map(([name]) =>
    name
  )
  return names.length === 0 ? "" : `; mode ${names.join(", ")} judges the ranking alone`
}

/** What the questions of a split's file lack for their purpose. */
export const lacking = (
  c: RunConfig,
  split: Split,
  file: string,
  passages: Corpus["Service"],
  records: ReadonlyArray<QuestionRecord>
): ReadonlyArray<string> => {
  const lost = records.filter((q) => [...q.gold, ...q.negatives ?? []].some((id) => passages.row(id) < 0))
  const bare = records.filter((q) => q.gold.length === 0)
  const mute = records.filter((q) => !isAnswered(q))
  const { needsGold, traits } = modeOf(c)
  const gold = split === "train" ? needsGold.studied : needsGold.judged
  const from = `holdout (${c.holdout}) of the groups of ${file}`
  return [
    records.length === 0
    && (split === "train"
      ? `no question is left to learn from: ${from} takes all`
      : `no question is held out: ${from} takes none`),
    lost.length > 0 &&
    `${lost.length} questions name ${
      lost.some((q) => q.gold.some((id) => passages.row(id) < 0)) ? "gold passages" : "negatives"
    } that ${c.passages_file} lacks (first: ${lost[0]!.id})`,
    ...modeOf(c).lacks?.(records, split) ?? [],
    gold && bare.length > 0
    && `mode ${c.mode} needs the gold passage of every question; ${bare.length} have none (first: ${bare[0]!.id})`,
    traits.questions === "given" && traits.reader !== "none" && mute.length > 0
    && `${mute.length} questions of ${file} have no answer to ${split === "train" ? "learn" : "be judged by"} `
      + `(first: ${mute[0]!.id})${split !== "train" && mute.some((q) => q.gold.length > 0) ? ranking(c) : ""}`
  ].filter((problem) => problem !== false)
}
