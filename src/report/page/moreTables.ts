/** The tables of a report that say what single passages lead to, what passages do, and how classes are predicted. */
import type { Comparison } from "../../domain/Metric.ts"
import type { Report } from "../../programs/reporting/collect.ts"
import { BINARY } from "../analysisTable.ts"
import { columnsOf, fields } from "./intervals.ts"
import { count, points, pValue, three } from "./numbers.ts"
import { number, type Table, text } from "./table.ts"
import { writtenTables } from "./writtenTables.ts"

const single = ({ alone: { arms } }: Report): Table => ({
  id: "single-passages",
  title: "Single passages",
  about:
    "Each question read again with each of its first passages alone. Inconsistent: these lead to different answers (no answer is one "
    + "of them). Oracle: one of them leads to the right answer; by chance: one of as many random passages does. Gap: what the best choice "
    + `among the passages would add to the arm's own answers. Label@k, of captions that are labels: the share of these passages whose label `
    + `is the question's.${arms.some(({ binary }) => binary) ? ` ${BINARY}` : ""}`,
  rows: arms.map(({ accuracy, arm, chance, gap, inconsistent, label, oracle, passages, questions, seeds, there }) => ({
    arm,
    seeds: seeds.join(" "),
    answers: questions,
    passages,
    ...fields("accuracy", accuracy),
    ...fields("inconsistent", inconsistent),
    ...fields("accuracyThere", there),
    ...fields("oracle", oracle.at(-1)),
    ...fields("chance", chance.at(-1)),
    ...fields("gap", gap),
    ...fields("label", label.at(-1))
  })),
  columns: [
    text<any>("arm", ({ arm }) => arm),
    number<any>("answers", ({ answers }) => count(answers)),
    number<any>("passages", ({ passages }) => count(passages)),
    ...columnsOf("inconsistent", "inconsistent"),
    ...columnsOf("accuracy there", "accuracyThere"),
    ...columnsOf("oracle", "oracle"),
    ...columnsOf("by chance", "chance"),
    ...columnsOf("gap", "gap", points),
    ...(arms.some(({ label }) => label.length > 0) ? columnsOf("label@k", "label") : [])
  ]
})

const oracle = ({ alone: { arms } }: Report): Table => ({
  id: "oracle",
  title: "Oracle over k",
  about: "Share of questions on which one of the first k passages, or of k random ones, leads to the right answer.",
  rows: arms.flatMap(({ arm, chance, oracle }) =>
    [["found", oracle] as const, ["random", chance] as const].flatMap(([passages, own]) =>
      own.map((interval, i) => ({ arm, passages, k: i + 1, ...fields("share", interval) }))
    )
  ),
  columns: []
})

const rerankers = ({ alone: { arms } }: Report): Table => ({
  id: "rerankers",
  title: "Rerankers of single passages",
  about:
    "Answers that go by one passage: that of highest score, that which the reader is surest of, the answer of most passages, the "
    + "choice of a judge, or without a reader the label that most captions name, weighted by score (copy). Gap: what the best choice would add.",
  rows: arms.flatMap(({ arm, rerankers }) =>
    rerankers.map(({ accuracy, gap, name, there }) => ({
      arm,
      reranker: name,
      ...fields("accuracy", accuracy),
      ...fields("accuracyThere", there),
      ...fields("gap", gap)
    }))
  ),
  columns: [
    text<any>("arm", ({ arm }) => arm),
    text<any>("reranker", ({ reranker }) => reranker),
    ...columnsOf("accuracy", "accuracy"),
    ...columnsOf("where inconsistent", "accuracyThere"),
    ...columnsOf("gap", "gap", points)
  ]
})

const differenceOf = (difference: Comparison | undefined) => fields("difference", difference)

const onBase = ({ alone: { onBase }, base }: Report): Table => ({
  id: "inconsistent-questions",
  title: `Where single passages of ${base} disagree`,
  about:
    `All arms on the questions on which single passages lead ${base} to different answers. Differences are from ${base}; intervals: `
    + "bootstrap over groups; p: permutation test of whole groups; p (Holm): corrected over the arms.",
  rows: onBase.map(({ accuracy, against, name, questions }) => ({
    arm: name,
    answers: questions,
    ...fields("accuracy", accuracy),
    ...differenceOf(against?.difference),
    p: against?.permutation ?? null,
    pHolm: against?.holm ?? null
  })),
  columns: [
    text<any>("arm", ({ arm }) => arm),
    number<any>("answers", ({ answers }) => count(answers)),
    ...columnsOf("accuracy", "accuracy"),
    ...columnsOf("difference", "difference", points),
    number<any>("p", ({ p }) => pValue(p)),
    number<any>("p (Holm)", ({ pHolm }) => pValue(pHolm))
  ]
})

const classes = ({ classified }: Report): Table => ({
  id: "classes",
  title: "Classes",
  about:
    "Of questions that all have the same options: means over the right classes of F1 and of the share that is found (balanced "
    + "accuracy); no answer is a wrong one. AUC, of two classes: how probably the second is likelier where it is right.",
  rows: classified.map(({ arm, auc, balanced, classes, macroF1, questions }) => ({
    arm,
    answers: questions,
    classes: classes.join(" | "),
    ...fields("macroF1", macroF1),
    ...fields("balanced", balanced),
    ...fields("auc", auc)
  })),
  columns: [
    text<any>("arm", ({ arm }) => arm),
    number<any>("answers", ({ answers }) => count(answers)),
    text<any>("classes", ({ classes }) => classes),
    ...columnsOf("macro F1", "macroF1", three),
    ...columnsOf("balanced accuracy", "balanced"),
    ...columnsOf("AUC", "auc", three)
  ]
})

const influence = ({ influences }: Report): Table => ({
  id: "influence",
  title: "What passages do to the right answer",
  about:
    "By how much a passage that the reader was given raises the log-likelihood of the right answer, in nats per token: by itself, "
    + "against no passage; and beside the other passages, against these. Below 0 it makes the answer less likely.",
  rows: influences.map(({ alone, arm, beside, kind, passages }) => ({
    arm,
    kind,
    passages,
    ...fields("alone", alone),
    ...fields("beside", beside)
  })),
  columns: [
    text<any>("arm", ({ arm }) => arm),
    text<any>("passages", ({ kind }) => kind === "gold" ? "gold" : "others"),
    number<any>("count", ({ passages }) => count(passages)),
    ...columnsOf("by itself", "alone", three),
    ...columnsOf("beside the others", "beside", three)
  ]
})

/** The tables, of which those without rows are not shown. */
export const moreTables = [classes, single, onBase, rerankers, influence, oracle, ...writtenTables]
