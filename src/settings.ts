/** Settings from where users keep them: a JSON or YAML file, and `key=value` pairs that win over it. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import { basename } from "node:path"
import { isScalar, LineCounter, parse, parseDocument, Scalar, visit } from "yaml"
import { brief, cut } from "./domain/brief.ts"
import { COMMAND_LINE, ConfigError, settingOf, settle } from "./domain/configure.ts"
import { fields, type Raw } from "./domain/RunConfig.ts"
import { FileError, located, readText } from "./runtime/layers/files.ts"

/** Bytes of a file of settings, at most: no one writes more by hand. */
const MOST = 2 ** 20

const bad = (path: string, place: string, reason: string) => new FileError({ path, place, reason: cut(reason, 200) })

/** Where in a YAML text something is wrong, and what. */
interface Fault {
  readonly at: number
  readonly reason: string
}

/** Keys that a mapping has twice, and numbers that older YAML reads as octal: both would be taken without a word. */
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

/** What a YAML 1.2 text holds, or the first thing wrong with it. Aliases are followed a hundredfold at most. */
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

/** What a JSON text holds; a key given twice is an error, which JSON itself would pass over. */
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

/** A JSON or YAML file that holds one object. */
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

/** YAML's reading of a value, or the text where it is none, or no more than a part of it: there are no comments. */
const literal = (text: string): unknown => {
  if (/^\s*[+-]?0\d/.test(text) || /(^|\s)#/.test(text)) return text
  try {
    return parse(text, { logLevel: "error" }) as unknown
  } catch {
    return text
  }
}

/**
 * A value of the command line, as the setting takes it: numbers, truth values, lists and objects as in a YAML file; where
 * the setting takes a string, the text as it stands, or what is between its quotes.
 */
const valueOf = (key: string, text: string): unknown => {
  const read = literal(text)
  const field = settingOf(key)
  const fits = field === undefined ? () => true : Schema.is(fields[field])
  if (typeof read !== "string") return fits(read) || !fits(text) ? read : text
  return /^\s*["']/.test(text) ? read : text
}

/** `key=value` pairs as settings, of which the last of a setting counts; that there are others is told. */
export const pairs = Effect.fnUntraced(function*(given: ReadonlyArray<string>) {
  const found = new Map<string, unknown>()
  const [problems, again] = [new Array<string>(), new Set<string>()]
  for (const pair of given) {
    const at = pair.indexOf("=")
    const key = pair.slice(0, Math.max(0, at)).trim()
    const name = settingOf(key) ?? key
    if (key === "") problems.push(`${brief(pair)} is not key=value`)
    if (found.has(name)) again.add(brief(name))
    found.set(name, valueOf(key, pair.slice(at + 1)))
  }
  if (problems.length > 0) return yield* new ConfigError({ source: COMMAND_LINE, problems })
  if (again.size > 0) yield* Effect.logWarning(`--set: given more than once, the last counts: ${[...again].join(", ")}`)
  return Object.fromEntries(found) as Raw
})

/** A run's own `settings.json` has all settings in full: nobody gave each of them. */
const isOurs = (path: string): boolean => basename(path) === "settings.json"

/** What is wrong with a file that was taken for settings, as far as its keys tell. */
const mistaken = (path: string, file: Raw, { problems }: ConfigError): ReadonlyArray<string> => {
  if (Object.hasOwn(file, "arms")) return ["is the plan of an experiment: anamnesis experiment runs it"]
  if (Object.hasOwn(file, "model_type")) return ["is the config of a model, not settings"]
  const newer = isOurs(path) && Object.keys(file).some((key) => settingOf(key) === undefined)
  return newer
    ? [...problems, "it may be of a run of a newer version, whose settings this one does not know"]
    : problems
}

/** The settings of a file under those of the command line; what changes nothing is told. */
export const load = Effect.fn("loadSettings")(function*(path: string, overrides: Raw) {
  const file = yield* readObject(path)
  const given = [{ source: path, settings: file }, { source: COMMAND_LINE, settings: overrides }]
  const { config, unused } = yield* Effect.mapError(
    settle(given),
    (error) => error.source === path ? new ConfigError({ source: path, problems: mistaken(path, file, error) }) : error
  )
  const told = unused.filter(({ source }) => source === COMMAND_LINE || !isOurs(path))
  if (told.length > 0) yield* Effect.logWarning(`${path}: without effect: ${told.map(({ text }) => text).join(", ")}`)
  return config
})
