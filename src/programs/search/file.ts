/** A file that describes a search of a merge config's numbers: decoded, and all that is wrong with it in one error. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { cut } from "../../domain/brief.ts"
import { issuesOf, pathText } from "../../domain/issues.ts"
import { didYouMean } from "../../domain/nearest.ts"
import { type Point, settled, type Variable } from "../../domain/search/space.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import type { Raw } from "../../domain/settings/RunConfig.ts"
import * as Paths from "./paths.ts"

const optional = Schema.optionalKey
const Path = Schema.NonEmptyString
const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))

/** Weights that sum to 1: a path of several numbers, or several paths of one number each. */
const SimplexOf = Schema.Struct({ simplex: Schema.Union([Path, Schema.NonEmptyArray(Path)]), steps: optional(Count) })
/** A number, the same at all places of its path. */
const NumberOf = Schema.Struct({
  number: Path,
  values: optional(Schema.Array(Schema.Finite)),
  from: optional(Schema.Finite),
  to: optional(Schema.Finite)
})

const LevelOf = Schema.Struct({
  /** Of each development set; all of them, if not given. */
  examples: optional(Count),
  /** Of a retrieval task, those that are judged among them; all, if not given. */
  passages: optional(Count),
  /** Points that go on to the next level: their number, or below 1 their share. */
  keep: optional(Schema.Finite.check(Schema.isGreaterThan(0)))
})
/** A share of the development sets. */
export type Level = typeof LevelOf.Type

const fields = {
  method: optional(Schema.Literals(["grid", "cma-es"])),
  vary: Schema.NonEmptyArray(Schema.Union([SimplexOf, NumberOf])),
  /** Whether the grid has all combinations of what varies; by default one variable is searched after the other. */
  together: optional(Schema.Boolean),
  tasks: Schema.NonEmptyArray(Schema.NonEmptyString),
  /** The folder that the tasks' paths are relative to. */
  data: optional(Schema.NonEmptyString),
  /** Settings of the retriever, as in a run's file. */
  settings: optional(Schema.Record(Schema.String, Schema.Unknown)),
  levels: optional(Schema.NonEmptyArray(LevelOf)),
  refine: optional(Schema.Natural),
  budget: optional(Count),
  seed: optional(Schema.Natural)
}
const File = Schema.Struct(fields)

/** A variable, and the places that take each of its numbers. */
export interface Varied {
  readonly variable: Variable
  readonly places: ReadonlyArray<ReadonlyArray<Paths.Place>>
  /** Names of its numbers. */
  readonly names: ReadonlyArray<string>
}

/** A search. */
export interface Search {
  readonly method: "grid" | "cma-es"
  readonly varied: ReadonlyArray<Varied>
  /** The template's numbers. */
  readonly start: Point
  readonly together: boolean
  readonly tasks: ReadonlyArray<string>
  readonly data: string
  readonly settings: Raw
  readonly levels: ReadonlyArray<Level>
  readonly refine: number
  /** `undefined`: as many as the method asks for. */
  readonly budget: number | undefined
  readonly seed: number
}

/** Levels unless the file has others: 32 examples, then 64 of the best third, then all of the best four. */
const usual: ReadonlyArray<Level> = [
  { examples: 32, passages: 700, keep: 1 / 3 },
  { examples: 64, passages: 2500, keep: 4 },
  {}
]
const [STEPS, HALVINGS] = [4, 2]

type Json = Readonly<Record<string, unknown>>

/** What is found, or what is wrong. */
type Found<A> = { readonly value: A } | { readonly problems: ReadonlyArray<string> }

const simplexOf = (given: typeof SimplexOf.Type, template: Json): Found<Varied> => {
  const paths = typeof given.simplex === "string" ? [given.simplex] : given.simplex
  const found = paths.map((path) => Paths.resolve(template, path))
  const problems = found.filter((own) => typeof own === "string")
  if (problems.length > 0) return { problems }
  const sets = found as ReadonlyArray<ReadonlyArray<Paths.Place>>
  const places = typeof given.simplex === "string" ? sets[0]!.map((place) => [place]) : sets
  if (places.length < 2) return { problems: [`${cut(paths[0]!)}: a simplex needs two numbers or more`] }
  const negative = places.flat().find((place) => !(Number(Paths.at(template, place)) >= 0))
  if (negative !== undefined) return { problems: [`${pathText(negative)}: a number of a simplex is at least 0`] }
  const names = typeof given.simplex === "string" ? sets[0]!.map(pathText) : paths
  return { value: { variable: { kind: "simplex", size: places.length, steps: given.steps ?? STEPS }, places, names } }
}

