/** Curves in a line of progress. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { terminal } from "../../src/cli/progress.ts"
import { History, sparkline } from "../../src/cli/sparkline.ts"
import { Reporter } from "../../src/runtime/ports/Reporter.ts"

describe("a sparkline", () => {
  it("goes from the lowest to the highest bar, and has a blank for what is not finite", () => {
    assert.strictEqual(sparkline([0, 1, 2, 3, 4, 5, 6, 7]), "▁▂▃▄▅▆▇█")
    assert.strictEqual(sparkline([3, NaN, 1, Infinity]), "█ ▁ ")
    assert.strictEqual(sparkline([-1e308, 1e308]), "▁█")
    assert.strictEqual(sparkline([2, 2]), "▅▅")
    assert.strictEqual(sparkline([NaN]), " ")
  })
  it("has no more bars than there is room for, each the mean of equally many values, but the last", () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 1, maxLength: 200 }), (values) => {
      const history = new History(8)
      for (const value of values) history.add(value)
      const found = history.values()
      const each = [1, 2, 4, 8, 16, 32, 64].find((size) => Math.floor(values.length / size) < 8)!
      assert.isAtMost(found.length, 8)
      found.forEach((mean, i) => {
        const own = values.slice(i * each, (i + 1) * each)
        assert.closeTo(mean, own.reduce((a, b) => a + b, 0) / own.length, 1e-9)
      })
    }))
  })
  it("stands behind losses on a wide terminal, and nowhere on a narrow one", () => {
    const text = (columns: number): string => {
      let all = ""
      const [write, before] = [process.stderr.write.bind(process.stderr), process.stderr.columns]
      process.stderr.write = ((chunk: string) => ((all += chunk), true)) as typeof write
      process.stderr.columns = columns
      const told = Effect.gen(function*() {
        const { report } = yield* Reporter
        for (const done of [1, 2, 3]) {
          const figures = { readerLoss: 4 - done, readerLossScale: 2 }
          yield* report({ task: "joint", done, total: 3, seconds: 1, start: 0, unit: "q", each: 1, figures })
        }
      })
      Effect.runSync(Effect.provide(told, terminal, { local: true }))
      process.stderr.write = write
      process.stderr.columns = before
      return all
    }
    assert.match(text(200), /readerLoss 1\.000 █▅▁ {2}readerLossScale 2\.000 {2}/)
    assert.match(text(40), /readerLoss 1\.000 {2}readerLossScale 2\.000 {2}/)
  })
})
