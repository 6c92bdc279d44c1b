/** Second stage: inputs for each instruction, with the outputs that follow it. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { strangers } from "../../../domain/synthesis/jsonShape.ts"
import { sameAnswer } from "../../../domain/synthesis/options.ts"
import { sharesRun } from "../../../domain/texts/overlap.ts"
import { parsed, type Shape, shapeOf } from "../../../runtime/language/structured.ts"
import type { Template } from "../../writing/template.ts"
import { asking, type Fields, type FormName, Words, writeFields } from "../forms.ts"
import { type Draft, each, type Filter, type Provenance, type Task, unfenced } from "../pipeline.ts"
import { echo, unlike } from "../textFilters.ts"
import { type Instruction, toldOf } from "./instruction.ts"

/** An input and its output. */
export interface Example {
  readonly input: string
  readonly output: string
}

/** An example of an instruction that passed the filters. */
export interface Pair extends Example {
  readonly id: string
  readonly instruction: Instruction
  readonly from: Provenance
}

/** The places of its prompt. */
export const places = {
  instruction: "needed",
  input_data: "possible",
  output_format: "possible",
  difficulty_level: "possible"
} as const

const written: Shape<Example> = shapeOf("example", Schema.Struct({ input: Words, output: Words }))

/** Models may write an output that is JSON as a value in place of its text. */
const asTexts = (json: unknown): unknown =>
  typeof json !== "object" || json === null ? json : Object.fromEntries(
    Object.entries(json).map(([key, own]) => [key, typeof own === "object" && own !== null ? JSON.stringify(own) : own])
  )

const fields: Fields<Example> = {
  shape: { ...written, decode: (json) => written.decode(asTexts(json)) },
  labels: [
    { name: "Input", key: "input", about: "the input" },
    { name: "Output", key: "output", about: "the output" }
  ]
}

type Own = Draft<Instruction, Example>

const isJson = ({ drawn }: Instruction): boolean => drawn.tuple.output_format.name === "json"

/** A text that is a JSON object or list, as a value. */
const valueOf = (text: string): object | undefined => {
  const value = parsed(text)
  return typeof value === "object" && value !== null ? value : undefined
}

/** Whether a text is not of the form that an instruction's outputs have. */
export const isMisshapen = (instruction: Instruction, text: string): boolean =>
  isJson(instruction) && valueOf(text) === undefined

/** Drops outputs whose keys or types differ from those of most outputs of their instruction. */
const oneSchema: Filter<Instruction, Example> = {
  name: "output is of another schema than its instruction's others",
  drops: (drafts) =>
    Effect.sync(() => {
      const groups = Map.groupBy(drafts.filter(({ item }) => isJson(item)), ({ item }) => item)
      const strange = new Set<Own>()
      for (const own of groups.values()) {
        const wrong = strangers(own.map(({ value }) => valueOf(value.output)))
        own.forEach((draft, i) => wrong[i] && strange.add(draft))
      }
      return drafts.map((draft) => strange.has(draft))
    })
}

/** Words in a row that an input has in common with its instruction only if it repeats it; words of a run of pairs. */
const [RUN, WIDTH] = [12, 5]

/** The stage's task: `pairs` samples an instruction. */
export const task = (prompt: Template, o: {
  readonly pairs: number
  readonly form: FormName
  readonly maxTokens: number
  readonly nearDuplicate: number
}): Task<Instruction, Example, never, never> => {
  const { turns } = prompt
  const [ask, write] = [asking(fields, o.form), writeFields(fields, o.form)]
  return {
    name: "examples",
    samples: o.pairs,
    request: ({ drawn, text }, sample) => {
      const { difficulty_level, input_data, output_format } = toldOf(drawn.tuple)
      const own = turns({ instruction: text, input_data, output_format, difficulty_level })
      return ask({ turns: own, max_tokens: o.maxTokens, sample })
    },
    write: (request) =>
      Effect.map(write(request), (own) => ({
        ...own,
        value: own.value && { input: own.value.input.trim(), output: unfenced(own.value.output) }
      })),
    filters: [
      echo(prompt, ({ input, output }) => [input, output]),
      each("input repeats the instruction", ({ item, value }) => sharesRun(item.text, value.input, RUN)),
      each("output is the input", ({ value }) => sameAnswer(value.input, value.output)),
      each("output is no JSON object or list", ({ item, value }) => isMisshapen(item, value.output)),
      oneSchema,
      ...unlike<Instruction, Example>("input", ({ value }) => value.input, o.nearDuplicate, WIDTH)
    ]
  }
}
