/** Mutated tokenizer files, and mutated files beside one, for tokenizerMutations.py: `node tokenizerMutations.ts COUNT SEED`. */
import * as fc from "fast-check"
import { isObject, of, textOf } from "../fuzz/edits/json.ts"
import { edited, edits } from "../fuzz/edits/mutations.ts"
import { configs, lines, tokenizers } from "../fuzz/inputs/tokenizers.ts"

const [count, seed] = process.argv.slice(2).map(Number) as [number, number]

/** `truncation` and `padding` have no effect here, and are not looked at closely. */
const files = fc.constantFrom(...Object.values(tokenizers)).chain((file) => {
  const base = of(file)
  return edits(base, ([first]) => first !== "truncation" && first !== "padding").map((all) => ({
    text: textOf(edited(base, all))
  }))
})

const folders = fc.constantFrom(...Object.values(configs)).chain(({ files, tokenizer }) => {
  const base = of(files)
  return edits(base, (path) => path.length > 1).map((all) => {
    const json = edited(base, all)
    const entries = isObject(json) ? json.entries : []
    return { tokenizer, files: Object.fromEntries(entries.map(([name, own]) => [JSON.parse(name), textOf(own)])) }
  })
})

const cases = [...fc.sample(files, { numRuns: count, seed }), ...fc.sample(folders, { numRuns: count, seed })]
const printed: ReadonlyArray<unknown> = [{ lines, tokenizers }, ...cases]
for (const one of printed.map((own) => JSON.stringify(own))) if (one.length < 6000) process.stdout.write(`${one}\n`)
