/** Chat templates and mutated ones, for templateMutations.py: `node templateMutations.ts COUNT SEED`. */
import * as fc from "fast-check"
import { mutated } from "../fuzz/edits/templates.ts"
import { chats, templates, tokens } from "../fuzz/inputs/templates.ts"

const [count, seed] = process.argv.slice(2).map(Number) as [number, number]
const whole = Object.values(templates).flatMap((template) => tokens.map((own) => ({ template, tokens: own })))
for (const one of [chats, ...whole, ...fc.sample(mutated, { numRuns: count, seed })]) {
  process.stdout.write(`${JSON.stringify(one)}\n`)
}
