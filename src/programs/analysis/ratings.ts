/** Program: sheets for people to rate answers, without saying whose they are; and what raters found. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { basename } from "node:path"
import { csvRecords } from "../../datasets/benchmarks/csv.ts"
import { spread } from "../../datasets/splits.ts"
import { brief } from "../../domain/brief.ts"
import { besideSheet } from "../../domain/fileNames.ts"
import * as Key from "../../domain/Key.ts"
import { withOptions } from "../../domain/records/options.ts"
import type { Split } from "../../domain/records/Records.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import type { Raw } from "../../domain/settings/RunConfig.ts"
import {
  agreements,
  type Item,
  type PairAgreement,
  type RatedSystem,
  ratedSystems,
  type Rater,
  scale
} from "../../domain/statistics/ratings.ts"
import { csv } from "../../domain/texts/csv.ts"
import { decodeFile, exists, replace } from "../../runtime/files/disk.ts"
import { judgedScores } from "../benchmarks/generative/judging.ts"
import type { Judge } from "../benchmarks/generative/outside.ts"
import { type Compared, sameName } from "../evaluation/compare.ts"
import { json } from "../run.ts"
import { answerGiven, passagesOf } from "./answers.ts"
import { open } from "./system.ts"

/** How a sheet is made. */
export interface SheetOptions {
  readonly split: Split
  readonly out: string
  /** Most questions, taken at even distances; all if `undefined`. */
  readonly questions: number | undefined
  /** The order of items is drawn under it. */
  readonly seed: number
  readonly overrides: Raw
}

/** What lies beside a sheet. */
const Sheet = Schema.Struct({
  split: Schema.String,
  seed: Schema.Int,
  systems: Schema.Array(Schema.String),
  items: Schema.Array(Schema.Struct({
    item: Schema.String,
    system: Schema.String,
    question: Schema.String,
    group: Schema.String,
    /** What was asked, answered, and is right; for judges. */
    asked: Schema.String,
    answer: Schema.String,
    reference: Schema.String
  }))
})
type Sheet = typeof Sheet.Type

const rubric = `# How to rate

Rate each answer in the column \`rating\` with one whole number. The items are in random order, and do not tell what wrote an answer.

| rating | meaning |
|---|---|
| 1 | wrong, harmful, or no answer to what was asked |
| 2 | mostly wrong, or the main point is missing |
| 3 | partly right: the main point is there, with errors or gaps that matter |
| 4 | right, with small gaps or inaccuracies |
| 5 | right and complete: an expert would accept it |

- Judge by what you know and can look up; the passages are what the answer was written from, and may be wrong or beside the point.
- Length and style do not matter by themselves.
- Leave the rating empty where you cannot judge. Notes go into \`comment\`.
- Do not change the column \`item\`. Rows may be sorted and columns added.
`

/** The answers of a run to some of its questions, with the texts that a rater sees. */
const itemsOf = Effect.fnUntraced(
  function*(name: string, folder: string, o: SheetOptions) {
    const run = yield* open(folder, o.split, o.overrides)
    const chosen = o.questions === undefined
      ? run.records
      : spread(run.records, Math.min(o.questions, run.records.length))
    return yield* Effect.forEach(
      chosen,
      Effect.fnUntraced(function*({ explanation = "", id, options, question }) {
        const judged = run.judged.get(id)!
        return {
          system: name,
          question: id,
          group: judged.group,
          asked: withOptions(question, options),
          answer: answerGiven(judged) || "(no answer)",
          reference: [judged.answers[0] ?? "", explanation].filter((text) => text !== "").join("\n"),
          passages: (yield* passagesOf(run, judged)).map((text, i) => `${i + 1}. ${text}`).join("\n\n")
        }
      })
    )
  },
  Effect.scoped
)

/** Writes a sheet, its key and its rubric; refuses to write over a sheet that may have ratings. */
export const exportRatings = Effect.fn("exportRatings")(function*(systems: ReadonlyArray<Compared>, o: SheetOptions) {
  const fail = (...problems: ReadonlyArray<string>) => new ConfigError({ source: "ratings export", problems })
  const names = systems.map(({ name }) => name)
  const twice = sameName(names)
  const seeds = systems.find(({ folders }) => folders.length !== 1)
  if (twice !== false) return yield* fail(twice)
  if (seeds !== undefined) {
    return yield* fail(`${seeds.name} has ${seeds.folders.length} folders; a sheet is of one run each`)
  }
  if (yield* exists(o.out)) return yield* fail(`${o.out} is there already, and may have ratings; choose another file`)
  const all = (yield* Effect.forEach(systems, ({ folders, name }) => itemsOf(name, folders[0]!, o))).flat()
  const order = Key.permutation(Key.fold(Key.make(o.seed), "ratings"), all.length)
  const digits = String(all.length).length
  const items = Array.from(order, (at, i) => ({ item: String(i + 1).padStart(digits, "0"), ...all[at]! }))
  const rows = items.map(({ answer, asked, item, passages }) => ({
    item,
    rating: null,
    comment: null,
    question: asked,
    answer,
    passages
  }))
  const key: Sheet = {
    split: o.split,
    seed: o.seed,
    systems: names,
    items: items.map(({ passages: _, ...own }) => own)
  }
  yield* replace(besideSheet.key(o.out), json(key))
  yield* replace(besideSheet.rubric(o.out), new TextEncoder().encode(rubric))
  yield* replace(o.out, new TextEncoder().encode(`\uFEFF${csv(rows)}`))
  return { sheet: o.out, key: besideSheet.key(o.out), rubric: besideSheet.rubric(o.out), items: items.length }
})

