/** Which modules `adapter_config.json` targets, by PEFT's rules. */
import { cut } from "../../domain/brief.ts"
import { fullMatch, PatternError } from "../../domain/pattern.ts"

/** Module names: path suffixes, or a pattern for whole paths. */
type Names = string | ReadonlyArray<string> | null

/** The keys that select modules. */
export interface Targeting {
  readonly target_modules: Names
  readonly exclude_modules: Names
  readonly modules_to_save: ReadonlyArray<string> | null
  readonly layers_to_transform: number | ReadonlyArray<number> | null
  readonly layers_pattern: Names
}

type Test = (path: string) => boolean

/** Compiles a pattern of the config, after a prefix. Throws `PatternError` if it is invalid. */
export const compiled = (key: string, pattern: string, prefix = ""): RegExp => {
  try {
    return fullMatch(pattern, prefix)
  } catch (cause) {
    throw new PatternError(`${key}: "${cut(pattern)}" is no pattern: ${(cause as Error).message}`)
  }
}

/** Embeddings, by the names of their modules. */
export const isLookup: Test = (path) => /(^|\.)(embed_tokens|tok_embeddings|\w+_embeddings)$/.test(path)

const isEnd = (names: ReadonlyArray<string>): Test => (path) =>
  names.some((name) => path === name || path.endsWith(`.${name}`))

const named = (key: string, names: string | ReadonlyArray<string>): Test => {
  if (typeof names !== "string") return isEnd(names)
  const pattern = compiled(key, names)
  return (path) => pattern.test(path)
}

/** Whether a path is in one of the layers: by the first number after a module name, or after one of the patterns. */
const inLayers = ({ layers_pattern, layers_to_transform }: Targeting): Test => {
  const layers = [layers_to_transform ?? []].flat()
  if (layers.length === 0) return () => true
  const names = [layers_pattern ?? []].flat().filter((name) => name !== "")
  const patterns = names.length === 0
    ? [/^.*?\.[^.]*\.(?<layer>\d+)\./]
    : names.map((name) => compiled("layers_pattern", `(?:${name})\\.(?P<layer>\\d+)\\..*`, "(?:|.*?\\.)"))
  return (path) => {
    const found = patterns.map((pattern) => pattern.exec(path)).find((match) => match !== null)
    return found !== undefined && layers.includes(Number(found.groups!["layer"]))
  }
}

const targeted = (c: Targeting, names: string | ReadonlyArray<string>): Test => {
  if (names === "all-linear") return (path) => path !== "lm_head" && !isLookup(path)
  const test = named("target_modules", names)
  if (typeof names === "string") return test
  const within = inLayers(c)
  return (path) => names.includes(path) || (test(path) && within(path))
}

/** Whether a module is targeted; all modules if the config names none. Throws `PatternError` for invalid patterns. */
export const targeting = (c: Targeting): Test => {
  const test: Test = c.target_modules === null ? () => true : targeted(c, c.target_modules)
  const excluded: Test = c.exclude_modules === null ? () => false : named("exclude_modules", c.exclude_modules)
  const saved = c.modules_to_save ?? []
  return (path) => test(path) && !excluded(path) && !saved.some((name) => `.${path}.`.includes(`.${name}.`))
}
