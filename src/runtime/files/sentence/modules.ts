/** sentence-transformers folders: `modules.json`, and the configs of the modules that it lists. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import { brief } from "../../../domain/brief.ts"
import { modelFiles } from "../../../domain/fileNames.ts"
import { denseActivations, type DenseLayer, type Pooling, poolings } from "../../../kernels/nn/sentence.ts"
import { isObject, type Json, keys, or, tell } from "../config/keys.ts"
import { FileError } from "../disk.ts"
import { decodeFile, exists } from "../model.ts"

/** The modules that are read, by the last part of their type. */
export const kinds = ["Transformer", "Pooling", "Dense", "Normalize"] as const
/** One of `kinds`. */
export type Kind = typeof kinds[number]

/** A module: what it is, and its folder; "" for the model's own. */
export interface Module {
  readonly kind: Kind
  readonly path: string
}

const Listed = Schema.Array(Schema.Struct({ path: Schema.String, type: Schema.String }))
const isKind = (name: string): name is Kind => (kinds as ReadonlyArray<string>).includes(name)

/** Plain file names, not paths: nothing outside the folder is read. */
const isPlain = (name: string): boolean => /^[^/\\]+$/.test(name) && name !== "." && name !== ".."

/** Refuses names that point outside the folder. */
export const plain = (path: string, place: string, names: ReadonlyArray<string>): Effect.Effect<void, FileError> => {
  const strange = names.find((name) => !isPlain(name))
  return strange === undefined
    ? Effect.void
    : Effect.fail(new FileError({ path, place, reason: `${JSON.stringify(strange)} is no name of a file beside it` }))
}

/** The modules of a folder, in order; `undefined` without `modules.json`. Fails if one of them is not read here. */
export const modulesOf = Effect.fnUntraced(function*(folder: string) {
  const path = join(folder, modelFiles.modules)
  if (!(yield* exists(path))) return undefined
  const all = yield* decodeFile(path, Schema.decodeUnknownEffect(Listed))
  const found: Array<Module> = []
  for (const { path: own, type } of all) {
    const kind = type.slice(type.lastIndexOf(".") + 1)
    if (!isKind(kind)) {
      return yield* new FileError({ path, place: "type", reason: `${brief(type)} is not known here` })
    }
    found.push({ kind, path: own })
  }
  yield* plain(path, "path", found.filter(({ kind }) => kind === "Dense" || kind === "Pooling").map((own) => own.path))
  return found as ReadonlyArray<Module>
})

const Dense = Schema.Struct({
  in_features: Schema.optionalKey(Schema.Natural),
  out_features: Schema.optionalKey(Schema.Natural),
  activation_function: Schema.optionalKey(Schema.String),
  bias: Schema.optionalKey(Schema.Boolean),
  use_residual: Schema.optionalKey(Schema.Boolean),
  module_input_name: Schema.optionalKey(Schema.String),
  module_output_name: Schema.optionalKey(Schema.String)
})
/** The config of a dense layer. */
export type DenseConfig = typeof Dense.Type

const known = new Set(Object.keys(Dense.fields))

/** Reads a dense layer's config. `tells`: warn about unused keys. */
export const denseConfig = (folder: string, name: string, tells: boolean) => {
  const path = join(folder, name, modelFiles.config)
  return decodeFile(path, (json) =>
    Effect.tap(
      Schema.decodeUnknownEffect(Dense)(json),
      tell(path, Object.keys(Object(json)).filter((key) => tells && !known.has(key)))
    ))
}

const off = Schema.optionalKey(Schema.Literal(false))
const Linear = Schema.Struct({
  activation_function: Schema.optionalKey(Schema.Literal("torch.nn.modules.linear.Identity")),
  bias: off,
  use_residual: off
})

/** Refuses dense layers that are more than one matrix, as late interaction has them. */
export const linearOnly = Effect.fnUntraced(function*(folder: string) {
  const layers = ((yield* modulesOf(folder)) ?? []).filter(({ kind }) => kind === "Dense")
  yield* Effect.forEach(
    layers,
    ({ path }) => decodeFile(join(folder, path, modelFiles.config), Schema.decodeUnknownEffect(Linear))
  )
})

