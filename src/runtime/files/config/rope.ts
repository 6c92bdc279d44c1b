/** `rope_parameters` of `config.json`, or the older `rope_scaling` and `rope_theta`. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { brief, cut } from "../../../domain/brief.ts"
import { type RopeParameters, turningPlanes } from "../../../kernels/nn/rope.ts"
import { type BadConfig, Count, isObject, type Json, keys, oneOf, or, Positive, refuse } from "./keys.ts"

const Factors = Schema.Array(Positive)
const angles = { rope_theta: Positive, partial_rotary_factor: Positive }
const original = { original_max_position_embeddings: Count }
const kinds = {
  default: Schema.Struct({ rope_type: Schema.Literal("default"), ...angles }),
  linear: Schema.Struct({ rope_type: Schema.Literal("linear"), ...angles, factor: Positive }),
  dynamic: Schema.Struct({ rope_type: Schema.Literal("dynamic"), ...angles, factor: Positive }),
  llama3: Schema.Struct({
    rope_type: Schema.Literal("llama3"),
    ...angles,
    ...original,
    factor: Positive,
    low_freq_factor: Positive,
    high_freq_factor: Positive
  }),
  yarn: Schema.Struct({
    rope_type: Schema.Literal("yarn"),
    ...angles,
    ...original,
    factor: Positive,
    beta_fast: or(Positive, 32),
    beta_slow: or(Positive, 1),
    attention_factor: Positive,
    truncate: or(Schema.Boolean, true)
  }),
  longrope: Schema.Struct({
    rope_type: Schema.Literal("longrope"),
    ...angles,
    ...original,
    short_factor: Factors,
    long_factor: Factors,
    attention_factor: Positive
  })
} satisfies {
  readonly [K in RopeParameters["rope_type"]]: Schema.Codec<Extract<RopeParameters, { rope_type: K }>, any>
}

/** Older names of RoPE types. */
const former = { su: "longrope" }

const Given = Schema.Record(Schema.String, Schema.Unknown)
/** The keys of a config that define RoPE. */
export const ropeKeys = {
  original_max_position_embeddings: Schema.optionalKey(Count),
  rope_theta: Schema.optionalKey(Positive),
  partial_rotary_factor: Schema.optionalKey(Positive),
  rope_scaling: Schema.optionalKey(Given),
  rope_parameters: Schema.optionalKey(Given)
}
const RopeKeys = Schema.Struct(ropeKeys)
type RopeKeys = typeof RopeKeys.Type

/** A part of a config that sets RoPE keys, with its name; "" for the top level. */
export type Place = readonly [name: string, said: Json]

/** The places of a config with a single RoPE. */
export const places = ({ rope_parameters, rope_scaling, ...plain }: Partial<RopeKeys>): ReadonlyArray<Place> => [
  ["", pick(plain, ["rope_theta", "partial_rotary_factor", "original_max_position_embeddings"])],
  ["rope_scaling", rope_scaling ?? {}],
  ["rope_parameters", rope_parameters ?? {}]
]

/** The places of a config with one RoPE per layer type; `theta` is the base given at the top level. */
export const placesOf = (type: string, c: Partial<RopeKeys>, theta: number | undefined): ReadonlyArray<Place> => {
  const own = c.rope_parameters?.[type]
  return [
    ["", theta === undefined ? {} : { rope_theta: theta }],
    ["rope_scaling", c.rope_scaling ?? {}],
    [`rope_parameters.${type}`, isObject(own) ? own : {}]
  ]
}

const pick = (from: Json, keys: ReadonlyArray<string>): Json =>
  Object.fromEntries(keys.filter((key) => from[key] !== undefined).map((key) => [key, from[key]]))

const TYPES: ReadonlySet<string> = new Set(["full_attention", "sliding_attention"])

/** Problems: entries of `rope_parameters` that are not layer types, so it is unclear which types they apply to. */
export const strangers = ({ rope_parameters = {} }: Partial<RopeKeys>): ReadonlyArray<string | false> =>
  Object.entries(rope_parameters).filter(([type, own]) => !TYPES.has(type) || !isObject(own))
    .map(([type]) => `rope_parameters.${cut(type)} is not the rotation of a type of layers`)

/** Default attention factor of LongRoPE (Ding et al. 2024). */
const longropeFactor = (factor: number, original: number): number =>
  factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original))

/** Default attention factor of YaRN (Peng et al. 2023, equation 22). */
const yarnFactor = (factor: number, share: number): number => factor <= 1 ? 1 : 0.1 * share * Math.log(factor) + 1

