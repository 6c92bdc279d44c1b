/** Prompts of tasks: those of lm-evaluation-harness from the same parts (taskPrompts.py). */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { dialogue, plain, type Said } from "../../src/domain/benchmarks/prompts.ts"

interface Golden {
  readonly system: string
  readonly description: string
  readonly target_delimiter: string
  readonly fewshot_delimiter: string
  readonly prefix: string
  readonly shots: ReadonlyArray<readonly [question: string, answer: string]>
  readonly question: string
  readonly plain: string
  readonly dialogue: ReadonlyArray<Said>
}
const cases = JSON.parse(readFileSync(join(import.meta.dirname, "taskPrompts.json"), "utf8")) as ReadonlyArray<Golden>

describe("a task's prompt", () => {
  it("is joined as the harness joins it, as one text and as a dialogue", () => {
    for (const { prefix, question, shots, ...own } of cases) {
      const parts = {
        ...own,
        shots: shots.map(([text, answer]) => ({ text, prefix, answer })),
        question: { text: question, prefix }
      }
      assert.strictEqual(plain(parts), own.plain)
      assert.deepStrictEqual(dialogue(parts), own.dialogue)
    }
    assert.isTrue(cases.some(({ prefix, shots }) => prefix !== "" && shots.length > 1))
  })
})
