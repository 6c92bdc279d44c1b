import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Key from "../../../src/domain/Key.ts"
import { balanced } from "../../../src/domain/records/balanced.ts"

const record = (id: string, answer: string) => ({
  id,
  answer,
  question: "",
  options: [],
  answerIndex: -1,
  gold: [],
  group: id,
  type: ""
})

describe("a balanced epoch", () => {
  it("has answers by turns, as many of each as the rarest has", () => {
    const records = ["a", "a", "a", "a", "a", "b", "b"].map((answer, i) => record(`${i}`, answer))
    const answers = balanced(records, Key.make(1)).map(({ answer }) => answer)
    assert.deepStrictEqual(answers, ["a", "b", "a", "b"])
    assert.deepStrictEqual(balanced([], Key.make(1)), [])
  })
  it("has each record once, and over epochs all of them", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 30 }), (answers) => {
        const records = answers.map((answer, i) => record(`${i}`, answer))
        const counts = [...Map.groupBy(answers, (answer) => answer).values()].map(({ length }) => length)
        const epochs = Array.from(
          { length: 200 },
          (_, epoch) => balanced(records, Key.fold(Key.make(3), "epoch", epoch))
        )
        for (const epoch of epochs) {
          assert.strictEqual(epoch.length, Math.min(...counts) * counts.length)
          assert.strictEqual(new Set(epoch).size, epoch.length)
          for (let from = 0; from < epoch.length; from += counts.length) {
            assert.strictEqual(
              new Set(epoch.slice(from, from + counts.length).map(({ answer }) => answer)).size,
              counts.length
            )
          }
        }
        assert.strictEqual(new Set(epochs.flat()).size, records.length)
        assert.deepStrictEqual(balanced(records, Key.make(5)), balanced(records, Key.make(5)))
      }),
      { numRuns: 20 }
    )
  })
})
