/** Prompts of tasks: description, examples and the record's question, as one text or as a dialogue, put together as in lm-evaluation-harness. */

/** A turn, and what follows it in plain text. */
interface Turn {
  readonly role: "system" | "user" | "assistant"
  readonly text: string
  readonly after: string
}

/** A question with what the answer begins with. */
export interface Question {
  readonly text: string
  readonly prefix: string
}
/** An example: a question with its answer. */
export interface Shot extends Question {
  readonly answer: string
}

/** What a prompt is made of. */
export interface PromptParts {
  readonly system: string
  readonly description: string
  readonly shots: ReadonlyArray<Shot>
  readonly question: Question
  readonly target_delimiter: string
  readonly fewshot_delimiter: string
}

/** Joins two texts by a delimiter, unless one is empty or has white space where they meet. */
export const delimited = (before: string, after: string, delimiter: string): string =>
  before === "" || after === "" || /\s$/.test(before) || /^\s/.test(after) ? before + after : before + delimiter + after

const questionOf = ({ prefix, text }: Question, delimiter: string, answered: boolean): Turn => {
  const apart = text !== "" && !/\s$/.test(text) && !/^\s/.test(prefix)
  const after = answered && prefix === "" ? delimiter : prefix !== "" && apart ? delimiter : ""
  return { role: "user", text, after }
}

/** The turns of a prompt, which ends with the question, or with what the answer begins with. */
const turnsOf = (p: PromptParts): ReadonlyArray<Turn> => {
  const system = delimited(p.system, p.description, p.fewshot_delimiter)
  const shots = p.shots.flatMap((shot): ReadonlyArray<Turn> => [
    questionOf(shot, p.target_delimiter, true),
    { role: "assistant", text: delimited(shot.prefix, shot.answer, " "), after: p.fewshot_delimiter }
  ])
  return [
    ...(system === "" ? [] : [{ role: "system", text: system, after: "" } as const]),
    ...shots,
    questionOf(p.question, p.target_delimiter, false),
    ...(p.question.prefix === "" ? [] : [{ role: "assistant", text: p.question.prefix, after: "" } as const])
  ]
}

/** A message of a dialogue. */
export type Said = Pick<Turn, "role" | "text">

/** The prompt as a dialogue, each example a turn of each side. */
export const dialogue = (p: PromptParts): ReadonlyArray<Said> => turnsOf(p).map(({ role, text }) => ({ role, text }))

/** The prompt as one text. */
export const plain = (p: PromptParts): string => turnsOf(p).map(({ after, text }) => text + after).join("")

/** What is between a prompt and a choice: in dialogues nothing, unless the choice continues a begun answer. */
export const beforeChoice = ({ question, target_delimiter }: PromptParts, chat: boolean): string =>
  !chat || (question.prefix !== "" && !/\s$/.test(question.prefix)) ? target_delimiter : ""
