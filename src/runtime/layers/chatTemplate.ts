/** The chat template of a model folder, as what comes before and after a user's words. */
import { Template } from "@huggingface/jinja"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { join } from "node:path"
import { FileError, located, readText } from "./files.ts"
import { special, type Tokenizer } from "./tokenizer.ts"

/** Token ids around what the user says: the template's own beginning, and all up to the answer. */
export interface Turn {
  readonly before: ReadonlyArray<number>
  readonly after: ReadonlyArray<number>
}

/** Stands for the user's words while the template is rendered. */
const WORDS = "\uE000"
/** A template that asks for the day gets the same one every day. */
const DAY = "26 Jul 2024"
const SAME_DAY = `{%- macro strftime_now(format) -%}${DAY}{%- endmacro -%}`

const FILE = "chat_template.jinja"

/** The template of a file of its own, or of the config: a text, or several by name. */
const templateOf = Effect.fnUntraced(function*({ config, folder }: Tokenizer) {
  const fs = yield* FileSystem.FileSystem
  const path = join(folder, FILE)
  if (yield* fs.exists(path).pipe(located(path))) return yield* readText(path)
  const given = config["chat_template"] as string | ReadonlyArray<{ name: string; template: string }> | undefined
  return typeof given === "string" ? given : given?.find(({ name }) => name === "default")?.template
})

const render = (template: string, tokenizer: Tokenizer): string =>
  new Template(SAME_DAY + template).render({
    messages: [{ role: "user", content: WORDS }],
    add_generation_prompt: true,
    date_string: DAY,
    ...Object.fromEntries(
      ["bos", "eos", "pad", "unk"].map((name) => [`${name}_token`, special(tokenizer, `${name}_token`) ?? ""])
    )
  })

/** The ids of a text's beginning and end, each as it is beside a word: spaces between may belong to the word. */
const around = ({ encode }: Tokenizer, before: string, after: string): Turn => {
  const word = encode("a")
  const [left, right] = [encode(`${before}a`), encode(`a${after}`)]
  const [rest, tail] = [left.slice(0, -word.length), right.slice(word.length)]
  return {
    before: [...rest, ...word].join() === left.join() ? rest : encode(before),
    after: [...word, ...tail].join() === right.join() ? tail : encode(after)
  }
}

export const load = Effect.fnUntraced(function*(tokenizer: Tokenizer) {
  const path = join(tokenizer.folder, "tokenizer_config.json")
  const fail = (reason: string) => new FileError({ path, place: "chat_template", reason })
  const template = yield* templateOf(tokenizer)
  if (template === undefined) return yield* fail(`is not there, nor is ${FILE}; set apply_chat_template: false`)
  const text = yield* Effect.try({ try: () => render(template, tokenizer), catch: (cause) => fail(String(cause)) })
  const parts = text.split(WORDS)
  if (parts.length !== 2) return yield* fail(`puts a user's words ${parts.length - 1} times, not once`)
  return around(tokenizer, parts[0]!, parts[1]!)
})
