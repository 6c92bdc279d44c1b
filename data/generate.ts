/**
 * Writes the world of `diseases.jsonl`: `node data/generate.ts`, or `--check` to compare it with the files that are there.
 *
 * Every choice is made under a key folded from the seed, the disease, the facet and the purpose, so that a change of one
 * row leaves the sentences of the others as they are.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { make } from "../src/domain/Key.ts"
import { type Disease, loadDiseases } from "./facts.ts"
import { passages } from "./passages.ts"
import { questions, splitOf, splits } from "./questions.ts"

export const seed = make(20)

const directory = new URL("world/", import.meta.url)

const jsonl = (rows: ReadonlyArray<object>): string => rows.map((row) => `${JSON.stringify(row)}\n`).join("")

/** The files of the world by name. */
export const world = (diseases: ReadonlyArray<Disease>): ReadonlyMap<string, string> => {
  const texts = passages(seed, diseases)
  const all = questions(seed, diseases, texts)
  return new Map([
    ["passages.jsonl", jsonl(texts)],
    ...splits.map((split) =>
      [`questions.${split}.jsonl`, jsonl(all.filter(({ group }) => splitOf(seed, group) === split))] as const
    )
  ])
}

export const committed = (name: string): string => {
  try {
    return readFileSync(new URL(name, directory), "utf8")
  } catch {
    return ""
  }
}

const main = (check: boolean): void => {
  const stale = [...world(loadDiseases())].filter(([name, text]) => committed(name) !== text)
  if (!check) mkdirSync(directory, { recursive: true })
  for (const [name, text] of stale) {
    process.stdout.write(`${check ? "differs" : "wrote"} ${name}\n`)
    if (!check) writeFileSync(new URL(name, directory), text)
  }
  process.exitCode = check && stale.length > 0 ? 1 : 0
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.includes("--check"))
