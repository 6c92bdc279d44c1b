/** Common to all `config.json` files: types of keys, and how they are decoded and refused. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { cut, several } from "../../../domain/brief.ts"
import { problemsOf } from "../../../domain/issues.ts"
import type { LayerType } from "../../../kernels/nn/attention.ts"

/** An integer of at least 1. */
export const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
/** Number of layers. Limited, since building a graph of thousands of layers would take too long. */
export const Layers = Count.check(Schema.isLessThanOrEqualTo(1024))
/** A dropout rate. */
export const Rate = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 0.99 }))
/** A positive number. */
export const Positive = Schema.Finite.check(Schema.isGreaterThan(0))
/** A key with this default. */
export const or = <S extends Schema.Top>(schema: S, value: S["Encoded"]) =>
  schema.pipe(Schema.withDecodingDefaultKey(Effect.succeed(value)))

/** The attention type of each layer. */
export const LayerTypes = Schema.Array(Schema.Literals(["full_attention", "sliding_attention"]))

/** The types of `layers` layers, given which have a sliding window. */
export const typesOf = (layers: number, hasWindow: (layer: number) => boolean): ReadonlyArray<LayerType> =>
  Array.from({ length: layers }, (_, i) => hasWindow(i) ? "sliding_attention" : "full_attention")

/** A problem if the number of layer types is not the number of layers. */
export const miscounted = (types: ReadonlyArray<LayerType>, layers: number): string | false =>
  types.length !== layers && `layer_types has ${types.length} of ${layers} layers`

/** A config that is invalid or unsupported: one line per problem. */
export class BadConfig extends Schema.TaggedError<BadConfig>()("BadConfig", { problems: Schema.Array(Schema.String) }) {
  override get message(): string {
    return this.problems.join("; ")
  }
}

/** Decodes the JSON of the config at `path`. */
export type Decode<C> = (json: unknown, path?: string) => Effect.Effect<C, BadConfig>

/** Splits lines of space-separated names. */
export const names = (...lines: ReadonlyArray<string>): ReadonlySet<string> =>
  new Set(lines.flatMap((line) => line.split(" ")))

/** A JSON object. */
export type Json = Readonly<Record<string, unknown>>

/** Whether a JSON value is an object. */
export const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Maximum nesting of objects in a config. */
const DEPTH = 8

/** Removes null keys: null means left out. */
const given = (json: unknown, depth = 0): unknown =>
  isObject(json) && depth < DEPTH
    ? Object.fromEntries(
      Object.entries(json).filter(([, v]) => v !== null).map(([k, v]) => [k, given(v, depth + 1)])
    )
    : json

/** Decodes the keys of a schema; others are ignored. */
export const keys = <C>(schema: Schema.Codec<C, any>) => (json: unknown): Effect.Effect<C, BadConfig> =>
  Effect.mapError(
    Schema.decodeUnknownEffect(schema, { errors: "all" })(given(json)),
    (error) => new BadConfig({ problems: several(problemsOf(error)) })
  )

/** Fails if there are any problems. */
export const refuse = (problems: ReadonlyArray<string | false>): Effect.Effect<void, BadConfig> => {
  const found = problems.filter((problem) => problem !== false)
  return found.length === 0 ? Effect.void : Effect.fail(new BadConfig({ problems: found }))
}

const ModelType = Schema.Struct({
  model_type: Schema.optionalKey(Schema.String),
  architectures: Schema.optionalKey(Schema.Array(Schema.String))
})

/**
 * Dispatches on the config's `model_type`; without one, the first decoder, unless `architectures` names another model.
 * ColBERT's own type name means BERT.
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

/** A problem if the value is not one of the known ones. */
export const oneOf = <A extends string>(key: string, value: string, known: ReadonlyArray<A>): string | false =>
  !(known as ReadonlyArray<string>).includes(value) && `${key} ${cut(value)} is not one of ${known.join(", ")}`

/** A problem if `divisor` does not divide the value. */
export const uneven = (key: string, value: number, by: string, divisor: number): string | false =>
  value % divisor !== 0 && `${key} ${value} is no multiple of ${by} ${divisor}`

/** Warns about keys of a file that have no effect. */
export const tell = (path: string, passed: ReadonlyArray<string>): Effect.Effect<void> => {
  if (passed.length === 0) return Effect.void
  const names = several(passed.map((key) => cut(key))).join(", ")
  return Effect.logWarning(`${path}: not known here, and passed over: ${names}`)
}
