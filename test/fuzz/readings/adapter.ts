/** An adapter on a model's weights, read a second time by the rules of PEFT. */
import { isFields } from "./json.ts"
import { bad, type Fields } from "./records.ts"
import { numbers, type OwnFile } from "./safetensors.ts"

export interface Matrix {
  readonly shape: ReadonlyArray<number>
  readonly values: ReadonlyArray<number>
}
export type Matrices = Readonly<Record<string, Matrix>>

type Test = (path: string) => boolean
const isText = (value: unknown): value is string => typeof value === "string"
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0
const isPositive = (value: unknown): value is number => Number.isFinite(value) && (value as number) > 0

/** A field that may be left out, and of a list also null. */
const optional = <A>(config: Fields, key: string, is: (value: unknown) => value is A, otherwise: A): A => {
  const value = Object.hasOwn(config, key) ? config[key] : otherwise
  return is(value) ? value : bad(key)
}
const list = <A>(config: Fields, key: string, is: (value: unknown) => value is A, one: boolean) => {
  const value = Object.hasOwn(config, key) ? config[key] : null
  if (value === null) return undefined
  if (Array.isArray(value) && value.every(is)) return value
  return one && is(value) ? value : bad(key)
}
const record = <A>(
  config: Fields,
  key: string,
  is: (value: unknown) => value is A
): ReadonlyArray<readonly [string, A]> =>
  Object.entries(optional(config, key, isFields, {})).map(([name, value]) => [name, is(value) ? value : bad(key)])

/** A pattern of a whole path. */
const pattern = (text: string): Test => {
  const test: Test = (path) => {
    try {
      return new RegExp(`^(?:${text})$`).test(path)
    } catch {
      return bad("no pattern")
    }
  }
  test("")
  return test
}

/** Names of modules: ends of their paths, or one pattern. */
const naming = (names: string | ReadonlyArray<string>): Test =>
  isText(names) ? pattern(names) : (path) => names.some((name) => path === name || path.endsWith(`.${name}`))

const isEmbedding: Test = (path) => path.endsWith("embed_tokens")

/** Whether PEFT gives a module of the model an adapter. */
const targetsOf = (config: Fields): Test => {
  const targets = list(config, "target_modules", isText, true)
  const excluded = list(config, "exclude_modules", isText, true)
  const saved = [list(config, "modules_to_save", isText, false) ?? []].flat()
  const layers = list(config, "layers_to_transform", Number.isSafeInteger as (v: unknown) => v is number, true)
  const names = [list(config, "layers_pattern", isText, true) ?? []].flat().filter((name) => name !== "")
  const [isTarget, isExcluded] = [naming(targets ?? ".*"), excluded === undefined ? () => false : naming(excluded)]
  /** The layer of a path of this model, whose only numbers are those of its layers. */
  const layerOf = (path: string) => {
    const [, name, layer] = /(?:^|\.)(\w+)\.(\d+)\./.exec(path) ?? []
    const known = name !== undefined && (names.length === 0 || names.some((own) => pattern(own)(name)))
    return known ? Number(layer) : undefined
  }
  const inLayers: Test = (path) => {
    const wanted = [layers ?? []].flat()
    return wanted.length === 0 || isText(targets ?? "") || targets!.includes(path) || wanted.includes(layerOf(path)!)
  }
  const isSaved: Test = (path) => saved.some((name) => path.split(".").includes(name) || path.endsWith(`.${name}`))
  const isLinear: Test = (path) => !isEmbedding(path) && path !== "lm_head"
  const isOne: Test = targets === "all-linear" ? isLinear : (path) => isTarget(path) && inLayers(path)
  return (path) => isOne(path) && !isExcluded(path) && !isSaved(path)
}

/** Keys that say what is computed, and others that say nothing about it. */
const known: ReadonlySet<string> = new Set(
  "alpha_pattern base_model_name_or_path ensure_weight_tying exclude_modules layers_pattern layers_to_transform lora_alpha "
    .concat(
      "lora_dropout modules_to_save r rank_pattern target_modules use_rslora auto_mapping eva_config inference_mode "
    )
    .concat("megatron_core peft_version qalora_group_size revision task_type").split(" ")
)
const starts: ReadonlySet<unknown> = new Set([true, false, "gaussian", "eva", "orthogonal"])

/** Keys that ask for more than an adapter of low rank have to be off. */
const checkKeys = (config: Fields): void => {
  for (const [key, value] of Object.entries(config)) {
    const isOff = [null, false, "none"].includes(value as null)
      || (typeof value === "object" && Object.keys(value!).length === 0)
    const isPlain = key === "peft_type"
      ? value === "LORA"
      : key === "init_lora_weights"
      ? starts.has(value)
      : known.has(key) || isOff
    if (!isPlain) bad(key)
  }
}

/** By the first pattern that is an end of the path. */
const byEnd = (values: ReadonlyArray<readonly [string, number]>, otherwise: number) => {
  const tests = values.map(([key, value]) => [pattern(`(?:.*\\.)?(?:${key})`), value] as const)
  return (path: string): number => tests.find(([test]) => test(path))?.[1] ?? otherwise
}

interface Factor {
  readonly rank: (path: string) => number
  readonly scale: (path: string) => number
  readonly isTarget: Test
  readonly saved: ReadonlyArray<string>
  readonly ties: boolean
}

