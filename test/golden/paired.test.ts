/** Tests and agreement against scipy, statsmodels and scikit-learn (`paired.py`). */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { kappa } from "../../src/domain/statistics/agreement.ts"
import { holm, mcnemar, permutation } from "../../src/domain/statistics/paired.ts"

const golden = JSON.parse(readFileSync(join(import.meta.dirname, "paired.json"), "utf8")) as {
  readonly mcnemar: ReadonlyArray<{ readonly lost: number; readonly won: number; readonly p: number }>
  readonly permutation: ReadonlyArray<{ readonly values: ReadonlyArray<number>; readonly p: number }>
  readonly holm: ReadonlyArray<{ readonly ps: ReadonlyArray<number>; readonly adjusted: ReadonlyArray<number> }>
  readonly kappa: ReadonlyArray<
    & { readonly labels: ReadonlyArray<string>; readonly a: ReadonlyArray<string>; readonly b: ReadonlyArray<string> }
    & Readonly<Record<"none" | "linear" | "quadratic", number>>
  >
}

describe("statistics", () => {
  it.each(golden.mcnemar)("mcnemar of $lost and $won", ({ lost, p, won }) => {
    assert.closeTo(mcnemar(lost, won), p, 1e-9)
  })
  it.each(golden.permutation)("permutation of $values.length differences", ({ p, values }) => {
    assert.closeTo(permutation(values.map((value, i) => ({ group: String(i), value }))), p, 1e-12)
  })
  it.each(golden.holm)("holm of $ps.length p-values", ({ adjusted, ps }) => {
    holm(ps).forEach((p, i) => assert.closeTo(p, adjusted[i]!, 1e-12))
  })
  it.each(golden.kappa)("kappa of $a.length items", ({ a, b, labels, ...own }) => {
    for (const weights of ["none", "linear", "quadratic"] as const) {
      assert.closeTo(kappa(a, b, weights, labels)!, own[weights], 1e-12)
    }
  })
})
