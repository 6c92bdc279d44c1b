/** Ten thousand mutated inputs of all kinds, others every night: each is refused, or read as it says. */
import { assert, describe, it } from "vitest"
import { fuzz, kinds, shareOf } from "./fuzz.ts"

const CASES = 10_000
const SEED = Number(process.env["FUZZ_SEED"] ?? Math.floor(Date.now() / 86_400_000))

describe(`inputs of seed ${SEED}`, () => {
  it.each(kinds)("%s", { timeout: 3_600_000 }, async (kind) => {
    const { faults } = await fuzz(kind, { cases: shareOf(kind, CASES), seed: SEED })
    assert.deepStrictEqual(faults, [])
  })
})
