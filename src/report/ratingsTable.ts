/** What raters found, as tables. */
import { several } from "../domain/brief.ts"
import { markdown } from "../domain/textTable.ts"
import type { Flaws, Rated } from "../programs/analysis/ratings.ts"
import { bounds, probability, share, signed } from "./compareTable.ts"

const agreement = ({ agreements }: Rated): ReadonlyArray<string> =>
  agreements.length === 0 ? [] : [
    markdown([
      ["raters", "items", "same", "within 1", "kappa", "linear", "quadratic"],
      ...agreements.map(({ items, linear, near, plain, quadratic, raters, same }) => [
        raters.join(", "),
        String(items),
        ...[same, near, plain, linear, quadratic].map(share)
      ])
    ])
  ]

const systems = ({ systems }: Rated): string =>
  markdown([
    ["rater", "system", "items", "mean", "95%", "difference", "95%", "p"],
    ...systems.map(({ against, items, mean, rater, system }) => [
      rater,
      system,
      String(items),
      mean.mean.toFixed(2),
      bounds(mean, (value) => value?.toFixed(2) ?? "-"),
      signed(against?.mean ?? null),
      against ? bounds(against, signed) : "-",
      probability(against?.p ?? null)
    ])
  ])

const flawed = ({ missing, outside, rater, twice, unknown }: Flaws): ReadonlyArray<string> =>
  ([
    [missing, "have no rating"],
    [outside, "have a rating that is none from 1 to 5, which does not count"],
    [unknown, "are of no item of the sheet, and do not count"],
    [twice, "have more than one row, of which the first counts"]
  ] as const).flatMap(([items, what]) =>
    items.length === 0 ? [] : [`${rater}: ${items.length} items ${what}: ${several(items).join(", ")}`]
  )

/** Agreement of raters, means of systems, and what was wrong with sheets. */
export const ratingsTable = (rated: Rated): string =>
  [`${rated.items} items`, ...agreement(rated), systems(rated), ...rated.flaws.flatMap(flawed)].join("\n\n")
