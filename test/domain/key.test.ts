import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Key from "../../src/domain/Key.ts"

const hex = ({ hi, lo }: Key.Key): string => `${hi.toString(16)} ${lo.toString(16)}`
const numbers = (f: (key: Key.Key, i: number) => number, count = 20000): ReadonlyArray<number> =>
  Array.from({ length: count }, (_, i) => f(Key.make(3), i))
const moments = (values: ReadonlyArray<number>) => {
  const mean = values.reduce((a, b) => a + b) / values.length
  return { mean, variance: values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length }
}

describe("Key", () => {
  // The known answers of threefry2x32 with 20 rounds that Random123 is distributed with.
  for (
    const [key, counter, words] of [
      [[0, 0], [0, 0], "6b200159 99ba4efe"],
      [[0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], "1cb996fc bb002be7"],
      [[0x13198a2e, 0x03707344], [0x243f6a88, 0x85a308d3], "c4923a9c 483df7a0"]
    ] as const
  ) {
    it(`makes ${words} of ${key}`, () =>
      assert.strictEqual(hex(Key.block({ hi: key[0], lo: key[1] }, counter[0], counter[1])), words))
  }
  it("folds from left to right, texts and numbers apart", () => {
    const key = Key.make(1)
    assert.deepStrictEqual(Key.fold(key, "a", 1), Key.fold(Key.fold(key, "a"), 1))
    const folded = [Key.fold(key, "a", 1), Key.fold(key, 1, "a"), Key.fold(key, "1"), Key.fold(key, 1), Key.fold(key)]
    assert.strictEqual(new Set(folded.map(hex)).size, 5)
  })
  it("has no two questions under one key", () => {
    const keys = Array.from({ length: 20000 }, (_, i) => hex(Key.fold(Key.make(0), `question/${i}`)))
    assert.strictEqual(new Set(keys).size, keys.length)
  })
  it("knows seeds of more than 32 bits apart", () => {
    assert.notDeepEqual(Key.make(5), Key.make(5 + 2 ** 32))
    assert.notDeepEqual(Key.fold(Key.make(0), 5), Key.fold(Key.make(0), 5 + 2 ** 32))
  })
  it("draws numbers of the distributions it names", () => {
    const [uniform, normal, gumbel] = [Key.uniform, Key.normal, Key.gumbel].map((f) => moments(numbers(f)))
    assert.closeTo(uniform!.mean, 0.5, 0.01)
    assert.closeTo(uniform!.variance, 1 / 12, 0.002)
    assert.closeTo(normal!.mean, 0, 0.03)
    assert.closeTo(normal!.variance, 1, 0.04)
    assert.closeTo(gumbel!.mean, 0.5772, 0.04)
    assert.closeTo(gumbel!.variance, Math.PI ** 2 / 6, 0.08)
    assert.isTrue(numbers(Key.uniform).every((u) => u >= 0 && u < 1))
  })
  it("orders by permutations, each as often as another", () => {
    fc.assert(fc.property(fc.nat(), fc.integer({ min: 1, max: 40 }), (seed, n) => {
      assert.deepStrictEqual(Key.permutation(Key.make(seed), n).toSorted(), Int32Array.from(Array(n).keys()))
    }))
    const counts = new Map<string, number>()
    for (let i = 0; i < 6000; i++) {
      const order = Key.permutation(Key.fold(Key.make(1), i), 3).join()
      counts.set(order, (counts.get(order) ?? 0) + 1)
    }
    const statistic = [...counts.values()].reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0)
    assert.strictEqual(counts.size, 6)
    assert.isBelow(statistic, 25.7)
  })
})
