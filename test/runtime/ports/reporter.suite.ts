/** What every reporter owes: it takes whatever a task tells of itself, and fails none for it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as fc from "fast-check"
import { Reporter } from "../../../src/runtime/ports/Reporter.ts"

const number = fc.oneof(fc.nat(), fc.constantFrom(0, 1, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e308))
const progress = fc.record({
  task: fc.string(),
  done: number,
  total: number,
  seconds: number,
  start: number,
  unit: fc.string(),
  each: number,
  figures: fc.dictionary(fc.string(), number),
  every: number
})

/** `written` gives what was written, if the reporter writes. */
export const reporterSuite = (name: string, layer: Layer.Layer<Reporter>, written: () => string) =>
  describe(`a reporter ${name}`, () => {
    it("takes whatever is told of a task", () =>
      fc.assert(fc.property(fc.array(progress), (all) =>
        Effect.runSync(
          Effect.flatMap(Reporter, ({ report }) => Effect.forEach(all, report, { discard: true })).pipe(
            Effect.provide(layer, { local: true })
          )
        ))))
    it("tells the end of a task once, and notes as they are", () => {
      const before = written().length
      const told = Effect.gen(function*() {
        const { note, report } = yield* Reporter
        const task = { task: "suite", total: 3, seconds: 1, start: 0, unit: "rows", each: 1, figures: { loss: 0.5 } }
        for (const done of [1, 2, 3]) yield* report({ ...task, done })
        yield* note("a note of the suite")
      })
      Effect.runSync(Effect.provide(told, layer, { local: true }))
      const text = written().slice(before)
      assert.isAtMost(text.split("suite 3/3").length - 1, 1)
      assert.isTrue(text === "" || text.includes("a note of the suite\n"))
    })
  })
