/** Settings from where users keep them: a JSON or YAML file, and `key=value` pairs that win over it. */
import * as Effect from "effect/Effect"
import * as Yaml from "effect/encoding/Yaml"
import { decode } from "./domain/configure.ts"
import type { Raw } from "./domain/RunConfig.ts"
import { FileError, readText } from "./runtime/layers/files.ts"

/** A JSON or YAML file that holds one object. */
export const readObject = Effect.fn("readObject")(function*(path: string) {
  const text = yield* readText(path)
  const value = yield* Effect.try({
    try: () => path.endsWith(".json") ? JSON.parse(text) as unknown : Yaml.parse(text),
    catch: (cause) => new FileError({ path, place: "", reason: (cause as Error).message })
  })
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return yield* new FileError({ path, place: "", reason: "is not a list of settings" })
  }
  return value as Raw
})

/** "3e-5" as a number, "true" as a truth value, anything else as it stands. */
const literal = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}

/** `key=value` pairs as settings. */
export const pairs = (given: Readonly<Record<string, string>>): Raw =>
  Object.fromEntries(Object.entries(given).map(([key, value]) => [key, literal(value)]))

export const load = Effect.fn("loadSettings")(function*(path: string, overrides: Raw) {
  return yield* decode(path, yield* readObject(path), overrides)
})
