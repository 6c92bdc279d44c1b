/** Mutated config.json of the checkpoints in architectures/, for configMutations.py: `node configMutations.ts COUNT SEED`. */
import * as fc from "fast-check"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { of, textOf } from "../fuzz/json.ts"
import { edited, edits } from "../fuzz/mutations.ts"

const [count, seed] = process.argv.slice(2).map(Number) as [number, number]

const folders = [
  "llama",
  "llama-biases",
  "llama-llama3",
  "llama-yarn",
  "mistral",
  "qwen2-windows",
  "qwen3",
  "phi3-longrope",
  "gemma",
  "gemma3",
  "bert",
  "modernbert"
]
/** Keys that say nothing of what is computed, in any of these architectures. */
const idle = new Set(["architectures", "transformers_version", "dtype", "use_cache", "id2label", "label2id"])

const cases = fc.constantFrom(...folders).chain((folder) => {
  const base = of(JSON.parse(readFileSync(join(import.meta.dirname, "architectures", folder, "config.json"), "utf8")))
  const where = ([key]: ReadonlyArray<string | number>) => !idle.has(String(key))
  return edits(base, where).map((all) => ({ folder, text: textOf(edited(base, all)) }))
})
for (const one of fc.sample(cases, { numRuns: count, seed }).map((own) => JSON.stringify(own))) {
  if (one.length < 6000) process.stdout.write(`${one}\n`)
}
