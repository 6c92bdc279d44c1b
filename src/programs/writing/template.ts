/** Prompts as files with places such as `{query}`: those that come with the package, or the user's. */
import * as Effect from "effect/Effect"
import { fileURLToPath } from "node:url"
import { ConfigError } from "../../domain/settings/configure.ts"
import { readText, sha256 } from "../../runtime/files/disk.ts"
import type { Turn } from "../../runtime/ports/Writer.ts"

/** A prompt with places. */
export interface Template {
  readonly path: string
  /** SHA-256 of its text. */
  readonly sha256: string
  /** Its own words, between the places. */
  readonly pieces: ReadonlyArray<string>
  /** The prompt with a text in each place; the texts themselves have no places. */
  readonly fill: (texts: Readonly<Record<string, string>>) => string
  /** The same as a dialogue: lines `--- assistant` and `--- user` begin a message, so that a prompt may have examples. */
  readonly turns: (texts: Readonly<Record<string, string>>) => ReadonlyArray<Turn>
}

/** Prompts that come with the package. */
const shipped = fileURLToPath(new URL("../../../prompts", import.meta.url))

/** Where a file that comes with the package, beside the prompts, lies. */
export const shippedPath = (name: string): string => `${shipped}/${name}`

/** What a prompt may have a place for, and whether it must. */
export type Places = Readonly<Record<string, "needed" | "possible">>

const place = /\{([a-z_]+)\}/g

/** A line that begins a message. */
const role = /^--- (user|assistant)$/m

/** Messages of a prompt: who says them, and their text with places; the first is the user's. */
const messagesOf = (text: string): ReadonlyArray<Turn> => {
  const parts = ["user", ...text.split(role)]
  return Array.from({ length: parts.length / 2 }, (_, i): Turn => ({
    role: parts[2 * i] as "user" | "assistant",
    text: parts[2 * i + 1]!.trim()
  }))
}

const filled = (text: string, texts: Readonly<Record<string, string>>): string =>
  text.split(place).map((part, i) => i % 2 === 0 ? part : texts[part] ?? "").join("")

/** Whether users and assistant take turns, and the user has the last word. */
const alternates = (messages: ReadonlyArray<Turn>): boolean =>
  messages.length % 2 === 1
  && messages.every((own, i) => own.role === (i % 2 === 0 ? "user" : "assistant") && own.text !== "")

/** A prompt's text as a template; `path` is for messages. */
export const templateOf = Effect.fnUntraced(function*(path: string, text: string, places: Places) {
  const found = new Set([...text.matchAll(place)].map((match) => match[1]!))
  const known = Object.keys(places)
  const messages = messagesOf(text)
  const problems = [
    ...(alternates(messages) ? [] : ["user and assistant have to take turns, none silent, and the last is the user"]),
    ...[...found].filter((name) => !Object.hasOwn(places, name)).map((name) =>
      `nothing is put into {${name}}; the places are ${known.map((own) => `{${own}}`).join(", ")}`
    ),
    ...known.filter((name) => places[name] === "needed" && !found.has(name)).map((name) =>
      `has no {${name}}, so that the model would not see it`
    )
  ]
  if (problems.length > 0) return yield* new ConfigError({ source: path, problems })
  return {
    path,
    sha256: sha256(text),
    pieces: messages.flatMap((own) => own.text.split(place).filter((_, i) => i % 2 === 0)),
    fill: (texts) => filled(text, texts),
    turns: (texts) => messages.map((own) => ({ role: own.role, text: filled(own.text, texts) }))
  } satisfies Template as Template
})

/** Reads a user's prompt, or the one of this name that comes with the package. */
export const load = Effect.fnUntraced(function*(given: string | undefined, name: string, places: Places) {
  const path = given ?? shippedPath(`${name}.md`)
  const text = (yield* readText(path)).replaceAll("\r\n", "\n").trim()
  return yield* templateOf(path, text, places)
})
