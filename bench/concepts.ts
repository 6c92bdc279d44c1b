/**
 * How well names of concepts are found in texts: precision and recall of the concept matcher on a corpus of mentions.
 *
 *     node bench/concepts.ts VOCABULARY.jsonl.gz MENTIONS.jsonl [--split test] [--types disease,symptom] [--exclude disease]
 *
 * Lines of mentions have `title`, `abstract`, `split` and `mentions`, each with `start` and `end` in title, blank and abstract.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { load, type LoadOptions, usual } from "../src/datasets/vocabulary/vocabulary.ts"
import type { Mention } from "../src/domain/concepts/matcher.ts"

type Span = Pick<Mention, "start" | "end">
interface Annotated {
  readonly split: string
  readonly title: string
  readonly abstract: string
  readonly mentions: ReadonlyArray<Span>
}

const equal = (a: Span) => (b: Span): boolean => a.start === b.start && a.end === b.end
const overlaps = (a: Span) => (b: Span): boolean => a.start < b.end && b.start < a.end
const share = (part: number, whole: number): number => Math.round(1e4 * part / whole) / 1e4

/** Shares of found mentions that are annotated (precision), and of annotated ones that are found (recall). */
export const measure = Effect.fnUntraced(function*(
  vocabulary: string,
  corpus: string,
  split: string,
  { exclude, types }: Pick<LoadOptions, "exclude" | "types">
) {
  const began = performance.now()
  const matcher = yield* load(vocabulary, { ...usual, types, exclude, stopWords: [] })
  const loaded = performance.now()
  const rows = readFileSync(corpus, "utf8").split("\n").filter((line) => line !== "").map((line) =>
    JSON.parse(line) as Annotated
  ).filter((row) => row.split === split)
  let [exact, overlapping, precise, found, gold, ambiguous] = [0, 0, 0, 0, 0, 0]
  for (const { abstract, mentions, title } of rows) {
    const own = matcher.find(`${title} ${abstract}`)
    found += own.length
    gold += mentions.length
    ambiguous += own.filter(({ concepts }) => concepts.length > 1).length
    exact += mentions.filter((mention) => own.some(equal(mention))).length
    overlapping += mentions.filter((mention) => own.some(overlaps(mention))).length
    precise += own.filter((mention) => mentions.some(overlaps(mention))).length
  }
  return {
    texts: rows.length,
    annotated: gold,
    found,
    ambiguous,
    strict: { precision: share(exact, found), recall: share(exact, gold) },
    overlap: { precision: share(precise, found), recall: share(overlapping, gold) },
    vocabulary: matcher.counts(),
    seconds: { load: (loaded - began) / 1000, find: (performance.now() - loaded) / 1000 }
  }
})

if (import.meta.main) {
  const { positionals: [vocabulary, corpus], values } = parseArgs({
    allowPositionals: true,
    options: {
      split: { type: "string", default: "test" },
      types: { type: "string", default: "" },
      exclude: { type: "string", default: "" }
    }
  })
  const listed = (text: string) => text.split(",").filter((own) => own !== "")
  const options = { types: listed(values.types), exclude: listed(values.exclude) }
  const told = await Effect.runPromise(
    measure(vocabulary!, corpus!, values.split, options).pipe(Effect.provide(NodeFileSystem.layer))
  )
  process.stdout.write(`${JSON.stringify(told, null, 2)}\n`)
}
