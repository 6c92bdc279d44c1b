/** PEFT adapter folders: `adapter_config.json` and `adapter_model.safetensors`. */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import { brief, cut, several } from "../../domain/brief.ts"
import { adapterFiles } from "../../domain/fileNames.ts"
import { problemsOf } from "../../domain/issues.ts"
import { PatternError } from "../../domain/pattern.ts"
import type { Rank } from "../../kernels/nn/lora.ts"
import { isObject, or } from "./config/keys.ts"
import { FileError, readJson } from "./disk.ts"
import { exists } from "./model.ts"
import { compiled, isLookup, targeting } from "./peftTargets.ts"
import * as Safetensors from "./safetensors/write.ts"
import { limited, TookTooLong } from "./timeLimit.ts"

/** File name of the adapter config. */
export const CONFIG = adapterFiles.config
/** File name of the adapter weights. */
export const WEIGHTS = adapterFiles.weights
/** Prefix that PEFT puts before parameter names. */
export const PREFIX = "base_model.model."
/** Metadata key of the weights file, in adapters written here: SHA-256 of the frozen weights. */
export const BASE = "base_sha256"

const Names = Schema.Array(Schema.String)
const Positive = Schema.Finite.check(Schema.isGreaterThan(0))
const Rank = Schema.Int.check(Schema.isGreaterThan(0))
const OneOrMore = <S extends Schema.Top>(one: S) => or(Schema.NullOr(Schema.Union([one, Schema.Array(one)])), null)

/** Keys that define the computation. */
const AdapterConfig = Schema.Struct({
  base_model_name_or_path: or(Schema.NullOr(Schema.String), null),
  /** Of a base that is a model of the Hub. */
  revision: or(Schema.NullOr(Schema.String), null),
  r: Rank,
  lora_alpha: Positive,
  lora_dropout: or(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })), 0),
  target_modules: OneOrMore(Schema.String),
  modules_to_save: or(Schema.NullOr(Names), null),
  use_rslora: or(Schema.Boolean, false),
  alpha_pattern: or(Schema.Record(Schema.String, Positive), {}),
  rank_pattern: or(Schema.Record(Schema.String, Rank), {}),
  exclude_modules: OneOrMore(Schema.String),
  layers_to_transform: OneOrMore(Schema.Int),
  layers_pattern: OneOrMore(Schema.String),
  ensure_weight_tying: or(Schema.Boolean, false)
})
type AdapterConfig = typeof AdapterConfig.Type

/** Keys that do not change what a trained adapter computes. */
const harmless: ReadonlySet<string> = new Set([
  ...Object.keys(AdapterConfig.fields),
  "auto_mapping",
  "eva_config",
  "inference_mode",
  "megatron_core",
  "peft_version",
  "qalora_group_size",
  "task_type"
])
/** `init_lora_weights` values that do not modify the base weights; others (PiSSA, OLoRA, LoftQ, ...) do. */
const beginnings: ReadonlySet<unknown> = new Set([true, false, "gaussian", "eva", "orthogonal"])

const isOff = (value: unknown): boolean =>
  value === null || value === false || value === "none"
  || (typeof value === "object" && Object.keys(value).length === 0)

/** Keys whose values request more than plain LoRA. */
const foreign = (json: object): ReadonlyArray<string> =>
  Object.entries(json).filter(([key, value]) => {
    if (key === "peft_type") return value !== "LORA"
    if (key === "init_lora_weights") return !beginnings.has(value)
    return !harmless.has(key) && !isOff(value)
  }).map(([key, value]) => `${cut(key)} ${brief(value)}`)

/** The adapter of a folder. */
export interface Adapter {
  readonly folder: string
  readonly config: AdapterConfig
  /** By the names of the model's parameters, and of the adapter matrices beside them. */
  readonly tensors: Safetensors.StoredTensors
  /** The modules with adapters, and the rank of each, taken from its matrices. */
  readonly targets: ReadonlyMap<string, Rank>
  /** Whether the config targets a module; matching its patterns may be slow. */
  readonly isTarget: (path: string) => boolean
  /** SHA-256 of the frozen base weights, if the file states it. */
  readonly base: string | undefined
}

/** Whether a folder holds an adapter. */
export const isIn = (folder: string): Effect.Effect<boolean, FileError, FileSystem.FileSystem> =>
  exists(join(folder, CONFIG))

