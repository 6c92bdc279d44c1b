/** Settings and plans: user-written JSON or YAML files that hold one object. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { isScalar, LineCounter, parse, parseDocument, Scalar, stringify, visit } from "yaml"
import { brief, cut } from "../../domain/brief.ts"
import type { Raw } from "../../domain/settings/RunConfig.ts"
import { FileError, located, readText } from "./disk.ts"

/** Maximum size in bytes of a settings file. */
const MOST = 2 ** 20

const bad = (path: string, place: string, reason: string) => new FileError({ path, place, reason: cut(reason, 200) })

/** An error in a YAML text, with its position. */
interface Fault {
  readonly at: number
  readonly reason: string
}

/** Duplicate keys, and numbers that YAML 1.1 reads as octal: YAML 1.2 would accept both silently. */
const ambiguities = (document: ReturnType<typeof parseDocument>): ReadonlyArray<Fault> => {
  const faults: Array<Fault> = []
  visit(document, {
    Map: (_, { items }) => {
      const seen = new Set<unknown>()
      for (const { key } of items) {
        if (!isScalar(key) || key.value === "<<") continue
        if (seen.has(key.value)) faults.push({ at: key.range?.[0] ?? 0, reason: `${brief(key.value)} is given twice` })
        seen.add(key.value)
      }
    },
    Scalar: (_, { range, source, type, value }) => {
      if (type !== Scalar.PLAIN || typeof value !== "number" || !/^[+-]?0\d/.test(source ?? "")) return
      const reason = `${
        cut(source!, 20)
      } is octal to some readers and decimal to others; write it without leading zeros`
      faults.push({ at: range?.[0] ?? 0, reason })
    }
  })
  return faults
}

const reasons: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: "a tab is no indentation in YAML; use spaces",
  MULTIPLE_DOCS: "there are several documents; one is wanted",
  NON_STRING_KEY: "a key has to be a string"
}

/** Parses YAML 1.2; fails with the first error. Alias expansion is limited to a factor of 100. */
const parseYaml = (path: string, text: string): Effect.Effect<unknown, FileError> => {
  const lineCounter = new LineCounter()
  const place = (at: number) => `line ${lineCounter.linePos(at).line}`
  const failed = (cause: unknown) => {
    const deep = cause instanceof RangeError
    return bad(path, "", deep ? "is nested too deeply" : `has too many aliases (${(cause as Error).message})`)
  }
  return Effect.try({
    try: () =>
      parseDocument(text, { lineCounter, merge: true, prettyErrors: false, stringKeys: true, uniqueKeys: false }),
    catch: failed
  }).pipe(
    Effect.flatMap((document) => {
      const wrong = [...document.errors, ...document.warnings].map(({ code, message, pos }): Fault => ({
        at: pos[0],
        reason: reasons[code] ?? (/call stack/.test(message) ? "is nested too deeply" : `not YAML: ${message}`)
      }))
      const [first] = wrong.length > 0 ? wrong : ambiguities(document)
      if (first) return Effect.fail(bad(path, place(first.at), first.reason))
      return Effect.try({ try: () => document.toJS({ maxAliasCount: 100 }) as unknown, catch: failed })
    })
  )
}

/** Parses JSON; duplicate keys, which `JSON.parse` accepts, are errors. */
const parseJson = (path: string, text: string): Effect.Effect<unknown, FileError> =>
  Effect.try({
    try: () => JSON.parse(text) as unknown,
    catch: (cause) => bad(path, "", `not JSON: ${(cause as Error).message}`)
  }).pipe(Effect.tap(() => {
    const lineCounter = new LineCounter()
    return Effect.try({
      try: () =>
        ambiguities(parseDocument(text, { lineCounter, prettyErrors: false, schema: "json", uniqueKeys: false })),
      catch: () => bad(path, "", "is nested too deeply")
    }).pipe(Effect.flatMap(([first]) =>
      first ? Effect.fail(bad(path, `line ${lineCounter.linePos(first.at).line}`, first.reason)) : Effect.void
    ))
  }))

/** Reads a JSON or YAML file that holds one object. */
export const readObject = Effect.fn("readObject")(function*(path: string) {
  const { size } = yield* FileSystem.FileSystem.use((fs) => fs.stat(path)).pipe(located(path))
  if (size > BigInt(MOST)) return yield* bad(path, "", `is larger than 1 MiB: no file of settings`)
  const text = (yield* readText(path)).replace(/^\uFEFF/, "")
  const value = yield* /\.json$/i.test(path) ? parseJson(path, text) : parseYaml(path, text)
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Raw
  const what = value === null || value === undefined
    ? "is empty"
    : `holds ${Array.isArray(value) ? "a list" : "one value"}`
  return yield* bad(path, "", `${what}: settings are lines of "key: value"`)
})

/** Parses a value as YAML; returns the text itself if YAML would reject it or treat part of it as a comment. */
export const literal = (text: string): unknown => {
  if (/^\s*[+-]?0\d/.test(text) || /(^|\s)#/.test(text)) return text
  try {
    return parse(text, { logLevel: "error" }) as unknown
  } catch {
    return text
  }
}

/** The YAML of an object, which `readObject` reads back. */
export const yamlOf = (value: Raw): string => stringify(value, { lineWidth: 0, aliasDuplicateObjects: false })
