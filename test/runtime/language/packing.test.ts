/** Examples that share a row: their losses and gradients are those that each has alone, in float64. */
import { assert, describe, it } from "@effect/vitest"
import { packed } from "../../../src/domain/examples/tokens.ts"
import * as Key from "../../../src/domain/Key.ts"
import { grad } from "../../../src/kernels/grad.ts"
import { interpret } from "../../../src/kernels/interpret.ts"
import * as Nd from "../../../src/kernels/NdArray.ts"
import { causalLm, type DecoderConfig } from "../../../src/kernels/nn/decoder.ts"
import { entering, flatten } from "../../../src/kernels/nn/Module.ts"
import { sumAll } from "../../../src/kernels/op/broadcast.ts"
import { mul } from "../../../src/kernels/op/elementwise.ts"
import { constant } from "../../../src/kernels/Tensor.ts"
import { pack } from "../../../src/runtime/language/pack.ts"
import { ofRow } from "../../../src/runtime/language/sequences.ts"
import { initialise } from "../../../src/runtime/models/initialise.ts"
import type { TokenRow } from "../../../src/runtime/ports/LanguageModel.ts"
import { config } from "../../support/decoders.ts"

const key = Key.fold(Key.make(4), "packing")
/** Examples of different lengths, of which about half is learned, never the first token. */
const examples = [5, 2, 9, 3, 1, 7].map((length, k) => ({
  id: `e${k}`,
  ids: Array.from({ length }, (_, i) => Key.integer(key, 100 * k + i, 31)),
  learned: Array.from({ length }, (_, i) => i > 0 && Key.uniform(key, 100 * k + i + 50) < 0.6 ? 1 : 0)
}))
const total = examples.reduce((n, { learned }) => n + learned.filter((one) => one === 1).length, 0)

/** The loss of rows, its gradients by all weights, and the likelihoods of learned tokens by their ids and places. */
const learnedFrom = (c: DecoderConfig, rows: ReadonlyArray<TokenRow>) => {
  const decoder = causalLm(c)
  const flat = flatten(decoder.params)
  const { bound, byPath } = entering(decoder.params, (path) => path)
  const drawn = initialise(flat, Key.make(7))
  const sequences = rows.map((row) => ofRow(row, () => 1 / total))
  const { data, shape } = pack(sequences, { rows: rows.length, padding: 0, most: 64, all: false, of: 1 })
  const whole = (values: ArrayLike<number>, ...dims: ReadonlyArray<number>) =>
    constant(Nd.fromArray(dims, Array.from(values)), "int32")
  const size = [shape.rows, shape.length] as const
  const nll = decoder.apply(bound, {
    ids: whole(data.ids, ...size),
    positions: whole(data.positions, ...size),
    branches: whole(data.branches, ...size),
    rows: whole(data.rows, shape.supervised),
    targets: whole(data.targets, shape.supervised)
  })
  const loss = sumAll(mul(constant(Nd.fromArray([shape.supervised], Array.from(data.weights))), nll))
  const paths = [...byPath.keys()]
  const feeds = Object.fromEntries(
    paths.map((path) => [path, Nd.fromArray(flat.get(path)!.shape, Array.from(drawn.get(path)!))])
  )
  const found = interpret([loss, ...grad(loss, paths.map((path) => byPath.get(path)!))], feeds)
  return { loss: found[0]!.data[0]!, gradients: paths.map((path, i) => [path, [...found[i + 1]!.data]] as const) }
}

const same = (got: ReturnType<typeof learnedFrom>, want: ReturnType<typeof learnedFrom>) => {
  assert.closeTo(got.loss, want.loss, 1e-10)
  got.gradients.forEach(([path, values], i) => {
    const wanted = want.gradients[i]![1]
    values.forEach((value, k) => assert.closeTo(value, wanted[k]!, 1e-10, path))
  })
}

describe("examples in one row", () => {
  const windowed = { ...config, sliding_window: 4 }
  for (const [name, c] of [["full attention", config], ["a window", windowed]] as const) {
    it(`have the loss and the gradients that they have apart, under ${name}`, () => {
      const apart = learnedFrom(c, packed(examples, "none", 12))
      const rows = packed(examples, "bfd", 12)
      assert.isBelow(rows.length, 4)
      same(learnedFrom(c, rows), apart)
      assert.isAbove(Math.max(...apart.gradients.flatMap(([, values]) => values.map(Math.abs))), 1e-3)
    })
  }
  it("have them in any order", () => {
    const rows = (order: ReadonlyArray<typeof examples[number]>) => packed(order, "bfd", 64)
    assert.strictEqual(rows(examples).length, 1)
    const inLine = (order: ReadonlyArray<typeof examples[number]>): TokenRow => ({
      ids: order.flatMap(({ ids }) => ids),
      learned: order.flatMap(({ learned }) => learned),
      starts: order.map((_, i) => order.slice(0, i).reduce((n, { ids }) => n + ids.length, 0))
    })
    same(learnedFrom(config, [inLine(examples.toReversed())]), learnedFrom(config, [inLine(examples)]))
  })
  it("would not have them if they attended to each other", () => {
    const [row] = packed(examples, "bfd", 64)
    const joined = { ...row!, starts: [0] }
    assert.isAbove(Math.abs(learnedFrom(config, [joined]).loss - learnedFrom(config, [row!]).loss), 1e-3)
  })
})
