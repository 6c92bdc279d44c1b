/** Orders of options, and averages over them. */
import { assert, describe, it } from "@effect/vitest"
import * as Key from "../../../src/domain/Key.ts"
import { averaged, ordersOf } from "../../../src/domain/verdicts/orders.ts"

const key = Key.make(7)

describe("orders", () => {
  it("are all there are, the given one first", () => {
    const orders = ordersOf(key, 3, 6)
    assert.deepStrictEqual(orders[0], [0, 1, 2])
    assert.deepStrictEqual(orders.map((own) => own.join("")).toSorted(), ["012", "021", "102", "120", "201", "210"])
    assert.strictEqual(ordersOf(key, 4, 100).length, 24)
    assert.deepStrictEqual(ordersOf(key, 2, 2), [[0, 1], [1, 0]])
  })
  it("are drawn where there are more, each once, and the same again", () => {
    const orders = ordersOf(key, 5, 7)
    assert.deepStrictEqual(orders[0], [0, 1, 2, 3, 4])
    assert.strictEqual(new Set(orders.map((own) => own.join())).size, 7)
    for (const own of orders) assert.deepStrictEqual(own.toSorted(), [0, 1, 2, 3, 4])
    assert.deepStrictEqual(ordersOf(key, 5, 7), orders)
    assert.deepStrictEqual(ordersOf(key, 5, 3), orders.slice(0, 3))
    assert.strictEqual(ordersOf(key, 26, 4).length, 4)
  })
  it("take the place's part out of probabilities", () => {
    // A reader that adds log 3 to the first place: option 0 has 2 to 1 by itself.
    const read = (order: ReadonlyArray<number>) => ({
      order,
      nll: order.map((option, place) => -Math.log(option === 0 ? 2 : 1) - (place === 0 ? Math.log(3) : 0))
    })
    const { answers, probabilities } = averaged([read([0, 1]), read([1, 0])])
    assert.deepStrictEqual(answers, [0, 1])
    // 6 : 1 where it stands first, 2 : 3 where it stands last.
    assert.closeTo(probabilities[0]!, (6 / 7 + 2 / 5) / 2, 1e-12)
    assert.closeTo(probabilities[1]!, (1 / 7 + 3 / 5) / 2, 1e-12)
    assert.deepStrictEqual(averaged([]), { answers: [], probabilities: [] })
  })
})
