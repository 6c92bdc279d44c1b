/** Merge configs of three methods, read a second time: what each model's parameters are for some tensors. */
import { isFields } from "./json.ts"

type Fields = Readonly<Record<string, unknown>>
type Value = number | boolean

/** Tensors, and how far their layers are from the first to the last. */
export const probes: ReadonlyArray<readonly [name: string, t: number]> = [
  ["model.layers.0.mlp.up_proj.weight", 0],
  ["model.layers.1.self_attn.q_proj.weight", 0.3],
  ["model.norm.weight", 1]
]

interface Known {
  readonly base: "required" | "ignored"
  readonly most: number
  readonly shared: Readonly<Record<string, Value | "needed">>
  readonly own: Readonly<Record<string, Value | "needed">>
}
const known: Readonly<Record<string, Known>> = {
  linear: { base: "ignored", most: Infinity, shared: { normalize: true }, own: { weight: "needed" } },
  slerp: { base: "required", most: 1, shared: { t: "needed" }, own: {} },
  ties: {
    base: "required",
    most: Infinity,
    shared: { normalize: true, lambda: 1, rescale: false, int8_mask: false },
    own: { weight: "needed", density: 1 }
  }
}
/** Parameters that some method has. */
const names = ("weight density gamma epsilon normalize lambda rescale int8_mask t nuslerp_flatten nuslerp_row_wise "
  + "normalize_weights eps max_iter tol filter_wise select_topk scale").split(" ")
const isTruth = (name: string): boolean => ["normalize", "rescale", "int8_mask"].includes(name)

/** What has to be refused. */
class Bad extends Error {}
const check = (holds: boolean): void => {
  if (!holds) throw new Bad()
}

const keysOf = (given: Fields, allowed: ReadonlyArray<string>): void =>
  check(Object.keys(given).every((key) => allowed.includes(key)))

const there = (given: Fields, key: string): boolean => Object.hasOwn(given, key) && given[key] !== null

const textOf = (given: Fields, key: string): string | null => {
  if (!there(given, key)) return null
  const value = given[key]
  check(typeof value === "string" && /\S/.test(value))
  return value as string
}

const single = (given: unknown, truth: boolean): Value => {
  const text = typeof given === "string" ? given : undefined
  if (truth) {
    const value = text?.toLowerCase() ?? String(given)
    const [yes, no] = ["true t yes y on 1", "false f no n off 0"].map((all) => all.split(" ").includes(value))
    check((yes! || no!) && typeof given !== "object")
    return yes!
  }
  check(
    typeof given === "number" || typeof given === "boolean" ||
      /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(text ?? "")
  )
  check(Number.isFinite(Number(given)))
  return Number(given) + 0
}

/** A value over the layers. */
type Spread = (t: number) => Value
const spread = (given: unknown, truth: boolean): Spread => {
  const list: ReadonlyArray<unknown> = Array.isArray(given) ? given : [given]
  check(list.length > 0)
  const values = list.map((own) => single(own, truth))
  return (t) => {
    const at = t * (values.length - 1)
    const [a, b] = [values[Math.floor(at)]!, values[Math.min(Math.floor(at) + 1, values.length - 1)]!]
    return truth ? a : Number(a) * (1 - (at - Math.floor(at))) + Number(b) * (at - Math.floor(at))
  }
}

type Setting = (name: string, t: number) => Value | undefined
const settingOf = (given: unknown, truth: boolean): Setting => {
  const list: ReadonlyArray<unknown> = Array.isArray(given) ? given : [given]
  if (!list.some(isFields)) {
    const own = spread(given, truth)
    return (_, t) => own(t)
  }
  check(list.every(isFields))
  const conditions = (list as ReadonlyArray<Fields>).map((condition) => {
    keysOf(condition, ["filter", "value"])
    check(there(condition, "value"))
    const filter = condition["filter"] ?? "*"
    check(typeof filter === "string")
    return { filter: filter as string, value: spread(condition["value"], truth) }
  })
  return (name, t) => conditions.find(({ filter }) => filter === "*" || name.includes(filter))?.value(t)
}

/** Parameters by name, and how many do nothing. */
interface Read {
  readonly settings: Readonly<Record<string, Setting>>
  readonly idle: number
}
const parametersOf = (given: unknown, method: Known, ofModel: boolean): Read => {
  if (given === undefined || given === null) return { settings: {}, idle: 0 }
  check(isFields(given))
  const all = Object.entries(given as Fields)
  check(all.every(([key]) => names.includes(key)))
  const works = (key: string) =>
    key !== "int8_mask" && (Object.hasOwn(method.own, key) || (!ofModel && Object.hasOwn(method.shared, key)))
  const own = all.filter(([key, value]) => works(key) && value !== null)
  return {
    settings: Object.fromEntries(own.map(([key, value]) => [key, settingOf(value, isTruth(key))])),
    idle: all.filter(([key]) => !works(key)).length
  }
}

