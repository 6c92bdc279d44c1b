/** Whether what an answer says stands in its passages: concepts by a vocabulary, statements by a judge. */
import * as Metric from "../Metric.ts"
import type { Mention } from "./matcher.ts"

/** Where a concept of an answer stands, the first that holds: in a passage read, in the question, in a right answer, or in none. */
export const places = ["passages", "question", "answer", "nowhere"] as const
/** One of `places`. */
export type Place = typeof places[number]

/** A concept of an answer. */
export interface Said {
  /** As it stands in the answer. */
  readonly name: string
  /** All that the name may stand for. */
  readonly concepts: ReadonlyArray<string>
  readonly place: Place
}

/** An answer with what it may rest on. */
export interface Texts {
  readonly text: string
  readonly passages: ReadonlyArray<string>
  readonly question: string
  readonly answers: ReadonlyArray<string>
}

/** The distinct concepts of an answer; of an ambiguous name, it is enough that one meaning stands elsewhere. */
export const conceptsOf = (find: (text: string) => ReadonlyArray<Mention>, own: Texts): ReadonlyArray<Said> => {
  const knownIn = (texts: ReadonlyArray<string>) =>
    new Set(texts.flatMap((text) => find(text).flatMap((m) => m.concepts)))
  const known = { passages: knownIn(own.passages), question: knownIn([own.question]), answer: knownIn(own.answers) }
  const distinct = new Map<string, Mention>()
  for (const mention of find(own.text)) {
    const key = mention.concepts.toSorted().join("\n")
    if (!distinct.has(key)) distinct.set(key, mention)
  }
  return [...distinct.values()].map(({ concepts, end, start }) => ({
    name: own.text.slice(start, end),
    concepts,
    place: places.find((place) => place === "nowhere" || concepts.some((concept) => known[place].has(concept)))!
  }))
}

/** What a judge says of a statement, given the passages: they say it, they deny it, or they do not tell. */
export const judgements = ["supported", "contradicted", "absent"] as const
/** One of `judgements`; `unparsed` where the judge's answer could not be read, or it refused. */
export type Judgement = typeof judgements[number] | "unparsed"

/** What was found of an answer. */
export interface Checked {
  readonly group: string
  /** `undefined` without a vocabulary. */
  readonly concepts: ReadonlyArray<Said> | undefined
  /** `undefined` without a judge. */
  readonly statements: ReadonlyArray<{ readonly text: string; readonly judgement: Judgement }> | undefined
}

/** A count, its share of all, and its interval. */
export interface Counted {
  readonly name: string
  readonly count: number
  readonly share: Metric.Interval
}

/** Counts of items by a label, as shares of all items of all answers; intervals by a bootstrap over groups of questions. */
const counted = (
  answers: ReadonlyArray<{ readonly group: string; readonly labels: ReadonlyArray<string> }>,
  names: ReadonlyArray<string>
): ReadonlyArray<Counted> => {
  const known = answers.filter(({ labels }) => labels.length > 0)
  return names.flatMap((name) => {
    const items = known.map(({ group, labels }) => ({
      group,
      value: { part: labels.filter((own) => own === name).length, whole: labels.length }
    }))
    const share = Metric.intervalBy(
      items,
      (all) => all.reduce((sum, { part }) => sum + part, 0) / all.reduce((sum, { whole }) => sum + whole, 0)
    )
    return share === null ? [] : [{ name, count: items.reduce((sum, { value }) => sum + value.part, 0), share }]
  })
}

/** Figures of answers. */
export interface SupportFigures {
  readonly answers: number
  readonly groups: number
  /** Concepts by the place where they stand; empty without a vocabulary, or if there is none in any answer. */
  readonly concepts: ReadonlyArray<Counted>
  /** Those of them that stand nowhere, by type of concept, the most frequent first; shares are of all concepts. */
  readonly types: ReadonlyArray<Counted>
  /** Statements by judgement, those that could be read; empty without a judge. */
  readonly statements: ReadonlyArray<Counted>
  /** Answers with a concept that stands nowhere, and with a statement that the passages do not say. */
  readonly withConcept: Metric.Interval | null
  readonly withStatement: Metric.Interval | null
  /** Statements whose judgement could not be read. */
  readonly unparsed: number
}

const NO_TYPE = "(no type)"

const shareWith = (all: ReadonlyArray<{ readonly group: string; readonly value: boolean }>) =>
  Metric.interval(all.map(({ group, value }) => ({ group, value: value ? 1 : 0 })))

/** Figures of all answers; `typeOf` tells the type of a concept. */
export const supportFigures = (
  checked: ReadonlyArray<Checked>,
  typeOf: (concept: string) => string | undefined
): SupportFigures => {
  const said = checked.flatMap(({ concepts, group }) => concepts === undefined ? [] : [{ group, concepts }])
  const stated = checked.flatMap(({ group, statements }) =>
    statements === undefined ? [] : [{ group, read: statements.filter(({ judgement }) => judgement !== "unparsed") }]
  )
  const label = ({ concepts, place }: Said) =>
    place === "nowhere" ? concepts.map(typeOf).find((type) => type !== undefined) ?? NO_TYPE : ""
  const typed = said.map(({ concepts, group }) => ({ group, labels: concepts.map(label) }))
  const types = [...new Set(typed.flatMap(({ labels }) => labels))].filter((name) => name !== "")
  return {
    answers: checked.length,
    groups: new Set(checked.map(({ group }) => group)).size,
    concepts: counted(
      said.map(({ concepts, group }) => ({ group, labels: concepts.map(({ place }) => place) })),
      places
    ),
    types: counted(typed, types).toSorted((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1)),
    statements: counted(
      stated.map(({ group, read }) => ({ group, labels: read.map(({ judgement }) => judgement) })),
      judgements
    ),
    withConcept: shareWith(
      said.map(({ concepts, group }) => ({ group, value: concepts.some(({ place }) => place === "nowhere") }))
    ),
    withStatement: shareWith(
      stated.filter(({ read }) => read.length > 0).map(({ group, read }) => ({
        group,
        value: read.some(({ judgement }) => judgement !== "supported")
      }))
    ),
    unparsed: checked.reduce(
      (sum, { statements = [] }) => sum + statements.filter(({ judgement }) => judgement === "unparsed").length,
      0
    )
  }
}
