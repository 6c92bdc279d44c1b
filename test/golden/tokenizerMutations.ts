/** Mutated tokenizer files, one a line as JSON strings, for tokenizerMutations.py: `node tokenizerMutations.ts COUNT SEED`. */
import * as fc from "fast-check"
import { of, textOf } from "../fuzz/json.ts"
import { edited, edits } from "../fuzz/mutations.ts"
import { lines, tokenizers } from "../fuzz/tokenizers.ts"

/** `truncation` and `padding` have no effect here, and are not looked at closely. */
const [count, seed] = process.argv.slice(2).map(Number) as [number, number]
const texts = fc.constantFrom(...Object.values(tokenizers)).chain((file) => {
  const base = of(file)
  return edits(base, ([first]) => first !== "truncation" && first !== "padding").map((all) => textOf(edited(base, all)))
}).filter((text) => text.length < 5000)
process.stdout.write(`${JSON.stringify(lines)}\n`)
for (const text of fc.sample(texts, { numRuns: count, seed })) process.stdout.write(`${JSON.stringify(text)}\n`)