/** Reads an adapter's config; fails if it asks for more than plain LoRA. */
export const readConfig = Effect.fnUntraced(function*(path: string) {
  const json = yield* readJson(path)
  if (!isObject(json)) return yield* new FileError({ path, place: "", reason: `is ${brief(json)}, not an object` })
  const beyond = foreign(json)
  if (beyond.length > 0) {
    const reason = `${beyond.join(", ")}: only plain LoRA is known here; merge the adapter with PEFT first`
    return yield* new FileError({ path, place: "", reason })
  }
  return yield* Effect.mapError(
    Schema.decodeUnknownEffect(AdapterConfig, { errors: "all" })(json),
    (error) => new FileError({ path, place: "", reason: several(problemsOf(error)).join("; ") })
  )
})

/** A tensor's name in the model, without PEFT's prefix and wrappers; `undefined` without the prefix. */
const nameOf = (stored: string): string | undefined =>
  stored.startsWith(PREFIX) ? stored.slice(PREFIX.length).replace(".base_layer.", ".") : undefined

/** LoRA scaling: alpha / r, or alpha / √r for rank-stabilised LoRA (Kalajdzievski 2023). */
export const scalingOf = (alpha: number, r: number, rslora: boolean): number => alpha / (rslora ? Math.sqrt(r) : r)

/** Time limit in milliseconds for matching patterns against all modules. */
const PATIENCE = 1000

/** PEFT's rule: the value of the first pattern that matches the path or a dotted suffix of it, else the default. */
const byPattern = (key: string, values: Readonly<Record<string, number>>, usual: number) => {
  const patterns = Object.entries(values).map(([pattern, value]) =>
    [compiled(key, pattern, "(.*\\.)?"), value] as const
  )
  return (path: string): number => patterns.find(([pattern]) => pattern.test(path))?.[1] ?? usual
}

/** The rank of each adapted module, from its matrices. Throws if the config disagrees or a pattern is invalid. */
const ranks = (c: AdapterConfig, tensors: Safetensors.StoredTensors, isTarget: (path: string) => boolean) => {
  const [alphaOf, rankOf] = [
    byPattern("alpha_pattern", c.alpha_pattern, c.lora_alpha),
    byPattern("rank_pattern", c.rank_pattern, c.r)
  ]
  const check = (path: string, r: number, lookup: boolean) => {
    if (rankOf(path) !== r) {
      throw new PatternError(`${path} has rank ${r}, not ${rankOf(path)} as r and rank_pattern say`)
    }
    if (!isTarget(path)) throw new PatternError(`${path} has an adapter, but is none of the target_modules`)
    if (lookup !== isLookup(path)) {
      throw new PatternError(`${path} has an adapter of ${lookup ? "an embedding" : "a linear map"}, which it is not`)
    }
  }
  return new Map([...tensors].flatMap(([name, { shape: [r = 0] }]) => {
    const [, path, kind] = /^(.*)\.lora_(A\.weight|embedding_A)$/.exec(name) ?? []
    if (path === undefined) return []
    check(path, r, kind === "embedding_A")
    return [[path, { r, scaling: scalingOf(alphaOf(path), r, c.use_rslora) } satisfies Rank] as const]
  }))
}

/** Runs pattern matching on an adapter's config, under a time limit. */
const matching = <A>(folder: string, run: () => A): Effect.Effect<A, FileError> =>
  Effect.try({
    try: () => limited(PATIENCE, run),
    catch: (cause) => {
      const why = cause instanceof TookTooLong
        ? cause.message
        : `fails: ${(cause as Error).message.split(": ").at(-1)!}`
      const reason = cause instanceof PatternError
        ? cause.message
        : `to match target_modules, alpha_pattern and rank_pattern ${why}`
      return new FileError({ path: join(folder, CONFIG), place: "", reason })
    }
  })

/** The tensors by the names of the model's parameters. */
const named = Effect.fnUntraced(function*(path: string, stored: Safetensors.StoredTensors) {
  const strange = [...stored.keys()].filter((name) => nameOf(name) === undefined)
  if (strange.length > 0) {
    return yield* new FileError({ path, place: "", reason: `${several(strange).join(", ")}: not under ${PREFIX}` })
  }
  const tensors = new Map([...stored].map(([name, tensor]) => [nameOf(name)!, tensor]))
  if (tensors.size === stored.size) return tensors as Safetensors.StoredTensors
  const twice = [...stored.keys()].find((name) => name.includes(".base_layer.") && stored.has(PREFIX + nameOf(name)!))
  return yield* new FileError({ path, place: `tensor ${twice}`, reason: "is there without base_layer too" })
})

