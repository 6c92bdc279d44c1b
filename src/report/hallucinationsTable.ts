/** What written answers say that stands in none of their passages, as tables. */
import type { Counted } from "../domain/concepts/support.ts"
import { markdown } from "../domain/textTable.ts"
import type { Hallucinated } from "../programs/analysis/hallucinated.ts"
import { bounds, share } from "./compareTable.ts"

/** Types of concepts that are shown; the others are counted. */
const MOST_TYPES = 10

const systems = (all: ReadonlyArray<Hallucinated>): string =>
  markdown([
    [
      "system",
      "written",
      "not written",
      "groups",
      "with a concept of nowhere",
      "95%",
      "with a statement not supported",
      "95%"
    ],
    ...all.map(({ answers, groups, name, silent, withConcept, withStatement }) => [
      name,
      String(answers),
      String(silent),
      String(groups),
      share(withConcept?.mean ?? null),
      withConcept ? bounds(withConcept) : "-",
      share(withStatement?.mean ?? null),
      withStatement ? bounds(withStatement) : "-"
    ])
  ])

const counts = (
  what: string,
  all: ReadonlyArray<Hallucinated>,
  of: (own: Hallucinated) => ReadonlyArray<Counted>
): ReadonlyArray<string> => {
  const rows = all.flatMap((own) =>
    of(own).map((
      { count, name, share: interval }
    ) => [own.name, name, String(count), share(interval.mean), bounds(interval)])
  )
  return rows.length === 0 ? [] : [markdown([["system", what, "count", "share", "95%"], ...rows])]
}

/** Tables of all systems. */
export const hallucinationsTable = (all: ReadonlyArray<Hallucinated>): string => {
  const more = Math.max(0, ...all.map(({ types }) => types.length - MOST_TYPES))
  const lost = all.filter(({ unparsed }) => unparsed > 0)
  return [
    systems(all),
    ...counts("concepts that stand in", all, ({ concepts }) => concepts),
    ...counts("concepts of nowhere, by type", all, ({ types }) => types.slice(0, MOST_TYPES)),
    ...more > 0 ? [`${more} more types of a system are not shown`] : [],
    ...counts("statements", all, ({ statements }) => statements),
    ...lost.map(({ name, unparsed }) =>
      `${name}: the judge gave no judgement of ${unparsed} statements, which do not count`
    )
  ].join("\n\n")
}
