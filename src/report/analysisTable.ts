/** Analyses of readings of single passages as tables. */
import { markdown } from "../domain/textTable.ts"
import type { Alone, OnFirst } from "../domain/verdicts/analysis.ts"
import type { Analysed, Analysis } from "../programs/analysis/analyse.ts"
import { bounds, probability, share, signed } from "./compareTable.ts"

type Known = { readonly name: string; readonly alone: Alone }

const known = ({ alone, name }: Analysed): ReadonlyArray<Known> => alone === undefined ? [] : [{ name, alone }]

const value = (interval: Parameters<typeof bounds>[0] | null | undefined): ReadonlyArray<string> =>
  interval ? [share(interval.mean), bounds(interval)] : ["-", "-"]

const difference = (one: Parameters<typeof bounds>[0] | null | undefined): ReadonlyArray<string> =>
  one ? [signed(one.mean), bounds(one, signed)] : ["-", "-"]

const systemRow = ({ alone, name }: Known): ReadonlyArray<string> => [
  name,
  String(alone.passages),
  ...value(alone.accuracy),
  ...value(alone.inconsistent),
  ...value(alone.there),
  ...value(alone.oracle.at(-1)),
  ...value(alone.chance.at(-1)),
  ...difference(alone.gap)
]

const labelled = ({ alone }: Known): boolean => alone.label.length > 0

const systems = (all: ReadonlyArray<Known>): string =>
  markdown([
    [
      "system",
      "passages",
      "accuracy",
      "95%",
      "inconsistent",
      "95%",
      "accuracy there",
      "95%",
      "oracle",
      "95%",
      "by chance",
      "95%",
      "gap",
      "95%",
      ...all.some(labelled) ? ["label@k", "95%"] : []
    ],
    ...all.map((own) => [...systemRow(own), ...all.some(labelled) ? value(own.alone.label.at(-1)) : []])
  ])

const rerankers = (all: ReadonlyArray<Known>): string =>
  markdown([
    ["system", "reranker", "accuracy", "95%", "where inconsistent", "95%", "gap to the oracle", "95%"],
    ...all.flatMap(({ alone, name }) =>
      alone.rerankers.map((own) => [
        name,
        own.name,
        ...value(own.accuracy),
        ...value(own.there),
        ...difference(own.gap)
      ])
    )
  ])

const onFirst = ([first, ...others]: ReadonlyArray<OnFirst>): string =>
  markdown([
    [
      `on ${first!.questions} inconsistent answers of ${first!.name}`,
      "accuracy",
      "95%",
      "difference",
      "95%",
      "p",
      "p (Holm)"
    ],
    [first!.name, ...value(first!.accuracy), "-", "-", "-", "-"],
    ...others.map(({ accuracy, against, name }) => [
      name,
      ...value(accuracy),
      ...difference(against?.difference),
      probability(against?.permutation ?? null),
      probability(against?.holm ?? null)
    ])
  ])

const classifiers = ({ classifiers, systems: [first] }: Analysis): ReadonlyArray<string> =>
  classifiers.length === 0 ? [] : [
    markdown([
      ["classifier", "pictures", "C", "accuracy", "95%", `difference to ${first!.name}`, "95%", "p", "p (Holm)"],
      ...classifiers.map(({ C, accuracy, against, examples, name }) => [
        name,
        String(examples),
        String(C),
        ...value(accuracy),
        ...difference(against?.difference),
        probability(against?.permutation ?? null),
        probability(against?.holm ?? null)
      ])
    ])
  ]

/** What an oracle of two options is. */
export const BINARY =
  "All questions have two options: wherever passages disagree one is right, so the oracle is 1 - the share of "
  + "questions that all passages get wrong alike, and not what a choice could be expected to reach."

/** Tables of an analysis: of each system, of rerankers, and of all systems where the first one's passages disagree. */
export const analysisTable = (analysis: Analysis): string => {
  const all = analysis.systems.flatMap(known)
  const none = analysis.systems.filter(({ alone }) => alone === undefined).map(({ name }) => name)
  const { groups, questions } = all[0]!.alone
  return [
    `${questions} ${analysis.split} answers in ${groups} groups`,
    systems(all),
    rerankers(all),
    ...classifiers(analysis),
    ...(analysis.onFirst[0]?.questions ?? 0) > 0 ? [onFirst(analysis.onFirst)] : [],
    ...(all.some(({ alone }) => alone.binary) ? [BINARY] : []),
    ...(none.length > 0
      ? [`Not read by single passages, since they answer from none that were found: ${none.join(", ")}`]
      : [])
  ].join("\n\n")
}
