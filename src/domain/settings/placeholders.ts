/** Prompt templates: texts with a placeholder such as `{text}`. */
import { type Prompting, prompting } from "./prompting.ts"
import { aboutOf, type Fields } from "./setting.ts"

/** Placeholders of other libraries, and what to use instead. */
const elsewhere: ReadonlyMap<string, string> = new Map([
  ["title", "a passage's title is part of its {text}"],
  ["options", "the options are part of the {question} (options_in_prompt)"],
  ["image", "a picture's place is <image>"],
  ["choices", "the options are part of the {question} (options_in_prompt)"]
])

/** Names in braces, except the arguments of TeX commands (`\boxed{answer}`) and braces of JSON. */
const name = /(?<!\\[a-zA-Z]+)\{\{?\s*([A-Za-z_]\w*)\s*\}?\}/g

const strange = (found: RegExpExecArray, place: string | null): string => {
  const note = elsewhere.get(found[1]!.toLowerCase())
    ?? (place === null ? "nothing is put into it" : `its place is {${place}}`)
  return `${found[0]} is not known; ${note}`
}

const wrong = (part: string, place: string | null, text: string, optional: boolean): ReadonlyArray<string> => {
  if (optional && text === "") return []
  const unknown = [...text.matchAll(name)].filter(([own]) => own !== `{${place}}`)
  if (unknown.length > 0) return unknown.map((found) => `${part}: ${strange(found, place)}`)
  const missing = place !== null && !text.includes(`{${place}}`)
  const places = text.split(IMAGE).length - 1
  const most = part === "answer_prompt" || place === null ? 0 : 1
  return [
    ...(missing ? [`${part}: has no {${place}}, so that the reader would not see it`] : []),
    ...(places > most ? [`${part}: has ${places} times ${IMAGE}, and may have ${most}`] : [])
  ]
}

/** Problems with the prompt templates: a missing placeholder, or one that nothing fills. */
export const problems = (fields: Fields, c: Readonly<Record<string, unknown>>): ReadonlyArray<string> =>
  Object.entries(fields).flatMap(([part, field]) => {
    const { default: usual, placeholder } = aboutOf(field)
    return placeholder === undefined ? [] : wrong(part, placeholder, c[part] as string, usual === "")
  })

type Filled = "document_prompt" | "question_prompt" | "answer_prompt" | "rationale_target"

/** Words of a prompt that a picture stands in place of. */
export const IMAGE = "<image>"

/** A template split at its placeholders: the text before, between and after them. */
export const around = <P extends Filled>(c: Pick<Prompting, P>, part: P): ReadonlyArray<string> =>
  c[part].split(`{${aboutOf(prompting[part]).placeholder}}`)

/** Whether a template says where a picture goes. */
export const showsImage = <P extends Filled>(c: Pick<Prompting, P>, part: P): boolean => c[part].includes(IMAGE)

/** What stands before and after a picture's place in a template, each split at its placeholders; all of it without a picture. */
export const aroundImage = <P extends Filled>(
  c: Pick<Prompting, P>,
  part: P,
  pictured: boolean
): ReadonlyArray<ReadonlyArray<string>> => {
  const pieces = c[part].split(IMAGE)
  return (pictured ? pieces : [pieces.join("")]).map((piece) => around({ [part]: piece } as Pick<Prompting, P>, part))
}

/** A template with a text in place of every placeholder. */
export const fill = <P extends Filled>(c: Pick<Prompting, P>, part: P, text: string): string =>
  around(c, part).join(text)
