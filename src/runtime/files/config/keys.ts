/** What the `config.json` of all models have in common: kinds of keys, and how they are read and refused. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { cut, several } from "../../../domain/brief.ts"
import { problemsOf } from "../../../domain/issues.ts"
import type { LayerType } from "../../../kernels/nn/attention.ts"

/** An integer from 1 on. */
export const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
/** A graph has nodes for each layer: thousands of layers would take longer to write down than anyone waits. */
export const Layers = Count.check(Schema.isLessThanOrEqualTo(1024))
/** A rate of dropout. */
export const Rate = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 0.99 }))
/** A number above 0. */
export const Positive = Schema.Finite.check(Schema.isGreaterThan(0))
/** A key that may be left out, and then has this value. */
export const or = <S extends Schema.Top>(schema: S, value: S["Encoded"]) =>
  schema.pipe(Schema.withDecodingDefaultKey(Effect.succeed(value)))

/** What each layer attends to. */
export const LayerTypes = Schema.Array(Schema.Literals(["full_attention", "sliding_attention"]))

/** The types of so many layers, of which some have a window. */
export const typesOf = (layers: number, hasWindow: (layer: number) => boolean): ReadonlyArray<LayerType> =>
  Array.from({ length: layers }, (_, i) => hasWindow(i) ? "sliding_attention" : "full_attention")

/** Types of more layers than there are, or of fewer. */
export const miscounted = (types: ReadonlyArray<LayerType>, layers: number): string | false =>
  types.length !== layers && `layer_types has ${types.length} of ${layers} layers`

/** A config that no model here has: one line a problem. */
export class BadConfig extends Schema.TaggedError<BadConfig>()("BadConfig", { problems: Schema.Array(Schema.String) }) {
  override get message(): string {
    return this.problems.join("; ")
  }
}

/** From the JSON of a config, of the file at `path`, to what a model takes. */
export type Decode<C> = (json: unknown, path?: string) => Effect.Effect<C, BadConfig>

/** Names that are written in lines, with blanks between. */
export const names = (...lines: ReadonlyArray<string>): ReadonlySet<string> =>
  new Set(lines.flatMap((line) => line.split(" ")))

/** An object of JSON. */
export type Json = Readonly<Record<string, unknown>>

/** Whether a JSON value is an object. */
export const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Objects within objects of a config, at most. */
const DEPTH = 8

/** Keys that are null are as good as left out. */
const given = (json: unknown, depth = 0): unknown =>
  isObject(json) && depth < DEPTH
    ? Object.fromEntries(
      Object.entries(json).filter(([, v]) => v !== null).map(([k, v]) => [k, given(v, depth + 1)])
    )
    : json

/** The keys of a schema; others are passed over. */
export const keys = <C>(schema: Schema.Codec<C, any>) => (json: unknown): Effect.Effect<C, BadConfig> =>
  Effect.mapError(
    Schema.decodeUnknownEffect(schema, { errors: "all" })(given(json)),
    (error) => new BadConfig({ problems: several(problemsOf(error)) })
  )

/** Fails with those problems that there are. */
export const refuse = (problems: ReadonlyArray<string | false>): Effect.Effect<void, BadConfig> => {
  const found = problems.filter((problem) => problem !== false)
  return found.length === 0 ? Effect.void : Effect.fail(new BadConfig({ problems: found }))
}

const ModelType = Schema.Struct({
  model_type: Schema.optionalKey(Schema.String),
  architectures: Schema.optionalKey(Schema.Array(Schema.String))
})

/**
 * The decoder of the config's `model_type`; the first where it names none, unless `architectures` are another model's.
 * ColBERT's own name is that of a BERT.
 */
export const byType = <C>(kinds: Readonly<Record<string, Decode<C>>>): Decode<C> => {
  const known = new Map(Object.entries(kinds))
  const [first] = known.keys()
  return Effect.fnUntraced(function*(json, path) {
    const { architectures: [name] = [], model_type } = yield* keys(ModelType)(json)
    const other = name !== undefined && !name.toLowerCase().startsWith(first!) && name !== "HF_ColBERT"
    yield* refuse([
      model_type === undefined && other && `model_type is missing, and architectures names a ${cut(name)}`,
      model_type !== undefined && oneOf("model_type", model_type, [...known.keys()])
    ])
    return yield* known.get(model_type ?? first!)!(json, path)
  })
}

/** A value among those that are known. */
export const oneOf = <A extends string>(key: string, value: string, known: ReadonlyArray<A>): string | false =>
  !(known as ReadonlyArray<string>).includes(value) && `${key} ${cut(value)} is not one of ${known.join(", ")}`

/** A number that must divide another, and does not. */
export const uneven = (key: string, value: number, by: string, divisor: number): string | false =>
  value % divisor !== 0 && `${key} ${value} is no multiple of ${by} ${divisor}`

/** Names keys of a file that nothing reads, as a warning. */
export const tell = (path: string, passed: ReadonlyArray<string>): Effect.Effect<void> => {
  if (passed.length === 0) return Effect.void
  const names = several(passed.map((key) => cut(key))).join(", ")
  return Effect.logWarning(`${path}: not known here, and passed over: ${names}`)
}
