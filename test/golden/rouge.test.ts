/** ROUGE as rouge-score has it, and stems as NLTK has them (rouge.py). */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { stem } from "../../src/domain/textMetrics/porter.ts"
import { type Rouge, rouge } from "../../src/domain/textMetrics/rouge.ts"

type Scores = Readonly<Record<Rouge, readonly [precision: number, recall: number, f: number]>>
interface Golden {
  readonly cases: ReadonlyArray<
    { readonly reference: string; readonly prediction: string; readonly plain: Scores; readonly stemmed: Scores }
  >
  readonly stems: Readonly<Record<string, string>>
}
const { cases, stems } = JSON.parse(readFileSync(join(import.meta.dirname, "rouge.json"), "utf8")) as Golden

describe("ROUGE", () => {
  it("is rouge-score's, with stems and without", () => {
    for (const { plain, prediction, reference, stemmed } of cases) {
      for (const [is, wanted] of [[false, plain], [true, stemmed]] as const) {
        for (const [kind, scores] of Object.entries(wanted)) {
          const { f, precision, recall } = rouge[kind as Rouge](reference, prediction, is)
          const got = [precision, recall, f]
          scores.forEach((score, i) => assert.closeTo(got[i]!, score, 1e-12, `${kind} of ${JSON.stringify(reference)}`))
        }
      }
    }
    assert.isTrue(cases.some(({ plain, stemmed }) => plain.rouge1[2] !== stemmed.rouge1[2]))
    assert.isTrue(cases.some(({ plain }) => plain.rougeL[2] !== plain.rougeLsum[2]))
  })
  it("has NLTK's stems", () => {
    for (const [word, expected] of Object.entries(stems)) assert.strictEqual(stem(word), expected, word)
    assert.isAbove(Object.keys(stems).length, 2000)
  })
})
