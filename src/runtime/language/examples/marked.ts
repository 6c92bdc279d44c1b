/** A chat template whose renderings tell what the assistant said: by the template's own tags, or by end marks. */
import * as Effect from "effect/Effect"
import type { Turn } from "../../../domain/examples/turns.ts"
import { ModelRefused } from "../../ports/LanguageModel.ts"
import type { Tokenizer } from "../../tokenizers/tokenizer.ts"
import * as ChatTemplate from "../templates/chatTemplate.ts"
import * as Templates from "../templates/templates.ts"

/** Marks of the start and the end of what is learned: private characters that texts may not have. */
export const [OPEN, CLOSE] = ["\uE000", "\uE001"] as const

const tag = /(^[ \t]*)?\{%(-?)\s*(end)?generation\s*(-?)%\}(\n?)/gm

/**
 * A template with its `{% generation %}` tags printed as marks; `undefined` if it has none. Blocks lose the spaces before
 * them on their line and the line feed after them (`lstrip_blocks`, `trim_blocks`), expressions do not: they are removed
 * here.
 */
export const withMarks = (template: string): string | undefined => {
  const marked = template.replaceAll(/\r\n?/g, "\n").replaceAll(
    tag,
    (_, __: string | undefined, left: string, end: string | undefined, right: string, feed: string) =>
      `{{${left} "${end === undefined ? OPEN : CLOSE}" ${right}}}${right === "-" ? feed : ""}`
  )
  return marked === template.replaceAll(/\r\n?/g, "\n") ? undefined : marked
}

/** A template for training. */
export interface Marked {
  readonly render: ChatTemplate.Render
  /** The same with marks around what is learned, if the template says what that is. */
  readonly marked: ChatTemplate.Render | undefined
  readonly refuse: (reason: string) => ModelRefused
}

/** Chats as renderings take them. */
export const saidOf = (turns: ReadonlyArray<Turn>) => turns.map((turn) => ({ ...turn }))

/** Loads a folder's template; its processes run until the scope ends. */
export const load = Effect.fnUntraced(function*(tokenizer: Tokenizer) {
  const { path, place, text } = yield* ChatTemplate.find(
    tokenizer,
    "rows of messages are rendered by the model's chat template"
  )
  const refuse = (reason: string) => new ModelRefused({ path, place, reason })
  const variables = { ...ChatTemplate.variablesOf(tokenizer), add_generation_prompt: false }
  const made = Effect.fnUntraced(function*(source: string) {
    const render = yield* Templates.make(source, variables)
    return ((chats, over) => Effect.mapError(render(chats, over), refuse)) as ChatTemplate.Render
  })
  const tagged = withMarks(text)
  return {
    render: yield* made(text),
    marked: tagged === undefined ? undefined : yield* made(tagged),
    refuse
  } satisfies Marked as Marked
})
