/** Lists in users' files that tasks are drawn from: names, with weights and descriptions where they want. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { problemsOf } from "../issues.ts"
import * as Key from "../Key.ts"
import { ConfigError } from "../settings/configure.ts"

/** What may be drawn. */
export interface Choice {
  readonly name: string
  /** Its chance, as a share of the sum of its list. */
  readonly weight: number
  /** What a model is told of it; its name, if the file says no more. */
  readonly about: string
}

const item = <Name extends Schema.Codec<string, string>>(name: Name) =>
  Schema.Union([
    name,
    Schema.Struct({
      name,
      weight: Schema.optionalKey(Schema.Finite.check(Schema.isGreaterThan(0))),
      about: Schema.optionalKey(Schema.NonEmptyString)
    })
  ])
const Items = Schema.NonEmptyArray(item(Schema.NonEmptyString))

const choicesOf = (items: typeof Items.Type): ReadonlyArray<Choice> =>
  items.map((own) =>
    typeof own === "string" ? { name: own, weight: 1, about: own } : {
      name: own.name,
      weight: own.weight ?? 1,
      about: own.about === undefined ? own.name : `${own.name}: ${own.about}`
    }
  )

/** Output formats: MediFlow's. */
const formats = ["plain_text", "json"] as const

const InstructionLists = Schema.Struct({
  task_types: Items,
  input_data: Items,
  output_formats: Schema.NonEmptyArray(item(Schema.Literals(formats))),
  difficulty_levels: Items,
  error_types: Schema.optionalKey(Items)
})

/** What instructions are drawn from; `error_types` are those that worse answers are made with. */
export interface Lists {
  readonly task_types: ReadonlyArray<Choice>
  readonly input_data: ReadonlyArray<Choice>
  readonly output_formats: ReadonlyArray<Choice>
  readonly difficulty_levels: ReadonlyArray<Choice>
  readonly error_types: ReadonlyArray<Choice>
}

const TaskKinds = Schema.Struct({ kinds: Items })

type ByName = Readonly<Record<string, ReadonlyArray<Choice>>>

const twice = (lists: object): ReadonlyArray<string> =>
  Object.entries(lists as ByName).flatMap(([list, choices]) => {
    const names = choices.map(({ name }) => name)
    return [...new Set(names.filter((name, i) => names.indexOf(name) < i))].map((name) =>
      `${list}: "${name}" is given twice`
    )
  })

const decoded = <A, L extends object>(schema: Schema.Codec<A, any>, lists: (value: A) => L) =>
  Effect.fnUntraced(function*(source: string, raw: unknown) {
    const value = yield* Effect.mapError(
      Schema.decodeUnknownEffect(schema)(raw, { errors: "all", onExcessProperty: "error" }),
      (error) => new ConfigError({ source, problems: problemsOf(error) })
    )
    const problems = twice(lists(value))
    return problems.length > 0 ? yield* new ConfigError({ source, problems }) : lists(value)
  })

/** The lists of a file of instructions; fails with all that is wrong with it. */
export const instructionLists = (source: string, raw: unknown): Effect.Effect<Lists, ConfigError> =>
  decoded(InstructionLists, (own) => ({
    task_types: choicesOf(own.task_types),
    input_data: choicesOf(own.input_data),
    output_formats: choicesOf(own.output_formats),
    difficulty_levels: choicesOf(own.difficulty_levels),
    error_types: own.error_types === undefined ? [] : choicesOf(own.error_types)
  }))(source, raw)

/** The kinds of tasks of a file. */
export const taskKinds = (source: string, raw: unknown): Effect.Effect<ReadonlyArray<Choice>, ConfigError> =>
  Effect.map(decoded(TaskKinds, ({ kinds }) => ({ kinds: choicesOf(kinds) }))(source, raw), (own) => own.kinds)

/** The `i`-th draw of `key` from a list, by weights. */
export const draw = (choices: ReadonlyArray<Choice>, key: Key.Key, i: number): Choice => {
  let left = Key.uniform(key, i) * choices.reduce((sum, { weight }) => sum + weight, 0)
  return choices.find(({ weight }) => (left -= weight) < 0) ?? choices.at(-1)!
}

/** What an instruction is asked for. */
export interface Tuple {
  readonly task_type: Choice
  readonly input_data: Choice
  readonly output_format: Choice
  readonly difficulty_level: Choice
}

/** `count` tuples drawn under a seed; `repeat` counts the equal ones before each. */
export const tuples = (lists: Lists, count: number, seed: number) => {
  const times = new Map<string, number>()
  return Array.from({ length: count }, (_, i) => {
    const key = Key.fold(Key.make(seed), "tuple", i)
    const tuple: Tuple = {
      task_type: draw(lists.task_types, key, 0),
      input_data: draw(lists.input_data, key, 1),
      output_format: draw(lists.output_formats, key, 2),
      difficulty_level: draw(lists.difficulty_levels, key, 3)
    }
    const name = JSON.stringify(Object.values(tuple).map((choice: Choice) => choice.name))
    const repeat = times.get(name) ?? 0
    times.set(name, repeat + 1)
    return { id: `instruction-${i + 1}`, tuple, repeat }
  })
}
/** A tuple to write an instruction for. */
export type Drawn = ReturnType<typeof tuples>[number]