const numberOf = (given: typeof NumberOf.Type, template: Json, grid: boolean): Found<Varied> => {
  const places = Paths.resolve(template, given.number)
  const values = [...new Set(given.values ?? [])].toSorted((a, b) => a - b)
  const name = cut(given.number)
  const [from, to] = [given.from ?? values[0], given.to ?? values.at(-1)]
  const problems = [
    typeof places === "string" && places,
    grid && values.length === 0 && `${name}: values: has none, so that the grid is empty`,
    !grid && (from === undefined || to === undefined) && `${name}: cma-es needs from and to`,
    from !== undefined && to !== undefined && from > to && `${name}: from ${from} is greater than to ${to}`,
    values.some((value) => value < from! || value > to!) && `${name}: values lie outside from ${from} to ${to}`
  ].filter((problem) => problem !== false)
  if (problems.length > 0) return { problems }
  const variable = { kind: "number", values: values.map(settled), from: from!, to: to! } as const
  return { value: { variable, places: [places as ReadonlyArray<Paths.Place>], names: [given.number] } }
}

/** The template's numbers of a variable: those of a simplex divided by their sum. */
const startOf = (template: Json, { places, variable }: Varied): ReadonlyArray<number> => {
  const own = places.map(([first]) => Number(Paths.at(template, first!)))
  if (variable.kind === "number") return own
  const sum = own.reduce((a, b) => a + b, 0)
  return own.map((x) => settled(sum > 0 ? x / sum : 1 / own.length))
}

/** Places that two variables name. */
const shared = (varied: ReadonlyArray<Varied>): ReadonlyArray<string> => {
  const all = varied.flatMap(({ places }) => places.flat()).map(pathText)
  return [...new Set(all.filter((place, i) => all.indexOf(place) < i))].map((place) => `vary: ${place} is named twice`)
}

const ofLevels = (levels: ReadonlyArray<Level>): ReadonlyArray<string> =>
  levels.flatMap(({ keep }, i) => {
    const isLast = i === levels.length - 1
    if (isLast === (keep === undefined)) {
      return keep !== undefined && keep > 1 && !Number.isInteger(keep)
        ? [`levels[${i}].keep: ${keep} is neither a number of points nor a share below 1`]
        : []
    }
    return [`levels[${i}].keep: ${isLast ? "nothing follows the last level" : "is missing"}`]
  })

/** Decodes a search of the numbers of a merge config, the template; fails with a `ConfigError` of all problems. */
export const decode = Effect.fnUntraced(function*(source: string, raw: Raw, template: Json) {
  const refuse = (problems: ReadonlyArray<string>) => new ConfigError({ source, problems })
  const unknown = Object.keys(raw).filter((key) => !Object.hasOwn(fields, key))
  if (unknown.length > 0) {
    return yield* refuse(unknown.map((key) => {
      const near = didYouMean(key, Object.keys(fields))
      return `${cut(key)} is no key of a search${near === undefined ? "" : `, did you mean "${near}"?`}`
    }))
  }
  const file = yield* Effect.mapError(
    Schema.decodeUnknownEffect(File)(raw, { errors: "all", onExcessProperty: "error" }),
    (error) => refuse(issuesOf(error).map(({ path, reason }) => `${pathText(path)}: ${reason}`))
  )
  const method = file.method ?? "grid"
  const found = file.vary.map((own) =>
    "simplex" in own ? simplexOf(own, template) : numberOf(own, template, method === "grid")
  )
  const varied = found.flatMap((own) => "value" in own ? [own.value] : [])
  const levels = file.levels ?? usual
  const problems = [
    ...found.flatMap((own) => "problems" in own ? own.problems : []),
    ...shared(varied),
    ...ofLevels(levels),
    ...method === "cma-es" && file.budget === undefined ? ["budget: cma-es needs one"] : []
  ]
  if (problems.length > 0) return yield* refuse(problems)
  return {
    method,
    varied,
    start: varied.map((own) => startOf(template, own)),
    together: file.together ?? false,
    tasks: file.tasks,
    data: file.data ?? ".",
    settings: file.settings ?? {},
    levels,
    refine: file.refine ?? HALVINGS,
    budget: file.budget,
    seed: file.seed ?? 0
  } satisfies Search as Search
})

/** The template with a point's numbers in it. */
export const filled = (template: Json, varied: ReadonlyArray<Varied>, point: Point): Json =>
  Paths.withNumbers(
    template,
    varied.flatMap(({ places }, v) => places.flatMap((own, i) => own.map((place) => [place, point[v]![i]!] as const)))
  )
