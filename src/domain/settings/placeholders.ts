/** The parts of a prompt are texts with a place, `{text}`, for what they are of. */
import { type Prompting, prompting } from "./prompting.ts"
import { aboutOf, type Fields } from "./setting.ts"

/** What other libraries call a place, and where it is here. */
const elsewhere: ReadonlyMap<string, string> = new Map([
  ["title", "a passage's title is part of its {text}"],
  ["options", "the options are part of the {question} (options_in_prompt)"],
  ["choices", "the options are part of the {question} (options_in_prompt)"]
])

/** Names between braces; what a command of TeX is given, as in `\boxed{answer}`, is none, nor are braces of JSON. */
const name = /(?<!\\[a-zA-Z]+)\{\{?\s*([A-Za-z_]\w*)\s*\}?\}/g

const strange = (found: RegExpExecArray, place: string | null): string => {
  const note = elsewhere.get(found[1]!.toLowerCase())
    ?? (place === null ? "nothing is put into it" : `its place is {${place}}`)
  return `${found[0]} is not known; ${note}`
}

const wrong = (part: string, place: string | null, text: string): ReadonlyArray<string> => {
  const unknown = [...text.matchAll(name)].filter(([own]) => own !== `{${place}}`)
  if (unknown.length > 0) return unknown.map((found) => `${part}: ${strange(found, place)}`)
  const missing = place !== null && !text.includes(`{${place}}`)
  return missing ? [`${part}: has no {${place}}, so that the reader would not see it`] : []
}

/** What is wrong with the prompts of settings: a place that is not there, one that nothing would fill. */
export const problems = (fields: Fields, c: Readonly<Record<string, unknown>>): ReadonlyArray<string> =>
  Object.entries(fields).flatMap(([part, field]) => {
    const { placeholder } = aboutOf(field)
    return placeholder === undefined ? [] : wrong(part, placeholder, c[part] as string)
  })

type Filled = "document_prompt" | "question_prompt" | "answer_prompt"

/** A part of a prompt cut at its places: what comes before, between and after the texts that are put there. */
export const around = <P extends Filled>(c: Pick<Prompting, P>, part: P): ReadonlyArray<string> =>
  c[part].split(`{${aboutOf(prompting[part]).placeholder}}`)

/** A part of a prompt with a text at its place, wherever it has it. */
export const fill = <P extends Filled>(c: Pick<Prompting, P>, part: P, text: string): string =>
  around(c, part).join(text)
