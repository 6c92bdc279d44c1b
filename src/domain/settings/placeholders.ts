/** The parts of a prompt are texts with a place, `{text}`, for what they are of. */
import type { RunConfig } from "./RunConfig.ts"

/** The settings that are parts of a prompt, and the place that each must have. */
const places = {
  document_prompt: "text",
  question_prompt: "question",
  answer_prompt: "answer",
  generation_prompt: undefined,
  rationale_prompt: undefined
} as const satisfies Partial<Record<keyof RunConfig, string | undefined>>
type Part = keyof typeof places

/** What other libraries call a place, and where it is here. */
const elsewhere: ReadonlyMap<string, string> = new Map([
  ["title", "a passage's title is part of its {text}"],
  ["options", "the options are part of the {question} (options_in_prompt)"],
  ["choices", "the options are part of the {question} (options_in_prompt)"]
])

/** Names between braces; what a command of TeX is given, as in `\boxed{answer}`, is none, nor are braces of JSON. */
const name = /(?<!\\[a-zA-Z]+)\{\{?\s*([A-Za-z_]\w*)\s*\}?\}/g

const strange = (found: RegExpExecArray, place: string | undefined): string => {
  const note = elsewhere.get(found[1]!.toLowerCase())
    ?? (place === undefined ? "nothing is put into it" : `its place is {${place}}`)
  return `${found[0]} is not known; ${note}`
}

const wrong = (part: Part, place: string | undefined, text: string): ReadonlyArray<string> => {
  const unknown = [...text.matchAll(name)].filter(([own]) => own !== `{${place}}`)
  if (unknown.length > 0) return unknown.map((found) => `${part}: ${strange(found, place)}`)
  const missing = place !== undefined && !text.includes(`{${place}}`)
  return missing ? [`${part}: has no {${place}}, so that the reader would not see it`] : []
}

/** What is wrong with the prompts of settings: a place that is not there, one that nothing would fill. */
export const problems = (c: Pick<RunConfig, Part>): ReadonlyArray<string> =>
  (Object.entries(places) as ReadonlyArray<[Part, string | undefined]>).flatMap(([part, place]) =>
    wrong(part, place, c[part])
  )

/** A part of a prompt with a text at its place, wherever it has it. */
export const fill = (
  c: Pick<RunConfig, Part>,
  part: Exclude<Part, "generation_prompt" | "rationale_prompt">,
  text: string
) => c[part].replaceAll(`{${places[part]}}`, () => text)
