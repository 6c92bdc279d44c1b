/** BERTScore as bert-score has it; of all-MiniLM-L6-v2 if its folder is in MINILM (test/golden/README.md). */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { baselineOf, rescaled, usualLayer } from "../../src/domain/textMetrics/bertScore.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import * as BertScore from "../../src/runtime/retrieval/bertScore.ts"
import { warned } from "../support/warnings.ts"

interface Golden {
  readonly pairs: ReadonlyArray<readonly [text: string, references: ReadonlyArray<string>]>
  readonly cases: ReadonlyArray<{
    readonly layers: number
    readonly idf: boolean
    readonly rescaled: boolean
    readonly scores: readonly [ReadonlyArray<number>, ReadonlyArray<number>, ReadonlyArray<number>]
  }>
}
const told = JSON.parse(readFileSync(join(import.meta.dirname, "bertScore.json"), "utf8")) as {
  readonly baseline: string
  readonly tiny: Golden
  readonly roberta: Golden
  readonly deberta: Golden
  readonly "deberta-v2": Golden
  readonly minilm: Golden
}
const tiny = join(import.meta.dirname, "sentences", "bert-mean")
const roberta = join(import.meta.dirname, "sentences", "roberta-mean")
const minilm = process.env["MINILM"] ?? ""
const around = Layer.merge(cpu({ threads: 1 }), NodeFileSystem.layer)

const scored = Effect.fnUntraced(
  function*(
    model: string,
    pairs: Golden["pairs"],
    layers: number | undefined,
    idf: boolean
  ) {
    const { layers: taken, score } = yield* BertScore.make({ model, layers, idf })
    return { taken, ...yield* score(pairs.map(([text, references]) => ({ text, references }))) }
  },
  Effect.scoped,
  Effect.provide(around)
)

const agrees = (folder: string, { cases, pairs }: Golden) =>
  Effect.forEach(
    cases,
    (want) =>
      Effect.map(scored(folder, pairs, want.layers, want.idf), ({ scores }) =>
        scores.forEach((score, i) => {
          const own = want.rescaled ? rescaled(score, baselineOf(told.baseline, want.layers)!) : score
          const names = ["precision", "recall", "f1"] as const
          names.forEach((name, k) =>
            assert.closeTo(own[name], want.scores[k]![i]!, 1e-4, `${JSON.stringify(pairs[i])}, ${want.layers}, ${name}`)
          )
        }))
  )

describe("BERTScore is bert-score's", () => {
  it.live("of a tiny BERT: layers, frequencies, several references, empty and long texts", () =>
    agrees(tiny, told.tiny))
  it.live("of a tiny RoBERTa, before whose texts stands a space", () => agrees(roberta, told.roberta))
  it.live.each([["deberta", "deberta-mean"], ["deberta-v2", "deberta-v2-cls"]] as const)(
    "of a tiny %s, before whose texts stands none",
    ([name, folder]) => agrees(join(import.meta.dirname, "sentences", folder), told[name])
  )
  it.live.skipIf(minilm === "")("of all-MiniLM-L6-v2", () => agrees(minilm, told.minilm))
  it.live("tells of texts that are cut, and of a layer that is a guess", () =>
    Effect.gen(function*() {
      const { lines, value: { cut, taken } } = yield* warned(scored(tiny, told.tiny.pairs, undefined, false))
      assert.strictEqual(taken, 2)
      assert.match(lines.join(), /bert-mean: bert-score names no layer for it; layer 2 of 2 is taken/)
      assert.strictEqual(cut, 2)
    }))
  it.live("refuses layers that are not there, and models that are no BERT", () =>
    Effect.gen(function*() {
      const none = yield* Effect.flip(scored(tiny, told.tiny.pairs, 3, false))
      assert.match(none.message, /has 2 layers, and no layer 3 \(num_layers\)/)
      const other = join(import.meta.dirname, "sentences", "modernbert-weighted")
      assert.match(
        (yield* Effect.flip(scored(other, told.tiny.pairs, 1, false))).message,
        /modernbert is none of bert-score's encoders/
      )
    }))
  it.live("takes the layer that bert-score names for a model", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        [
          "bert-base-uncased",
          "/models/scibert_scivocab_uncased/",
          "google/bert_uncased_L-8_H-512_A-8",
          "roberta-large",
          "microsoft/deberta-xlarge-mnli",
          "microsoft/deberta-v3-base",
          "mine"
        ].map(
          usualLayer
        ),
        [9, 8, 6, 17, 40, 9, undefined]
      )
      assert.strictEqual(usualLayer("google/bert_uncased_L-4_H-256_A-4"), 3)
      const folder = mkdtempSync(join(tmpdir(), "bertscore-"))
      const named = join(folder, "bert_uncased_L-2_H-128_A-2")
      cpSync(tiny, named, { recursive: true })
      const { taken } = yield* scored(named, told.tiny.pairs, undefined, false)
      rmSync(folder, { recursive: true })
      assert.strictEqual(taken, 1)
    }))
})
