/**
 * The tensors of a model folder: from `model.safetensors`, or from the shards listed in `model.safetensors.index.json`,
 * plus those of the dense layers listed in `modules.json`; or of a GGUF file.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import { several } from "../../domain/brief.ts"
import { modelFiles } from "../../domain/fileNames.ts"
import { firstInfinite, type Half, toWords, type Values } from "../../kernels/half.ts"
import type { Flat, Param } from "../../kernels/nn/Module.ts"
import { decodeFile, exists, FileError, namesIn } from "./disk.ts"
import * as Gguf from "./gguf/read.ts"
import * as GgufTensors from "./gguf/tensors.ts"
import { isFile } from "./model.ts"
import * as TensorFile from "./safetensors/read.ts"
import { denseConfig, modulesOf, plain } from "./sentence/modules.ts"
import type { Tensors } from "./tensors.ts"

/** Where a tensor is stored, and its shape. */
export interface Source {
  readonly file: Tensors
  readonly name: string
  readonly shape: ReadonlyArray<number>
}
/** Tensors by name; names in a dense layer are prefixed with its folder ("1_Dense.linear.weight"). */
export type Sources = ReadonlyMap<string, Source>

const [WHOLE, INDEX] = [modelFiles.weights, modelFiles.weightsIndex]
const decodeIndex = Schema.decodeUnknownEffect(
  Schema.Struct({ weight_map: Schema.Record(Schema.String, Schema.String) })
)
type Sourced = readonly [name: string, source: Source]

const sourcesOf = (file: TensorFile.TensorFile, prefix = ""): ReadonlyArray<Sourced> =>
  [...file.entries].map(([name, { shape }]) => [prefix + name, { file, name, shape }])

/** The tensors by name; fails if two files contain the same name. */
const once = Effect.fnUntraced(function*(all: ReadonlyArray<Sourced>) {
  const found = new Map<string, Source>()
  for (const [name, source] of all) {
    const other = found.get(name)
    if (other) {
      const reason = `is in ${other.file.path} too`
      return yield* new FileError({ path: source.file.path, place: `tensor ${name}`, reason })
    }
    found.set(name, source)
  }
  return found as Sources
})

/** What an index says: the file of each tensor, and the names of all files, sorted. */
const indexed = Effect.fnUntraced(function*(path: string) {
  const { weight_map } = yield* decodeFile(path, decodeIndex)
  const names = [...new Set(Object.values(weight_map))].toSorted()
  yield* plain(path, "weight_map", names)
  return { weight_map, names }
})

/** The names of the shards that an index file lists, sorted. */
export const shardsIn = (path: string) => Effect.map(indexed(path), ({ names }) => names)

const shards = Effect.fnUntraced(function*(folder: string) {
  const path = join(folder, INDEX)
  const { names, weight_map } = yield* indexed(path)
  const files = yield* Effect.forEach(names, (name) => TensorFile.open(join(folder, name)))
  const byName = new Map(names.map((name, i) => [name, files[i]!.entries]))
  const lost = Object.entries(weight_map).filter(([name, file]) => !byName.get(file)!.has(name))
  if (lost.length === 0) return files.flatMap((file) => sourcesOf(file))
  const reason = several(lost.map(([name, file]) => `${name} is not in ${file}`)).join("; ")
  return yield* new FileError({ path, place: "weight_map", reason })
})

const dense = Effect.fnUntraced(function*(folder: string, tells: boolean) {
  const layers = ((yield* modulesOf(folder)) ?? []).filter(({ kind }) => kind === "Dense")
  return (yield* Effect.forEach(layers, ({ path }) => denseLayer(folder, path, tells))).flat()
})

const denseLayer = Effect.fnUntraced(function*(folder: string, name: string, tells: boolean) {
  const path = join(folder, name, modelFiles.config)
  const { in_features, out_features } = yield* denseConfig(folder, name, tells)
  const file = yield* TensorFile.open(join(folder, name, WHOLE))
  if (in_features === undefined && out_features === undefined) return sourcesOf(file, `${name}.`)
  const shape = file.entries.get("linear.weight")?.shape
  if (shape?.length !== 2) {
    const reason = shape ? `has the shape ${show(shape)}, and is to be a matrix` : "is not there"
    return yield* new FileError({ path: file.path, place: "tensor linear.weight", reason })
  }
  const [rows, columns] = shape as readonly [number, number]
  const [from, to] = [in_features ?? columns, out_features ?? rows]
  if (to === rows && from === columns) return sourcesOf(file, `${name}.`)
  const reason = `from ${from} to ${to} features, where the weights are ${show([rows, columns])}`
  return yield* new FileError({ path, place: "", reason })
})

