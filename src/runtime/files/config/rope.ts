/** `rope_parameters` of `config.json`, also where they are spelled as before: `rope_scaling` beside `rope_theta`. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type RopeParameters, turningPlanes } from "../../../kernels/nn/rope.ts"
import { type BadConfig, Count, isObject, type Json, keys, names, oneOf, or, Positive, refuse } from "./keys.ts"

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

/** Names that models gave to a kind before it had its own. */
const former = { su: "longrope" }

const Given = Schema.Record(Schema.String, Schema.Unknown)
/** The keys of a config that say how positions turn. */
export const ropeKeys = {
  max_position_embeddings: Count,
  original_max_position_embeddings: Schema.optionalKey(Count),
  rope_theta: Schema.optionalKey(Positive),
  partial_rotary_factor: Schema.optionalKey(Positive),
  rope_scaling: Schema.optionalKey(Given),
  rope_parameters: Schema.optionalKey(Given)
}
const RopeKeys = Schema.Struct(ropeKeys)

/** What a kind may be told by, in all spellings. */
const told: ReadonlySet<string> = new Set([
  ...Object.values(kinds).flatMap(({ fields }) => Object.keys(fields)),
  ...names("type mscale mscale_all_dim finetuned")
])

/** The keys of a config's rotations that say nothing here, as paths. */
export const passed = (c: { readonly rope_scaling?: Json; readonly rope_parameters?: Json }): ReadonlyArray<string> =>
  Object.entries({ rope_scaling: c.rope_scaling, rope_parameters: c.rope_parameters }).flatMap(([key, own]) =>
    Object.entries(own ?? {}).flatMap(([name, value]) =>
      isObject(value)
        ? Object.keys(value).filter((part) => !told.has(part)).map((part) => `${key}.${name}.${part}`)
        : told.has(name)
        ? []
        : [`${key}.${name}`]
    )
  )
type RopeKeys = typeof RopeKeys.Type

/** By how much longrope scales what it turns, where the config does not say (Ding et al. 2024). */
const longropeFactor = (factor: number, original: number): number =>
  factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original))

/** The same of YaRN (Peng et al. 2023, equation 22). */
const yarnFactor = (factor: number, share: number): number => factor <= 1 ? 1 : 0.1 * share * Math.log(factor) + 1

/** DeepSeek tells YaRN's as a ratio. */
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

/** All that a kind may ask for, from wherever the config has it. */
const gathered = (c: RopeKeys, kind: string) => {
  const { original_max_position_embeddings: own, rope_theta = 10000, partial_rotary_factor = 1 } = c
  const stretch: Readonly<Record<string, unknown>> = { ...c.rope_scaling, ...c.rope_parameters }
  const original = own ?? stretch["original_max_position_embeddings"] ?? c.max_position_embeddings
  const factor = stretch["factor"] ?? c.max_position_embeddings / (original as number)
  const attention_factor = attentionFactor(kind, factor as number, original as number, stretch)
  return {
    rope_theta,
    partial_rotary_factor,
    attention_factor,
    ...stretch,
    original_max_position_embeddings: original,
    rope_type: kind
  }
}

/** The rotation of a model, for heads of the given size; `called` are names of kinds of its own. */
export const ropeOf = Effect.fnUntraced(function*(c: RopeKeys, headSize: number, called: object = {}) {
  const stretch: Readonly<Record<string, unknown>> = { ...c.rope_scaling, ...c.rope_parameters }
  const named = String(stretch["rope_type"] ?? stretch["type"] ?? "default")
  const kind = (new Map(Object.entries({ ...former, ...called })).get(named) ?? named) as keyof typeof kinds
  yield* refuse([oneOf("rope_type", kind, Object.keys(kinds))])
  const rope: RopeParameters = yield* keys(kinds[kind] as Schema.Codec<RopeParameters, any>)(gathered(c, kind))
  const planes = turningPlanes(rope, headSize)
  const lists = rope.rope_type === "longrope" ? [rope.short_factor, rope.long_factor] : []
  yield* refuse(lists.map(({ length }) => length !== planes && `rope_type ${kind}: ${length} factors, not ${planes}`))
  return rope
}) as (c: RopeKeys, headSize: number, called?: object) => Effect.Effect<RopeParameters, BadConfig>
