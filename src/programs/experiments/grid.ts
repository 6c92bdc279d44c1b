/** Grids of an experiment: an arm for each combination of values. */
import * as Schema from "effect/Schema"
import { brief } from "../../domain/brief.ts"
import { settingOf } from "../../systems/all.ts"

/** A grid: settings that all its arms have, and the values of others. */
export const Grid = Schema.StructWithRest(
  Schema.Struct({ over: Schema.Record(Schema.String, Schema.NonEmptyArray(Schema.Unknown)) }),
  [Schema.Record(Schema.String, Schema.Unknown)]
)

/** Most arms of a grid: more are rather a mistake. */
const MOST = 1000

type Settings = Readonly<Record<string, unknown>>

/** All combinations of values, those of the last setting changing fastest. */
const combinations = (over: Readonly<Record<string, ReadonlyArray<unknown>>>): ReadonlyArray<Settings> =>
  Object.entries(over).reduce<ReadonlyArray<Settings>>(
    (some, [key, values]) => some.flatMap((own) => values.map((value) => ({ ...own, [key]: value }))),
    [{}]
  )

const shown = (value: unknown): string => typeof value === "string" ? value : JSON.stringify(value)

const problemsOf = (name: string, { over, ...own }: typeof Grid.Type): ReadonlyArray<string> => {
  const place = `grid.${name}`
  const keys = Object.keys(over)
  const twice = keys.filter((key) => Object.keys(own).some((other) => settingOf(other) === settingOf(key)))
  const repeated = keys.filter((key) => new Set(over[key]!.map(shown)).size < over[key]!.length)
  const cells = Object.values(over).reduce((product, values) => product * values.length, 1)
  return [
    ...(keys.length === 0 ? [`${place}.over: names no setting`] : []),
    ...keys.filter((key) => settingOf(key) === undefined).map((key) => `${place}.over: unknown key ${brief(key)}`),
    ...twice.map((key) => `${place}: ${key} has a value beside those of over`),
    ...repeated.map((key) => `${place}.over.${key}: has a value twice`),
    ...("phases" in own ? [`${place}: phases are for arms; put them into warm_up`] : []),
    ...(cells > MOST ? [`${place}: makes ${cells} arms, more than ${MOST}`] : [])
  ]
}

/** The arms of grids by name, "documents,n_context=3,sampling=top", or what is wrong with them. */
export const cellsOf = (
  grids: Readonly<Record<string, typeof Grid.Type>>
): { readonly arms: ReadonlyArray<readonly [string, Settings]> } | { readonly problems: ReadonlyArray<string> } => {
  const problems = Object.entries(grids).flatMap(([name, grid]) => problemsOf(name, grid))
  if (problems.length > 0) return { problems }
  const arms = Object.entries(grids).flatMap(([name, { over, ...own }]) =>
    combinations(over).map((cell) => {
      const values = Object.entries(cell).map(([key, value]) => `${key}=${shown(value)}`)
      return [[name, ...values].join(","), { ...own, ...cell }] as const
    })
  )
  return { arms }
}