/** Files that indicate weights when `model.safetensors` is missing: shards, and unsupported formats. */
const isShard = (name: string): boolean => /^model-\d+-of-\d+\.safetensors$/.test(name)
const isForeign = (name: string): boolean =>
  /^(pytorch|adapter|tf)_model.*\.(bin|h5)$|\.(pt|pth|gguf|h5|msgpack|safetensors)$|^consolidated/.test(name)

/** The error for a folder that has weights only in a form that is not read; `undefined` if it has none at all. */
const lack = (folder: string, names: ReadonlyArray<string>): FileError | undefined => {
  const shard = names.find(isShard)
  if (shard !== undefined) {
    return new FileError({ path: join(folder, INDEX), place: "", reason: `is not there, although ${shard} is` })
  }
  const other = names.find(isForeign)
  const remedy = other?.endsWith(".safetensors")
    ? "which is the name that weights have"
    : other?.endsWith(".gguf")
    ? "name the file itself, which is a model"
    : "convert it with save_pretrained(..., safe_serialization=True)"
  const reason = `there is no ${WHOLE} beside it; ${remedy}`
  return other === undefined ? undefined : new FileError({ path: join(folder, other), place: "", reason })
}

/** The tensors of a GGUF file, by their names in a state dict. */
const ofFile = Effect.fnUntraced(function*(path: string) {
  const file = yield* GgufTensors.named(yield* Gguf.open(path))
  return new Map([...file.shapes].map(([name, shape]) => [name, { file, name, shape }])) as Sources
})

/**
 * Opens the weights until the scope ends; `undefined` if the folder has none. Fails if it has weights only in a form
 * that is not read. `tells`: warn about unused config keys.
 */
export const open = Effect.fnUntraced(function*(folder: string, tells = true) {
  if (yield* isFile(folder)) return yield* ofFile(folder)
  const names = yield* namesIn(folder)
  const has = Effect.fnUntraced(function*(name: string) {
    const path = join(folder, name)
    if (!names.includes(name) || (yield* exists(path))) return names.includes(name)
    return yield* new FileError({ path, place: "", reason: "is a link that leads nowhere" })
  })
  const whole = yield* has(WHOLE)
  if (whole || (yield* has(INDEX))) {
    const own = whole ? sourcesOf(yield* TensorFile.open(join(folder, WHOLE))) : yield* shards(folder)
    return yield* once((yield* has(modelFiles.modules)) ? [...own, ...(yield* dense(folder, tells))] : own)
  }
  const why = lack(folder, names)
  return why === undefined ? undefined : yield* why
})

/** Shapes of the folder's tensors by name; `undefined` if it has no weights. */
export const shapes = (folder: string) =>
  Effect.scoped(
    Effect.map(open(folder, false), (sources) =>
      sources && new Map([...sources].map(([name, { shape }]) => [name, shape])))
  )

/** Maps a stored tensor name to its parameter path; `undefined` for tensors that the model does not use. */
export type Naming = (stored: string) => string | undefined

const show = (shape: ReadonlyArray<number>): string => `[${shape.join()}]`

/** All mismatches between stored tensors and parameters: missing, of another shape, or unknown. */
export const misfits = (
  params: ReadonlyMap<string, Pick<Source, "shape">>,
  stored: ReadonlyMap<string, Pick<Source, "shape">>,
  dispensable: (path: string) => boolean = () => false
): ReadonlyArray<string> => [
  ...[...params].flatMap(([path, { shape }]) => {
    const found = stored.get(path)
    if (!found) return dispensable(path) ? [] : [`${path} ${show(shape)} is missing`]
    return found.shape.join() === shape.join() ? [] : [`${path} is ${show(found.shape)}, not ${show(shape)}`]
  }),
  ...[...stored].filter(([path]) => !params.has(path)).map(([path, { shape }]) =>
    `${path} ${show(shape)} is unknown to this architecture`
  )
]