/** The default attention factor; DeepSeek gives YaRN's as a ratio of `mscale` and `mscale_all_dim`. */
const attentionFactor = (
  kind: string,
  factor: number,
  original: number,
  stretch: Readonly<Record<string, unknown>>
) => {
  if (kind !== "yarn") return longropeFactor(factor, original)
  const [over, under] = [stretch["mscale"], stretch["mscale_all_dim"]].map(Number) as [number, number]
  return over && under ? yarnFactor(factor, over) / yarnFactor(factor, under) : yarnFactor(factor, 1)
}

/** Merges all places; fails if two give different values for a key. */
const together = Effect.fnUntraced(function*(all: ReadonlyArray<Place>) {
  const said = new Map<string, Place>()
  const apart: Array<string> = []
  const named = (key: string, name: string) => cut(name === "" ? key : `${name}.${key}`)
  for (const place of all) {
    for (const [key, value] of Object.entries(place[1])) {
      const before = said.get(key)
      if (before && JSON.stringify(before[1][key]) !== JSON.stringify(value)) {
        apart.push(
          `${named(key, before[0])} ${brief(before[1][key])} contradicts ${named(key, place[0])} ${brief(value)}`
        )
      }
      said.set(key, place)
    }
  }
  yield* refuse(apart)
  return Object.fromEntries([...said].map(([key, [, own]]) => [key, own[key]]))
})

const Names = Schema.Struct({ rope_type: Schema.optionalKey(Schema.String), type: Schema.optionalKey(Schema.String) })

/** The RoPE type from `rope_type` or the older `type`; fails if they differ. */
const kindOf = Effect.fnUntraced(function*(said: Json, called: object) {
  const names = new Map(Object.entries({ ...former, ...called }))
  const { rope_type, type } = yield* keys(Names)(said)
  const [kind, older] = [rope_type, type].map((name) => name === undefined ? undefined : names.get(name) ?? name)
  yield* refuse([
    kind !== undefined && older !== undefined && kind !== older &&
    `rope_type ${cut(kind)} contradicts type ${cut(older)}`,
    oneOf("rope_type", kind ?? older ?? "default", Object.keys(kinds))
  ])
  return (kind ?? older ?? "default") as keyof typeof kinds
})

/** All parameters a type may need, with defaults for those left out. */
const gathered = (said: Json, kind: string, { max_position_embeddings: most, theta }: Context) => {
  const original = said["original_max_position_embeddings"] ?? most
  const factor = said["factor"] ?? most / (original as number)
  return {
    rope_theta: theta,
    partial_rotary_factor: 1,
    factor,
    attention_factor: attentionFactor(kind, factor as number, original as number, said),
    ...said,
    original_max_position_embeddings: original,
    rope_type: kind
  }
}

/** Redundant keys, and those that only YaRN has. */
const beside = (kind: string): ReadonlyArray<string> =>
  kind === "yarn" ? ["type", "mscale", "mscale_all_dim", "finetuned"] : ["type"]

/** What the rest of the config defines for RoPE. */
export interface Context {
  readonly max_position_embeddings: number
  readonly headSize: number
  /** Default for `rope_theta`. */
  readonly theta: number
  /** Additional names of RoPE types in this architecture. */
  readonly called?: object
}

/** The decoded RoPE parameters. */
export interface Rotation {
  readonly rope: RopeParameters
  /** Keys that do not apply to this RoPE type, and are ignored. */
  readonly passed: ReadonlyArray<string>
}

/** RoPE parameters from the places of a config; fails if they conflict or are invalid. */
export const ropeOf = Effect.fnUntraced(function*(all: ReadonlyArray<Place>, context: Context) {
  const said = yield* together(all)
  const kind = yield* kindOf(said, context.called ?? {})
  const schema = kinds[kind]
  const rope: RopeParameters = yield* keys(schema as Schema.Codec<RopeParameters, any>)(gathered(said, kind, context))
  const planes = turningPlanes(rope, context.headSize)
  const lists = rope.rope_type === "longrope" ? [rope.short_factor, rope.long_factor] : []
  yield* refuse(lists.map(({ length }) => length !== planes && `rope_type ${kind}: ${length} factors, not ${planes}`))
  const known = new Set([...Object.keys(schema.fields), ...beside(kind)])
  const passed = all.flatMap(([name, own]) =>
    Object.keys(own).filter((key) => !known.has(key)).map((key) => name === "" ? key : `${name}.${key}`)
  )
  return { rope, passed }
}) as (all: ReadonlyArray<Place>, context: Context) => Effect.Effect<Rotation, BadConfig>
