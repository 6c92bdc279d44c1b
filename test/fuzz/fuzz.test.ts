/** A thousand mutated inputs of all kinds: each is refused, or read as it says; and defects that are planted are found. */
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { fuzz, kinds, PATIENCE, shareOf } from "./fuzz.ts"

const [CASES, SEED] = [1000, 1]

describe("inputs", () => {
  it.each(kinds)("%s", { timeout: 300_000 }, async (kind) => {
    const cases = shareOf(kind, CASES)
    const { faults, verdicts } = await fuzz(kind, { cases, seed: SEED })
    assert.deepStrictEqual(faults, [])
    assert.isAtLeast(verdicts.refused + verdicts.changed + verdicts.same + verdicts.told, cases)
  })
})

/** What becomes of one condition of the program, what the fuzz tells of it, and its patience where that is put to the test. */
const defects = [
  ["is read though it contradicts itself", "false", /read, where/],
  ["ends in a stack trace", "before.size > 1", /no typed error: TypeError/],
  ["is read for ever", "(() => { while (before !== undefined); })()", /took more than 5000 ms/, 5000],
  ["takes all memory", "(() => { for (const all = []; ; ) all.push(Buffer.alloc(1e8, 1)) })()", /bytes of memory/]
] as const
const place = { PLANT_FILE: "src/datasets/qrels.ts", PLANT_FROM: "before !== undefined && before !== Number(score)" }

describe("a planted defect is found: an input", () => {
  it.each(defects)("%s", { timeout: 120_000 }, async (_, condition, message, patience: number = PATIENCE) => {
    const preload = { module: join(import.meta.dirname, "plant.ts"), environment: { ...place, PLANT_TO: condition } }
    const { faults } = await fuzz("qrels", { cases: 300, seed: SEED, patience, preload })
    assert.strictEqual(faults.length, 1)
    assert.match(faults[0]!, message)
    assert.match(faults[0]!, new RegExp(String.raw`node test/fuzz/child.ts qrels 300 ${SEED} [\d:]+$`))
  })
})
