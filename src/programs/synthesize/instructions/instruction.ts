/** First stage: an instruction for each tuple that was drawn. */
import type { Drawn } from "../../../domain/synthesis/lists.ts"
import { wordsOf } from "../../../domain/texts/overlap.ts"
import type { Template } from "../../writing/template.ts"
import { each, type Provenance, type Task, writeText } from "../pipeline.ts"
import { echo, unlike } from "../textFilters.ts"

/** An instruction that passed the filters. */
export interface Instruction {
  readonly drawn: Drawn
  readonly text: string
  readonly from: Provenance
}

/** The places of its prompt. */
export const places = {
  task_type: "needed",
  input_data: "needed",
  output_format: "needed",
  difficulty_level: "possible"
} as const

/** What a model is told of a tuple, by place. */
export const toldOf = ({ difficulty_level, input_data, output_format, task_type }: Drawn["tuple"]) => ({
  task_type: task_type.about,
  input_data: input_data.about,
  output_format: output_format.about,
  difficulty_level: difficulty_level.about
})

/** Fewest words of an instruction, and the words of a run by which instructions are compared. */
const [FEWEST, WIDTH] = [5, 5]

/** The stage's task; equal tuples are different samples. */
export const task = (
  prompt: Template,
  { maxTokens, nearDuplicate }: { readonly maxTokens: number; readonly nearDuplicate: number }
): Task<Drawn, string, never, never> => {
  const { turns } = prompt
  return {
    name: "instructions",
    samples: 1,
    request: ({ repeat, tuple }) => ({
      turns: turns(toldOf(tuple)),
      max_tokens: maxTokens,
      sample: repeat
    }),
    write: writeText,
    filters: [
      echo(prompt, (value) => [value]),
      each(`fewer than ${FEWEST} words`, ({ value }) => wordsOf(value).length < FEWEST),
      ...unlike<Drawn, string>("instruction", ({ value }) => value, nearDuplicate, WIDTH)
    ]
  }
}