/** @throws Bad with the key that is wrong. */
export const configOf = (value: unknown): Factor => {
  const config = isFields(value) ? value : bad("no object")
  checkKeys(config)
  const dropout = optional(config, "lora_dropout", Number.isFinite as (v: unknown) => v is number, 0)
  if (dropout < 0 || dropout > 1) bad("lora_dropout")
  const base = Object.hasOwn(config, "base_model_name_or_path") ? config["base_model_name_or_path"] : null
  if (base !== null && !isText(base)) bad("base_model_name_or_path")
  const rank = byEnd(record(config, "rank_pattern", isCount), isCount(config["r"]) ? config["r"] : bad("r"))
  const usual = isPositive(config["lora_alpha"]) ? config["lora_alpha"] : bad("lora_alpha")
  const alpha = byEnd(record(config, "alpha_pattern", isPositive), usual)
  const isBoolean = (own: unknown): own is boolean => typeof own === "boolean"
  const rslora = optional(config, "use_rslora", isBoolean, false)
  return {
    rank,
    scale: (path) => alpha(path) / (rslora ? Math.sqrt(rank(path)) : rank(path)),
    isTarget: targetsOf(config),
    saved: [list(config, "modules_to_save", isText, false) ?? []].flat(),
    ties: optional(config, "ensure_weight_tying", isBoolean, false)
  }
}

const PREFIX = "base_model.model."

/** The tensors by the names that the model has for them. */
const tensorsOf = ({ tensors }: OwnFile): ReadonlyMap<string, Matrix> => {
  const found = [...tensors].map(([name, { bytes, dtype, shape }]) => {
    const values = numbers(dtype, bytes) ?? bad(name)
    if (!name.startsWith(PREFIX) || !values.every(Number.isFinite)) bad(name)
    return [name.slice(PREFIX.length).replace(".base_layer.", "."), { shape, values }] as const
  })
  return new Map(found).size === found.length ? new Map(found) : bad("a tensor twice")
}

const isTable: Test = (name) => ["model.embed_tokens.weight", "lm_head.weight"].includes(name)
const fits = (found: Matrix | undefined, ...shape: ReadonlyArray<number>): Matrix =>
  found?.shape.join() === shape.join() ? found : bad("a shape")

/** W + s B A, of an embedding W + s (B A)ᵀ. */
const folded = (w: Matrix, a: Matrix, b: Matrix, scale: number, lookup: boolean): Matrix => {
  const [to, from] = w.shape as [number, number]
  const r = a.shape[0]!
  const product = (row: number, column: number) => {
    const [i, j, width] = lookup ? [column, row, to] : [row, column, from]
    return Array.from({ length: r }, (_, k) => b.values[i * r + k]! * a.values[k * width + j]!).reduce(
      (x, y) => x + y,
      0
    )
  }
  const values = w.values.map((value, at) => value + scale * product(Math.floor(at / from), at % from))
  return values.every((value) => Number.isFinite(Math.fround(value))) ? { shape: [to, from], values } : bad("infinite")
}

/** Whether a parameter is in a module, at any depth, whose path ends in the name. */
const withinSaved = (parameter: string, name: string): boolean => {
  const parts = parameter.split(".").slice(0, -1)
  return parts.some((_, i) => parts.slice(0, i + 1).join(".").endsWith(name))
}

export interface Merged {
  readonly weights: Matrices
  /** Modules that should have adapters, and have none. */
  readonly missing: ReadonlyArray<string>
}

/** The model's weights with the adapter. @throws Bad where it is none of this model's. */
export const merged = (config: Factor, file: OwnFile, base: Matrices): Merged => {
  const tensors = tensorsOf(file)
  if (config.ties && [...tensors.keys()].some((name) => /embed_tokens|lm_head\.weight/.test(name))) bad("tied")
  const apart = [...tensors.keys()].some((name) => /^(lm_head|model\.embed_tokens)\./.test(name))
    || config.saved.some((module) => withinSaved("lm_head.weight", module))
  const whole = apart ? { "lm_head.weight": base["model.embed_tokens.weight"]!, ...base } : base
  const used = new Set<string>()
  const missing: Array<string> = []
  const weights = Object.entries(whole).map(([name, given]): readonly [string, Matrix] => {
    const full = tensors.get(name)
    const own = full === undefined ?
      given :
      isTable(name) && full.shape.length === 2 && full.shape[1] === given.shape[1]
      ? full
      : fits(full, ...given.shape)
    if (full !== undefined) used.add(name)
    const path = name.replace(/\.weight$/, "")
    if (full === undefined && config.saved.some((module) => withinSaved(name, module))) bad(`${name} is missing`)
    if (given.shape.length !== 2) return [name, own]
    const lookup = isEmbedding(path)
    const [a, b] = (lookup ? ["lora_embedding_A", "lora_embedding_B"] : ["lora_A.weight", "lora_B.weight"])
      .map((last) => `${path}.${last}`) as [string, string]
    if (!tensors.has(a) && !tensors.has(b)) {
      if (config.isTarget(path)) missing.push(path)
      return [name, own]
    }
    if (!config.isTarget(path)) bad(`${path} is no target`)
    used.add(a).add(b)
    const [to, from] = own.shape as [number, number]
    const [r, scale] = [config.rank(path), config.scale(path)]
    const [one, two] = lookup ? [fits(tensors.get(a), r, to), fits(tensors.get(b), from, r)] : [
      fits(tensors.get(a), r, from),
      fits(tensors.get(b), to, r)
    ]
    return [name, folded(own, one, two, scale, lookup)]
  })
  if (used.size !== tensors.size) bad("a tensor of no module")
  const tables = weights.filter(([name]) => isTable(name)).map(([, { shape }]) => shape[0])
  if (new Set(tables).size > 1) bad("tables of several sizes")
  return { weights: Object.fromEntries(weights), missing: used.size === 0 ? [] : missing }
}
