/** From what the user wrote to a `RunConfig`, or every reason why not. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { problemOf } from "./pattern.ts"
import * as Placeholders from "./placeholders.ts"
import { aliases, defaults, presets } from "./presets.ts"
import { fields, type Raw, RunConfig } from "./RunConfig.ts"
import { parse } from "./Schedule.ts"

/** A configuration that cannot be run: one line a problem, each naming its key. */
export class ConfigError extends Schema.TaggedError<ConfigError>()("ConfigError", {
  source: Schema.String,
  problems: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `${this.source}: ${this.problems.join("; ")}`
  }
}

const canonical: ReadonlyMap<string, string> = new Map(
  Object.entries(aliases).flatMap(([name, others]) => others.map((other) => [other, name] as const))
)
const known = new Set(Object.keys(fields))

/** Edits (insert, delete, replace, swap neighbours) from one word to another. */
const distance = (a: string, b: string): number => {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replace = rows[i - 1]![j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      row.push(Math.min(replace, rows[i - 1]![j]! + 1, row[j - 1]! + 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        row[j] = Math.min(row[j]!, rows[i - 2]![j - 2]! + 1)
      }
    }
    rows.push(row)
  }
  return rows[a.length]![b.length]!
}

/** The candidate nearest in spelling, if any is near. */
export const didYouMean = (word: string, candidates: Iterable<string>): string | undefined => {
  const ranked = [...candidates].map((c) => [distance(word, c), c] as const).toSorted((a, b) => a[0] - b[0])
  const [best] = ranked
  return best && best[0] <= Math.max(2, word.length / 3) ? best[1] : undefined
}

const unknownKey = (key: string): string => {
  const near = didYouMean(key, [...known, ...canonical.keys()])
  return `unknown key "${key}"${near ? `, did you mean "${canonical.get(near) ?? near}"?` : ""}`
}

/** Keys under their canonical names: aliases and kebab-case are accepted, a key given twice is a problem. */
const rename = (raw: Raw): { readonly settings: Raw; readonly problems: ReadonlyArray<string> } => {
  const settings: Record<string, unknown> = {}
  const problems: Array<string> = []
  for (const [key, value] of Object.entries(raw)) {
    const snake = key.replaceAll("-", "_")
    const name = canonical.get(snake) ?? snake
    if (!known.has(name)) problems.push(unknownKey(key))
    else if (name in settings) problems.push(`"${name}" is given twice (as "${key}")`)
    else settings[name] = value
  }
  return { settings, problems }
}

/** A pattern of modules' names that is none. */
const unreadable = (key: string, modules: RunConfig["lora_target_modules"]): string | false => {
  const problem = typeof modules === "string" ? problemOf(modules) : undefined
  return problem !== undefined && `${key}: "${modules}" is no pattern of names: ${problem}`
}

/** What must hold between keys. */
const conflicts = (c: RunConfig): ReadonlyArray<string> =>
  [
    c.retriever_n_context > c.n_candidates
    && `retriever_n_context (${c.retriever_n_context}) exceeds n_candidates (${c.n_candidates})`,
    c.n_context > c.n_candidates && `n_context (${c.n_context}) exceeds n_candidates (${c.n_candidates})`,
    c.context === "sampled" && c.n_context > c.retriever_n_context
    && `n_context (${c.n_context}) exceeds retriever_n_context (${c.retriever_n_context}), from which it is taken`,
    c.gold_score_mode === "llm_rank" && c.retriever_n_context < 2 && "llm_rank compares at least 2 passages",
    c.retriever_lora_r > 0 && c.retriever_trainable === "embeddings"
    && `retriever_trainable "embeddings" and retriever_lora_r (${c.retriever_lora_r}) exclude each other; name the `
      + "embeddings in retriever_modules_to_save",
    ...Placeholders.problems(c),
    ...(["lora_target_modules", "retriever_lora_target_modules"] as const).map((key) => unreadable(key, c[key])),
    parse(c.refresh_index) === undefined
    && `refresh_index: "${c.refresh_index}" is not "never", a number of steps, or ranges such as "0-100:10,100-1000:500"`
  ].filter((problem) => problem !== false)

/** Decodes the user's settings; `overrides` win over the file, the file over the preset, the preset over the defaults. */
export const decode = (source: string, file: Raw, overrides: Raw = {}): Effect.Effect<RunConfig, ConfigError> => {
  const [base, top] = [rename(file), rename(overrides)]
  const problems = [...new Set([...base.problems, ...top.problems])]
  if (problems.length > 0) return Effect.fail(new ConfigError({ source, problems }))
  const own = { ...base.settings, ...top.settings }
  const preset = presets[own["preset"] as RunConfig["preset"]] ?? presets.paper
  return Schema.decodeUnknownEffect(RunConfig)({ ...defaults, ...preset, ...own }, { errors: "all" }).pipe(
    Effect.mapError((error) => new ConfigError({ source, problems: flatten(error.message) })),
    Effect.flatMap((config) => {
      const found = conflicts(config)
      return found.length > 0 ? Effect.fail(new ConfigError({ source, problems: found })) : Effect.succeed(config)
    })
  )
}

/** "Expected x\n  at ["key"]" pairs as "key: expected x". */
const flatten = (issues: string): ReadonlyArray<string> =>
  issues.split(/\n(?=\S)/).map((issue) => {
    const [, what, key] = /^(.*?)\s+at \["(.*?)"\]/s.exec(issue) ?? []
    return key ? `${key}: ${what!.toLowerCase()}` : issue
  })