/** The values of parameters for every probe: from the first settings that have one, else the default. */
const valuesOf = (kinds: Known["own"], from: ReadonlyArray<Read>) =>
  probes.map(([name, t]) =>
    Object.fromEntries(
      Object.entries(kinds).flatMap(([key, otherwise]) => {
        const found = from.map(({ settings }) => settings[key]?.(name, t)).find((value) => value !== undefined)
        const value = found ?? otherwise
        return value === "needed" ? [] : [[key, value]]
      })
    )
  )

const listOf = (given: unknown): ReadonlyArray<unknown> => {
  check(Array.isArray(given) && given.length > 0)
  return given as ReadonlyArray<unknown>
}

const isLayer = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

const sourceOf = (given: unknown, method: Known, sliced: boolean) => {
  check(isFields(given))
  const own = given as Fields
  keysOf(own, ["model", "parameters", ...sliced ? ["layer_range"] : []])
  const model = textOf(own, "model")
  check(model !== null)
  const range = sliced ? own["layer_range"] : null
  if (sliced) {
    check(Array.isArray(range) && range.length === 2 && range.every(isLayer))
    const [from, to] = range as readonly [number, number]
    check(from < to)
  }
  return { model: model!, range, read: parametersOf(own["parameters"], method, true) }
}

/** Sources under settings that they share, with `base` for a base. */
const sourcesOf = (
  given: unknown,
  method: Known,
  sliced: boolean,
  base: string | null,
  shared: ReadonlyArray<Read>
) => {
  const sources = listOf(given).map((own) => sourceOf(own, method, sliced))
  const models = sources.map(({ model }) => model)
  check(new Set(models).size === models.length)
  check(method.base !== "required" || base !== null)
  const others = models.filter((model) => model !== base).length
  const count = method.base === "ignored" ? models.length + (base !== null && !models.includes(base) ? 1 : 0) : others
  check(count >= 1 && count <= method.most)
  const lengths = sources.map(({ range }) => Array.isArray(range) ? Number(range[1]) - Number(range[0]) : 0)
  check(new Set(lengths).size === 1)
  return {
    sources: sources.map(({ model, range, read }) => ({
      model,
      range,
      values: valuesOf(method.own, [read, ...shared])
    })),
    idle: sources.reduce((sum, { read }) => sum + read.idle, 0)
  }
}

const dtypeOf = (given: Fields, key: string): string | null => {
  if (!there(given, key)) return null
  const [, type] = /^(?:torch\.)?(float32|float16|bfloat16)$/.exec(String(given[key])) ?? []
  check(type !== undefined && typeof given[key] === "string")
  return type!
}

const keys = "merge_method base_model models slices parameters dtype out_dtype tokenizer_source".split(" ")

const whole = (given: Fields) => {
  keysOf(given, keys)
  const name = given["merge_method"]
  check(typeof name === "string" && Object.hasOwn(known, name))
  const method = known[name as string]!
  const [base, tokenizer] = [textOf(given, "base_model"), textOf(given, "tokenizer_source")]
  check(there(given, "models") !== there(given, "slices"))
  const top = parametersOf(given["parameters"], method, false)
  const models = there(given, "models")
    ? sourcesOf(given["models"], method, false, base, [top])
    : { sources: [], idle: 0 }
  const slices = there(given, "slices")
    ? listOf(given["slices"]).map((slice) => {
      check(isFields(slice))
      const own = slice as Fields
      keysOf(own, ["sources", "base_model", "residual_weight", "parameters"])
      const its = textOf(own, "base_model")
      const read = parametersOf(own["parameters"], method, false)
      const found = sourcesOf(own["sources"], method, true, its ?? base, [read, top])
      const idle = found.idle + read.idle + (there(own, "residual_weight") ? 1 : 0)
      return { base: its, sources: found.sources, shared: valuesOf(method.shared, [read, top]), idle }
    })
    : []
  return {
    config: {
      name: name as string,
      base,
      tokenizer,
      dtype: dtypeOf(given, "dtype"),
      outDtype: dtypeOf(given, "out_dtype"),
      models: models.sources,
      slices: slices.map(({ base, shared, sources }) => ({ base, shared, sources })),
      shared: valuesOf(method.shared, [top])
    },
    idle: slices.reduce((sum, slice) => sum + slice.idle, top.idle + models.idle)
  }
}

/** What a config says; `undefined` where it has to be refused. */
export const mergeOf = (value: unknown): ReturnType<typeof whole> | undefined => {
  try {
    return isFields(value) ? whole(value) : undefined
  } catch (error) {
    if (error instanceof Bad) return undefined
    throw error
  }
}