/** The base that a config names, with its revision if it names one; "" if it names none. */
export const baseName = ({ base_model_name_or_path: name, revision }: AdapterConfig): string =>
  `${name ?? ""}${name && revision ? `@${revision}` : ""}`

/** Reads an adapter; fails if its config or weights are unsupported or do not fit. */
export const read = Effect.fnUntraced(function*(folder: string) {
  const config = yield* readConfig(join(folder, CONFIG))
  const path = join(folder, WEIGHTS)
  const { metadata, tensors: stored } = yield* Safetensors.open(path)
  const tensors = yield* named(path, stored)
  const tied = [...tensors.keys()].find((name) => isTable(name) || isLookup(name.replace(/\.lora_embedding_[AB]$/, "")))
  if (config.ensure_weight_tying && tied !== undefined) {
    const reason =
      `ensure_weight_tying true: ${tied} would change another module too; merge the adapter with PEFT first`
    return yield* new FileError({ path: join(folder, CONFIG), place: "", reason })
  }
  const found = yield* matching(folder, () => {
    const isTarget = targeting(config)
    return { isTarget, targets: ranks(config, tensors, isTarget) }
  })
  return { folder, config, tensors, ...found, base: metadata[BASE] } satisfies Adapter as Adapter
})

/** Warns about modules of a model, given its parameters' shapes, that the config targets and the file lacks. */
export const tellMissing = Effect.fnUntraced(function*(
  { folder, isTarget, targets }: Adapter,
  shapes: ReadonlyMap<string, ReadonlyArray<number>>
) {
  const modules = [...shapes].filter(([name, { length }]) => name.endsWith(".weight") && length === 2)
    .map(([name]) => name.slice(0, -".weight".length)).filter((path) => !targets.has(path))
  const missing = yield* matching(folder, () => modules.filter(isTarget))
  if (targets.size === 0 || missing.length === 0) return
  const names = several(missing).join(", ")
  yield* Effect.logWarning(`${join(folder, WEIGHTS)}: there is no adapter for ${names}, which ${CONFIG} names`)
})

/** Tensors with one row per token: embeddings and LM head. */
export const isTable = (name: string): boolean =>
  /(^|\.)(embed_tokens|word_embeddings|tok_embeddings|lm_head)\.weight$/.test(name)

/**
 * Rows of the embedding and LM head tensors that an adapter stores in full, which differ from the base if tokens were
 * added; `undefined` if it stores none.
 */
export const vocabulary = ({ folder, tensors }: Adapter): Effect.Effect<number | undefined, FileError> => {
  const own = [...tensors].filter(([name]) => isTable(name))
  const rows = [...new Set(own.map(([, { shape }]) => shape[0]!))]
  if (rows.length < 2) return Effect.succeed(rows[0])
  const reason = own.map(([name, { shape }]) => `${name} has ${shape[0]} rows`).join(", ")
  return Effect.fail(new FileError({ path: join(folder, WEIGHTS), place: "", reason: `${reason}: one for each token` }))
}

/** A weight's shape with the adapter: embeddings and LM heads stored in it determine the number of rows. */
export const shapeWith = ({ tensors }: Adapter, name: string, shape: ReadonlyArray<number>): ReadonlyArray<number> => {
  const own = isTable(name) ? tensors.get(name)?.shape : undefined
  return own ? [own[0]!, ...shape.slice(1)] : shape
}

/** The keys that adapters written here use. */
type Written =
  & Pick<
    AdapterConfig,
    | "base_model_name_or_path"
    | "r"
    | "lora_alpha"
    | "lora_dropout"
    | "target_modules"
    | "modules_to_save"
    | "use_rslora"
  >
  & { readonly revision?: string }

/** `adapter_config.json` as PEFT writes it, keys in PEFT's order. */
export const text = (config: Written, task: string): string => {
  const own = Object.entries(config).filter(([key]) => Object.hasOwn(AdapterConfig.fields, key))
  const json = {
    ...Object.fromEntries(own),
    peft_type: "LORA",
    task_type: task,
    bias: "none",
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true
  }
  return `${JSON.stringify(Object.fromEntries(Object.entries(json).toSorted(([a], [b]) => a < b ? -1 : 1)), null, 2)}\n`
}
