/** Models that there is no memory for are refused by name before it is taken. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Flat, Param } from "../../../src/kernels/nn/Module.ts"
import { reshape, sum } from "../../../src/kernels/op/broadcast.ts"
import { mul } from "../../../src/kernels/op/elementwise.ts"
import { input } from "../../../src/kernels/Tensor.ts"
import * as Memory from "../../../src/runtime/engine/memory.ts"
import { cpu } from "../../../src/runtime/engine/providers.ts"
import { Session } from "../../../src/runtime/engine/Session.ts"
import { fits } from "../../../src/runtime/models/memoryBudget.ts"

const param = (...shape: ReadonlyArray<number>): Param => ({ shape, init: { constant: 0 } }) as unknown as Param
const params: Flat = new Map([["a.weight", param(1000, 500)], ["b.weight", param(500)]])
const model = (more: Partial<Parameters<typeof fits>[0]> = {}) => ({
  folder: "reader",
  sizes: { vocab_size: 1000, hidden_size: 500 },
  params,
  trainable: () => false,
  slots: 2,
  ...more
})
const outcome = (bytes: number, more: Partial<Parameters<typeof fits>[0]> = {}): string => {
  const result = Effect.runSync(Effect.result(fits(model(more), bytes)))
  return result._tag === "Success" ? "fits" : result.failure.message
}

describe("a model", () => {
  it("fits where there is memory for its weights", () => {
    assert.strictEqual(outcome(4 * 500_500), "fits")
    assert.strictEqual(
      outcome(4 * 500_500 - 1),
      "reader/config.json: takes 1.91 MiB of weights; 1.91 MiB of memory are left"
    )
  })
  it("takes as much again for each array of its training, and for a second copy while it is small", () => {
    const trainable = () => true
    assert.strictEqual(outcome(4 * 500_500 * 6, { trainable }), "fits")
    assert.match(outcome(4 * 500_500 * 6 - 1, { trainable }), /1\.91 MiB of weights and 9\.55 MiB to train them/)
    const large: Flat = new Map([["a.weight", param(2 ** 13, 2 ** 13)]])
    assert.strictEqual(outcome(4 * 2 ** 26 * 4, { params: large, trainable }), "fits")
    assert.match(outcome(4 * 2 ** 26 * 4 - 1, { params: large, trainable }), /256 MiB of weights and 768 MiB to train/)
  })
  it("takes half of it for weights of 16 bits", () => {
    const half: Flat = new Map([["a.weight", { ...param(1000, 500), stored: "bfloat16" }]])
    assert.strictEqual(outcome(2 * 500_000, { params: half }), "fits")
    assert.notStrictEqual(outcome(2 * 500_000 - 1, { params: half }), "fits")
  })
  it("takes a quarter of it for weights of 8 bits, and their scales", () => {
    const scales = param(1000, 4)
    const packed: Flat = new Map([
      ["a.weight.quants", { ...param(1000, 4, 128), packed: "uint8" }],
      ["a.weight.scales", scales],
      ["a.weight.zeros", { ...param(1000, 4), packed: "uint8" }]
    ])
    assert.strictEqual(outcome(512_000 + 16_000 + 4000, { params: packed }), "fits")
    assert.notStrictEqual(outcome(512_000 + 16_000 + 3999, { params: packed }), "fits")
  })
  it("is refused by the key that is beyond all others", () => {
    const sizes = { vocab_size: 2 ** 20, hidden_size: 2 ** 40, lora_r: 8 }
    assert.match(
      outcome(1, { sizes }),
      /^reader\/config\.json, hidden_size: 1099511627776 makes 1\.91 MiB of weights; 1 B/
    )
    assert.match(
      outcome(1, { sizes: { hidden_size: 64, lora_r: 1e9 } }),
      /^reader\/config\.json, lora_r: 1000000000 makes/
    )
  })
})

describe("a program", () => {
  it.live("is refused where one of its arrays is more than the machine has", () =>
    Effect.gen(function*() {
      const x = input("x", [2 ** 20], "float32")
      const product = mul(reshape(x, [2 ** 20, 1]), reshape(x, [1, 2 ** 20]))
      const graph = { name: "outer", inputs: { x }, outputs: { sum: sum(product, [0, 1]) } }
      const session = yield* Session
      const error = yield* Effect.flip(Effect.scoped(session.compile(graph)))
      assert.match(
        error.message,
        /^Program outer ran out of memory for 4096\.0 GiB: .*an array of it takes 4096\.0 GiB, the machine has/
      )
    }).pipe(Effect.provide(cpu({ threads: 1 }))))
})

describe("memory", () => {
  it("is what the machine has, less what the process holds", () => {
    assert.isAbove(Memory.capacity(), 2 ** 28)
    assert.isBelow(Memory.left(), Memory.capacity())
    assert.isAbove(Memory.heap(), 2 ** 27)
  })
})
