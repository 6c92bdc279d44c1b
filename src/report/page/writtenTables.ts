/** The tables of a report on written answers: what they say that stands in none of their passages, and how people rate them. */
import type { Counted } from "../../domain/concepts/support.ts"
import type { Hallucinated } from "../../programs/analysis/hallucinated.ts"
import type { Report } from "../../programs/reporting/collect.ts"
import { columnsOf, fields } from "./intervals.ts"
import { count, pValue, signed, three, two } from "./numbers.ts"
import { number, type Table, text } from "./table.ts"

const answers = ({ hallucinations }: Report): Table => ({
  id: "written-answers",
  title: "What written answers rest on",
  about:
    "By anamnesis hallucinations. Of answers with words of their own: those with a concept that stands in no passage, question or right "
    + "answer; and those with a statement that their passages do not say, by a judge. Judgements that could not be read do not count.",
  rows: hallucinations.map(({ answers, groups, name, silent, unparsed, withConcept, withStatement }) => ({
    arm: name,
    written: answers,
    notWritten: silent,
    groups,
    ...fields("withConcept", withConcept),
    ...fields("withStatement", withStatement),
    unparsed
  })),
  columns: [
    text<any>("arm", ({ arm }) => arm),
    number<any>("written", ({ written }) => count(written)),
    number<any>("not written", ({ notWritten }) => count(notWritten)),
    ...columnsOf("with a concept of nowhere", "withConcept"),
    ...columnsOf("with a statement not supported", "withStatement"),
    number<any>("judgements unread", ({ unparsed }) => count(unparsed))
  ]
})

const kinds: ReadonlyArray<readonly [string, (own: Hallucinated) => ReadonlyArray<Counted>]> = [
  ["concepts, by where they stand", ({ concepts }) => concepts],
  ["concepts of nowhere, by type", ({ types }) => types],
  ["statements, by judgement", ({ statements }) => statements]
]

const contents = ({ hallucinations }: Report): Table => ({
  id: "written-contents",
  title: "Concepts and statements of written answers",
  about:
    "Shares of all concepts, or of all statements that were judged, of all answers; intervals: bootstrap over groups of questions.",
  rows: kinds.flatMap(([kind, of]) =>
    hallucinations.flatMap((own) =>
      of(own).map(({ count, name, share }) =>
        Object.assign({ arm: own.name, kind, name, count }, fields("share", share))
      )
    )
  ),
  columns: [
    text<any>("arm", ({ arm }) => arm),
    text<any>("what", ({ kind }) => kind),
    text<any>("which", ({ name }) => name),
    number<any>("count", (row) => count(row.count)),
    ...columnsOf("share", "share")
  ]
})

const ratings = ({ ratings }: Report): Table => ({
  id: "ratings",
  title: "Ratings of answers",
  about:
    "By anamnesis ratings read, from 1 (wrong) to 5 (an expert would accept it). Systems are named as in the sheets; differences are from "
    + "the first of a sheet, over questions of which both answers were rated; p is not corrected for several raters or systems.",
  rows: ratings.flatMap(({ systems }, sheet) =>
    systems.map(({ against, items, mean, rater, system }) => ({
      system,
      rater,
      sheet: sheet + 1,
      items,
      ...fields("rating", mean),
      ...fields("difference", against),
      p: against?.p ?? null
    }))
  ),
  columns: [
    text<any>("system", ({ system }) => system),
    text<any>("rater", ({ rater }) => rater),
    number<any>("items", ({ items }) => count(items)),
    ...columnsOf("mean", "rating", two),
    ...columnsOf("difference", "difference", signed),
    number<any>("p", ({ p }) => pValue(p))
  ]
})

const raters = ({ ratings }: Report): Table => ({
  id: "raters",
  title: "Agreement of raters",
  about:
    "Items that both rated: alike, at most one step apart, and Cohen's kappa, plain and with disagreements weighted by their distance "
    + "or its square. Items without a rating, and with one that is none from 1 to 5, are counted under the rater.",
  rows: ratings.flatMap(({ agreements, flaws }, sheet) => [
    ...agreements.map(({ items, linear, near, plain, quadratic, raters, same }) => ({
      raters: raters.join(", "),
      sheet: sheet + 1,
      items,
      same,
      near,
      kappa: plain,
      linear,
      quadratic,
      unrated: null
    })),
    ...flaws.filter(({ missing, outside }) => missing.length + outside.length > 0).map((
      { missing, outside, rater }
    ) => ({
      raters: rater,
      sheet: sheet + 1,
      items: null,
      same: null,
      near: null,
      kappa: null,
      linear: null,
      quadratic: null,
      unrated: missing.length + outside.length
    }))
  ]),
  columns: [
    text<any>("raters", ({ raters }) => raters),
    number<any>("items", ({ items }) => count(items)),
    number<any>("alike", ({ same }) => three(same)),
    number<any>("within 1", ({ near }) => three(near)),
    number<any>("kappa", ({ kappa }) => three(kappa)),
    number<any>("linear", ({ linear }) => three(linear)),
    number<any>("quadratic", ({ quadratic }) => three(quadratic)),
    number<any>("without a rating", ({ unrated }) => count(unrated))
  ]
})

/** The tables, of which those without rows are not shown. */
export const writtenTables = [answers, contents, ratings, raters]
