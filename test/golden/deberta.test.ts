/** DeBERTa's buckets of distances, as torch rounds them; configs that are read, and those that are refused. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { bucketOf, type DebertaConfig } from "../../src/kernels/nn/deberta.ts"
import { deberta, debertaV2 } from "../../src/runtime/files/config/deberta.ts"
import { warned } from "../support/warnings.ts"

type Case = readonly [position_buckets: number, max_relative_positions: number, values: ReadonlyArray<number>]
const golden = JSON.parse(readFileSync(join(import.meta.dirname, "deberta.json"), "utf8")) as ReadonlyArray<Case>

const sizes = {
  vocab_size: 9,
  hidden_size: 8,
  intermediate_size: 6,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  relative_attention: true,
  position_biased_input: false
}
const read = (given: object) => Effect.runSync(debertaV2({ ...sizes, ...given })) as DebertaConfig

describe("buckets of distances", () => {
  for (const [position_buckets, max_relative_positions, values] of golden) {
    it(`are transformers': ${position_buckets} of ${max_relative_positions}`, () => {
      const c = read({ position_buckets, max_relative_positions })
      assert.strictEqual(values.length, max_relative_positions)
      assert.deepStrictEqual(values.map((_, distance) => bucketOf(c, distance)), values)
    })
  }
  it("never fall with the distance, and are odd in it", () => {
    const c = read({ position_buckets: 256, max_relative_positions: -1 })
    assert.strictEqual(c.max_relative_positions, 512)
    fc.assert(fc.property(fc.integer({ min: 0, max: 600 }), (distance) => {
      assert.strictEqual(bucketOf(c, -distance), -bucketOf(c, distance))
      assert.isAtLeast(bucketOf(c, distance + 1), bucketOf(c, distance))
    }))
  })
  it("are the distances themselves where there are none", () => {
    const c = read({ position_buckets: -1 })
    assert.deepStrictEqual([-600, -3, 0, 300].map((distance) => bucketOf(c, distance)), [-600, -3, 0, 300])
  })
})

describe("a config of DeBERTa", () => {
  it.effect("is read as it is published, without a word", () =>
    Effect.gen(function*() {
      const published = {
        ...sizes,
        model_type: "deberta",
        architectures: ["DebertaForSequenceClassification"],
        max_position_embeddings: 512,
        max_relative_positions: -1,
        pos_att_type: "c2p|p2c",
        layer_norm_eps: 1e-7,
        type_vocab_size: 0,
        padding_idx: 0,
        pooler_hidden_act: "gelu",
        pooler_hidden_size: 8,
        pooler_dropout: 0
      }
      const { lines, value } = yield* warned(deberta(published))
      assert.deepStrictEqual(lines, [])
      assert.deepInclude(value, { pos_att_type: ["c2p", "p2c"], max_relative_positions: 512, position_buckets: 0 })
      const third = {
        ...published,
        model_type: "deberta-v2",
        position_buckets: 256,
        norm_rel_ebd: "layer_norm",
        share_att_key: true
      }
      const { lines: none, value: own } = yield* warned(debertaV2(third))
      assert.deepStrictEqual(none, [])
      assert.deepInclude(own, { norm_rel_ebd: true, share_att_key: true, position_buckets: 256, conv_kernel_size: 0 })
    }))
  const refusals: ReadonlyArray<readonly [string, object, RegExp]> = [
    ["without distances", { relative_attention: false }, /^relative_attention is false/],
    ["with absolute positions", { position_biased_input: true }, /^position_biased_input is true/],
    [
      "that leaves absolute positions to the default",
      { position_biased_input: null },
      /^position_biased_input is true \(or missing/
    ],
    ["with types of texts", { type_vocab_size: 2 }, /^type_vocab_size is 2/],
    ["with narrower embeddings", { embedding_size: 4 }, /^embedding_size 4 is not hidden_size 8/],
    ["of another term", { pos_att_type: "c2p|p2p" }, /^pos_att_type p2p is not one of c2p, p2c/],
    ["of a term twice", { pos_att_type: ["c2p", "c2p"] }, /^pos_att_type names a term twice/],
    ["of heads of another size", { attention_head_size: 8 }, /^attention_head_size 8 is not/],
    [
      "of too many buckets",
      { position_buckets: 40, max_relative_positions: 20 },
      /^position_buckets 40 for 20 distances/
    ],
    ["of an even convolution", { conv_kernel_size: 2 }, /^conv_kernel_size 2 is even/],
    ["of a convolution in groups", { conv_kernel_size: 3, conv_groups: 2 }, /^conv_groups 2/],
    ["of another norm", { norm_rel_ebd: "rms_norm" }, /^norm_rel_ebd rms_norm is not one of none, layer_norm/]
  ]
  for (const [what, given, reason] of refusals) {
    it(`is refused ${what}`, () =>
      assert.match(Effect.runSync(Effect.flip(debertaV2({ ...sizes, ...given }))).message, reason))
  }
  it("is refused with heads that talk", () =>
    assert.match(Effect.runSync(Effect.flip(deberta({ ...sizes, talking_head: true }))).message, /^talking_head/))
})
