/** Third stage: five scores for each example. */
import * as Schema from "effect/Schema"
import { shapeOf } from "../../../runtime/language/structured.ts"
import type { Template } from "../../writing/template.ts"
import { asking, type Fields, type FormName, writeFields } from "../forms.ts"
import { each, type Provenance, type Task } from "../pipeline.ts"
import type { Pair } from "./pair.ts"

/** MediFlow's criteria; its scale is not known, ours is 1 (poor) to 5 (excellent). */
export const criteria = ["quality", "alignment", "coherence", "realism", "difficulty"] as const
/** A score for each criterion, or the least ones that are kept. */
export type Scores = Readonly<Record<typeof criteria[number], number>>

/** Least scores where users do not say otherwise. */
export const defaults: Scores = { quality: 3, alignment: 3, coherence: 3, realism: 3, difficulty: 1 }

/** A pair with its scores; without, if nothing was judged. */
export interface Judged extends Pair {
  readonly scores: Scores | undefined
  readonly judged: Provenance | undefined
}

/** The places of its prompt. */
export const places = { instruction: "needed", input: "needed", output: "needed" } as const

const Score = Schema.Literals([1, 2, 3, 4, 5])
const fields: Fields<Scores> = {
  shape: shapeOf(
    "scores",
    Schema.Struct({ quality: Score, alignment: Score, coherence: Score, realism: Score, difficulty: Score })
  ),
  labels: criteria.map((key) => ({
    name: `${key[0]!.toUpperCase()}${key.slice(1)}`,
    key,
    about: "1 to 5",
    number: true
  }))
}

/** Mean of the scores that say how good an example is: all but its difficulty. */
export const meanOf = ({ alignment, coherence, quality, realism }: Scores): number =>
  (quality + alignment + coherence + realism) / 4

/** The stage's task. */
export const task = (prompt: Template, o: {
  readonly least: Scores
  readonly form: FormName
  readonly maxTokens: number
}): Task<Pair, Scores, never, never> => {
  const { turns } = prompt
  const ask = asking(fields, o.form)
  return {
    name: "judgements",
    samples: 1,
    request: ({ input, instruction, output }) =>
      ask({
        turns: turns({ instruction: instruction.text, input, output }),
        max_tokens: o.maxTokens
      }),
    write: writeFields(fields, o.form),
    filters: criteria.map((name) => each(`${name} below ${o.least[name]}`, ({ value }) => value[name] < o.least[name]))
  }
}