const refused = (path: string, place: string, reason: string) => Effect.fail(new FileError({ path, place, reason }))

/** A dense layer behind vectors of `from` numbers; PyTorch's activations alone are trusted, Tanh is the default. */
export const denseLayer = Effect.fnUntraced(function*(folder: string, name: string, from: number) {
  const path = join(folder, name, modelFiles.config)
  const { activation_function = "Tanh", bias = true, in_features, module_input_name, out_features, use_residual } =
    yield* denseConfig(folder, name, true)
  const activation = activation_function.slice(activation_function.lastIndexOf(".") + 1)
  if (!Object.hasOwn(denseActivations, activation) || !/^(torch\.nn\..*)?[^.]+$/.test(activation_function)) {
    const all = Object.keys(denseActivations).join(", ")
    return yield* refused(
      path,
      "activation_function",
      `${brief(activation_function)} is not known here (known: ${all})`
    )
  }
  if (use_residual === true) return yield* refused(path, "use_residual", "true is not known here")
  if (module_input_name !== undefined && module_input_name !== "sentence_embedding") {
    return yield* refused(path, "module_input_name", `${brief(module_input_name)} is not the pooled vector`)
  }
  if (in_features !== undefined && in_features !== from) {
    return yield* refused(path, "in_features", `${in_features}, where the vectors before it have ${from} numbers`)
  }
  if (out_features === undefined) return yield* refused(path, "out_features", "is not there")
  const layer: DenseLayer = {
    name,
    from,
    to: out_features,
    bias,
    activation: activation as keyof typeof denseActivations
  }
  return layer
})

/** The older booleans of poolings, in the order in which several are concatenated. */
const flags: ReadonlyArray<readonly [key: string, mode: Pooling]> = [
  ["pooling_mode_cls_token", "cls"],
  ["pooling_mode_max_tokens", "max"],
  ["pooling_mode_mean_tokens", "mean"],
  ["pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"],
  ["pooling_mode_weightedmean_tokens", "weightedmean"],
  ["pooling_mode_lasttoken", "lasttoken"]
]
const PoolingConfig = Schema.Struct({
  embedding_dimension: Schema.optionalKey(Schema.Natural),
  word_embedding_dimension: Schema.optionalKey(Schema.Natural),
  pooling_mode: Schema.optionalKey(
    Schema.Union([Schema.Literals(poolings), Schema.NonEmptyArray(Schema.Literals(poolings))])
  ),
  include_prompt: or(Schema.Boolean, true)
})

/** How a folder pools. */
export interface Pooled {
  readonly pooling: ReadonlyArray<Pooling>
  /** Whether the tokens of the prompt are pooled, too. */
  readonly includePrompt: boolean
}

/** Reads a pooling's config, which should be for hidden states of this size. */
export const poolingOf = Effect.fnUntraced(function*(folder: string, name: string, size: number) {
  const path = join(folder, name, modelFiles.config)
  let json: Json = {}
  const c = yield* decodeFile(path, (found) => {
    json = isObject(found) ? found : {}
    return keys(PoolingConfig)(found)
  })
  const own = new Set([...Object.keys(PoolingConfig.fields), ...flags.map(([key]) => key), "module_input_name"])
  yield* tell(path, Object.keys(json).filter((key) => !own.has(key)))
  const told = c.embedding_dimension ?? c.word_embedding_dimension ?? size
  if (told !== size) {
    return yield* refused(path, "embedding_dimension", `${told}, where hidden states have ${size} numbers`)
  }
  const older = flags.filter(([key]) => json[key] === true).map(([, mode]) => mode)
  const pooling = c.pooling_mode === undefined ? older : [c.pooling_mode].flat() as ReadonlyArray<Pooling>
  return { pooling: pooling.length === 0 ? ["mean"] : pooling, includePrompt: c.include_prompt } as Pooled
})