/** The tensors by parameter path, and the names that map to a path already taken. */
const byPath = (sources: Sources, naming: Naming) => {
  const found = new Map<string, Source>()
  const twice: Array<string> = []
  for (const [stored, source] of sources) {
    const path = naming(stored)
    if (path === undefined) continue
    if (found.has(path)) twice.push(`${stored} is ${path} a second time`)
    found.set(path, source)
  }
  return { found, twice }
}

/** How a folder's tensors map to a model's parameters. */
export interface LoadOptions {
  readonly naming: Naming
  /** Whether a parameter may be missing. */
  readonly dispensable: (path: string) => boolean
  /** Tied tensors that are not loaded: stored name -> path of the parameter they must equal. */
  readonly twins?: ReadonlyMap<string, string>
  /** Reads what is kept in place of a parameter's values, by path; `undefined` to keep them. */
  readonly pack?: Pack
}

/** Reads a parameter in another form from where it is stored: the arrays in its place, by path. */
export type Pack = (
  path: string,
  param: Param,
  source: Source
) => Effect.Effect<ReadonlyArray<readonly [string, Values]> | undefined, FileError>

/** Fails if a tied tensor differs from its parameter, since it is unclear which of the two is meant. */
export const same = Effect.fnUntraced(
  function*(sources: Sources, naming: Naming, twins: ReadonlyMap<string, string> = new Map()) {
    for (const [name, path] of twins) {
      const own = sources.get(name)
      const other = [...sources.values()].find((source) => naming(source.name) === path)
      if (!own || !other) continue
      const [a, b] = [(yield* own.file.read(own.name)).data, (yield* other.file.read(other.name)).data]
      if (a.length === b.length && a.every((value, i) => value === b[i])) continue
      const reason = `differs from ${other.name}, although config.json ties them; set tie_word_embeddings: false there`
      return yield* new FileError({ path: own.file.path, place: `tensor ${name}`, reason })
    }
  }
)

/** The tensors of the parameters; all mismatches are reported in one error. */
export const fitting = Effect.fnUntraced(
  function*(folder: string, params: Flat, sources: Sources, { dispensable, naming, twins }: LoadOptions) {
    yield* same(sources, naming, twins)
    const { found, twice } = byPath(sources, naming)
    const wrong = [...twice, ...misfits(params, found, dispensable)]
    const path = sources.values().next().value?.file.path ?? folder
    if (wrong.length > 0) return yield* new FileError({ path, place: "", reason: several(wrong).join("; ") })
    return found as Sources
  }
)

/** A tensor as 16-bit words of type `type`; fails on values beyond the range of the type. */
const words = Effect.fnUntraced(function*({ file, name }: Source, type: Half) {
  if (file.half(name) === type) return yield* file.words(name)
  const { data } = yield* file.read(name)
  const rounded = toWords(data, type)
  const beyond = firstInfinite(rounded, type)
  if (beyond < 0) return rounded
  const reason = `${data[beyond]} is beyond the range of ${type}; set torch_dtype: bfloat16 or float32`
  return yield* new FileError({ path: file.path, place: `tensor ${name}`, reason })
})

/** A parameter's values as they are kept, by path. */
const kept = Effect.fnUntraced(function*(path: string, param: Param, source: Source, pack?: Pack) {
  if (param.stored) return [[path, yield* words(source, param.stored)]] as const
  const packed = pack && (yield* pack(path, param, source))
  return packed ?? [[path, (yield* source.file.read(source.name)).data]] as const
})

/** Reads the values of the parameters, one tensor at a time. */
export const load = Effect.fnUntraced(
  function*(folder: string, params: Flat, sources: Sources, options: LoadOptions) {
    const values = new Map<string, Values>()
    for (const [path, source] of yield* fitting(folder, params, sources, options)) {
      for (const [name, array] of yield* kept(path, params.get(path)!, source, options.pack)) values.set(name, array)
    }
    return values
  }
)
