/** The chat template of a model folder. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { modelFiles } from "../../../domain/fileNames.ts"
import { isObject } from "../../files/config/keys.ts"
import { FileError } from "../../files/disk.ts"
import { exists, readJson, readText } from "../../files/model.ts"
import { ModelRefused } from "../../ports/LanguageModel.ts"
import { special, type Tokenizer } from "../../tokenizers/tokenizer.ts"
import type { Pieced, Said } from "./jinja/render.ts"
import * as Templates from "./templates.ts"

/** Renders chats, with the generation prompt for the assistant's answer unless the variables say otherwise. */
export type Render = (
  chats: ReadonlyArray<ReadonlyArray<Said>>,
  variables?: Readonly<Record<string, unknown>>
) => Effect.Effect<ReadonlyArray<string>, ModelRefused>

/** Renders chats in pieces: as lists of these if the template takes them apart, else as texts with a token for each picture. */
export type Compose = (
  chats: ReadonlyArray<ReadonlyArray<Pieced>>
) => Effect.Effect<ReadonlyArray<string>, ModelRefused>

/** A loaded chat template. */
export interface ChatTemplate {
  readonly render: Render
  readonly compose: Compose
}

const FILE = modelFiles.chatTemplate
const CONFIG = modelFiles.tokenizerConfig
/** A placeholder for the user's message, to test the template. */
const WORDS = "\uE000"

/** The text of a template, and where it stands. */
export interface Found {
  readonly path: string
  readonly place: string
  readonly text: string
}

/** Templates by name, from a list of names and texts or an object. */
const named = (given: unknown): ReadonlyMap<string, unknown> => {
  if (!Array.isArray(given)) return new Map(Object.entries(isObject(given) ? given : {}))
  return new Map(given.filter(isObject).map(({ name, template }) => [String(name), template]))
}

/**
 * The template from its own file, from that of older processors, or from the config: a text, or "default" among several;
 * `remedy` if there is none.
 */
export const find = Effect.fnUntraced(function*({ config, folder }: Tokenizer, remedy: string) {
  const own = join(folder, FILE)
  if (yield* exists(own)) return { path: own, place: "", text: yield* readText(own) }
  const older = join(folder, modelFiles.processorTemplate)
  const json = (yield* exists(older)) ? yield* readJson(older) : undefined
  const [path, place] = [json === undefined ? join(folder, CONFIG) : older, "chat_template"]
  const given = (isObject(json) ? json : config)[place]
  const fail = (reason: string) => new FileError({ path, place, reason })
  if (given === undefined || given === null) {
    return yield* fail(`is not there, nor is ${FILE}; ${remedy}`)
  }
  if (typeof given === "string") return { path, place, text: given }
  const templates = named(given)
  const text = templates.get("default")
  if (typeof text === "string") return { path, place, text }
  const names = [...templates.keys()].join(", ")
  return yield* fail(
    templates.size > 0 ? `none of its templates (${names}) is called "default"` : "is neither a text nor texts by name"
  )
})

/** As in transformers: missing special tokens are undefined, and so is the date. */
export const variablesOf = (tokenizer: Tokenizer) => {
  const names = ["bos", "eos", "unk", "sep", "pad", "cls", "mask"].map((name) => `${name}_token`)
  const tokens = names.flatMap((name) => {
    const token = special(tokenizer, name)
    return token === undefined ? [] : [[name, token] as const]
  })
  return { add_generation_prompt: true, tools: null, documents: null, ...Object.fromEntries(tokens) }
}

/** The message as one text. */
const whole = ({ content, role }: Pieced, token: string): Said => ({
  role,
  content: content.map((piece) => piece.type === "image" ? token : piece.text).join("")
})

const times = (text: string, words: string): number => text.split(words).length - 1

/** A user's message with a picture between its words. */
const shown: Pieced = {
  role: "user",
  content: [{ type: "text", text: WORDS }, { type: "image" }, { type: "text", text: "\uE001" }]
}

/** Whether a template takes messages apart, and keeps a picture's place; `undefined` if it shows none. */
const takes = Effect.fnUntraced(function*(render: Templates.Rendering, token: string) {
  for (const lists of [true, false]) {
    const [text = ""] = yield* Effect.orElseSucceed(render([[lists ? shown : whole(shown, token)]]), () => [])
    if (times(text, WORDS) !== 1 || times(text, "\uE001") !== 1 || times(text, token) !== 1) continue
    return { lists, keeps: text.indexOf(WORDS) < text.indexOf(token) && text.indexOf(token) < text.indexOf("\uE001") }
  }
  return undefined
})

/**
 * Loads the template; its process runs until the scope ends. Fails unless the template inserts a user message exactly
 * once, and a picture where `token` stands for pictures.
 */
export const load = Effect.fnUntraced(function*(tokenizer: Tokenizer, token?: string) {
  const { path, place, text }: Found = yield* find(tokenizer, "set apply_chat_template: false")
  const refuse = (reason: string) => new ModelRefused({ path, place, reason })
  const render = yield* Templates.make(text, variablesOf(tokenizer))
  const fail = (reason: string) => new FileError({ path, place, reason })
  const how = token === undefined ? { lists: false, keeps: true } : yield* takes(render, token)
  if (how === undefined) {
    return yield* fail(`shows a picture (${token}) neither of a message in pieces nor of one text, or not once`)
  }
  if (!how.keeps) {
    yield* Effect.logWarning(`${path}: the template moves pictures away from where they stand in a message`)
  }
  const compose: Compose = (chats) =>
    Effect.mapError(
      render(how.lists ? chats : chats.map((chat) => chat.map((own) => whole(own, token ?? "")))),
      refuse
    )
  if (token === undefined) {
    const [probe] = yield* Effect.mapError(render([[{ role: "user", content: WORDS }]]), fail)
    if (times(probe!, WORDS) !== 1) return yield* fail(`puts a user's words ${times(probe!, WORDS)} times, not once`)
  }
  return {
    compose,
    render: (chats, over) => Effect.mapError(render(chats, over), refuse)
  } satisfies ChatTemplate as ChatTemplate
})
