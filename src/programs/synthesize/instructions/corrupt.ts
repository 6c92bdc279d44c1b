/** Fourth stage: a worse output for each of the best examples, with an error of a named type. */
import * as Key from "../../../domain/Key.ts"
import { type Choice, draw } from "../../../domain/synthesis/lists.ts"
import { sameAnswer } from "../../../domain/synthesis/options.ts"
import { wordsOf } from "../../../domain/texts/overlap.ts"
import type { Template } from "../../writing/template.ts"
import { each, type Task, writeText } from "../pipeline.ts"
import { echo } from "../textFilters.ts"
import type { Judged } from "./judge.ts"
import { isMisshapen } from "./pair.ts"

/** An example and the error that is to be made in its output. */
export interface Fallible {
  readonly pair: Judged
  readonly error: Choice
}

/** The error of an example, drawn under a seed by its id. */
export const fallible = (errors: ReadonlyArray<Choice>, seed: number) => (pair: Judged): Fallible => ({
  pair,
  error: draw(errors, Key.fold(Key.make(seed), "error", pair.id), 0)
})

/** The places of its prompt. */
export const places = { instruction: "needed", input: "needed", output: "needed", error_type: "needed" } as const

/** Length of a worse output, as a share of that of the right one. */
const [SHORT, LONG] = [0.3, 3]

const share = (worse: string, right: string): number => wordsOf(worse).length / Math.max(1, wordsOf(right).length)

/** The stage's task. */
export const task = (
  prompt: Template,
  { maxTokens }: { readonly maxTokens: number }
): Task<Fallible, string, never, never> => {
  const { turns } = prompt
  return {
    name: "worse outputs",
    samples: 1,
    request: ({ error, pair: { input, instruction, output } }) => ({
      turns: turns({ instruction: instruction.text, input, output, error_type: error.about }),
      max_tokens: maxTokens
    }),
    write: writeText,
    filters: [
      echo(prompt, (value) => [value]),
      each("same as the right output", ({ item, value }) => sameAnswer(value, item.pair.output)),
      each("output is no JSON object or list", ({ item, value }) => isMisshapen(item.pair.instruction, value)),
      each(`length below ${SHORT} or above ${LONG} of the right output's`, ({ item, value }) => {
        const own = share(value, item.pair.output)
        return own < SHORT || own > LONG
      })
    ]
  }
}