/** What is wrong with a rater's sheet: ids of items. */
export interface Flaws {
  readonly rater: string
  /** Without a rating, or without a row. */
  readonly missing: ReadonlyArray<string>
  /** With a rating that is none of the scale. */
  readonly outside: ReadonlyArray<string>
  /** Rows of no item of the key, and of items that have one already. */
  readonly unknown: ReadonlyArray<string>
  readonly twice: ReadonlyArray<string>
}

/** What raters found. */
export interface Rated {
  readonly items: number
  readonly agreements: ReadonlyArray<PairAgreement>
  readonly systems: ReadonlyArray<RatedSystem>
  readonly flaws: ReadonlyArray<Flaws>
}

/** Spreadsheets write 4 as 4.0, and drop zeros in front of ids. */
const ratingOf = (value: unknown): number | undefined => {
  const text = String(value ?? "").trim().replace(/[.,]0+$/, "")
  return (scale as ReadonlyArray<string>).includes(text) ? Number(text) : undefined
}
const bare = (item: unknown): string => String(item ?? "").trim().replace(/^0+(?=\d)/, "")

/** A rater's ratings, and what is wrong with the sheet. */
const raterOf = Effect.fnUntraced(function*(name: string, path: string, items: ReadonlyArray<Item>) {
  const rows = yield* csvRecords(path)
  const lacks = ["item", "rating"].find((column) => rows[0] !== undefined && !(column in rows[0]))
  if (lacks !== undefined) {
    return yield* new ConfigError({
      source: path,
      problems: [`has no column ${lacks}; there are ${Object.keys(rows[0]!).join(", ")}`]
    })
  }
  const known = new Map(items.map(({ item }) => [bare(item), item]))
  const [ratings, seen] = [new Map<string, number>(), new Set<string>()]
  const [outside, unknown, twice] = [new Array<string>(), new Array<string>(), new Array<string>()]
  for (const row of rows) {
    const item = known.get(bare(row["item"]))
    if (item === undefined) unknown.push(brief(String(row["item"])))
    else if (seen.has(item)) twice.push(item)
    else {
      seen.add(item)
      const rating = ratingOf(row["rating"])
      if (rating !== undefined) ratings.set(item, rating)
      else if (String(row["rating"] ?? "").trim() !== "") outside.push(`${item} (${brief(String(row["rating"]))})`)
    }
  }
  const given = new Set(outside.map((own) => own.split(" ")[0]!))
  const missing = items.filter(({ item }) => !ratings.has(item) && !given.has(item)).map(({ item }) => item)
  const flaws: Flaws = { rater: name, missing, outside, unknown, twice }
  return { rater: { name, ratings } satisfies Rater as Rater, flaws }
})

/** A judge's scores of the items that have a right answer to compare with. */
const judgeOf = Effect.fnUntraced(function*({ items }: Sheet, judge: Judge) {
  const known = items.filter(({ reference }) => reference !== "")
  const asked = known.map(({ answer, asked, reference }) => ({ question: asked, reference, answer }))
  const scores = yield* Effect.provide(judgedScores(asked), judge.layer, { local: true })
  const found = known.flatMap(({ item }, i) => scores[i] === null ? [] : [[item, scores[i]!] as const])
  const lost = items.length - found.length
  if (lost > 0) {
    yield* Effect.logWarning(`the judge gave no score to ${lost} of ${items.length} items, which do not count`)
  }
  return { name: "judge", ratings: new Map(found) } satisfies Rater as Rater
})

/** Reads sheets, a rater each (`NAME=FILE`, or the file's name), with the key of the sheet that they were given. */
export const readRatings = Effect.fn("readRatings")(
  function*(files: ReadonlyArray<string>, keyFile: string | undefined, judge: Judge | undefined) {
    const named = files.map((own) => {
      const at = own.indexOf("=")
      return at < 0
        ? { name: basename(own).replace(/\.[^.]*$/, ""), path: own }
        : { name: own.slice(0, at), path: own.slice(at + 1) }
    })
    const fail = (problem: string) => new ConfigError({ source: "ratings read", problems: [problem] })
    const twice = named.find(({ name }, i) => named.findIndex((other) => other.name === name) < i)
    if (twice !== undefined) return yield* fail(`two raters are named ${twice.name}; give names as NAME=FILE`)
    if (named.length === 0 && (keyFile === undefined || judge === undefined)) {
      return yield* fail("give sheets with ratings, or --key and a judge alone (--judge-endpoint, --judge-reader)")
    }
    const path = keyFile ?? besideSheet.key(named[0]!.path)
    if (!(yield* exists(path))) {
      return yield* fail(`there is no ${path}; --key names the file that was written with the sheet`)
    }
    const sheet = yield* decodeFile(path, Schema.decodeUnknownEffect(Sheet))
    const read = yield* Effect.forEach(named, ({ name, path }) => raterOf(name, path, sheet.items))
    const raters = [...read.map(({ rater }) => rater), ...judge ? [yield* judgeOf(sheet, judge)] : []]
    return {
      items: sheet.items.length,
      agreements: agreements(raters),
      systems: ratedSystems(sheet.systems, sheet.items, raters),
      flaws: read.map(({ flaws }) => flaws)
    } satisfies Rated as Rated
  }
)
