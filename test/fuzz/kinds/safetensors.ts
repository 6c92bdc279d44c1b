/** The weights of a model folder: a safetensors file, shards that an index lists, dense layers behind a model. */
import * as fc from "fast-check"
import { join } from "node:path"
import { isDeepStrictEqual } from "node:util"
import type { Half, Values } from "../../../src/kernels/half.ts"
import { type Flat, normal, type Param } from "../../../src/kernels/nn/Module.ts"
import * as ModelFolder from "../../../src/runtime/models/folder.ts"
import { type Files, type FolderEdit, folderEdits, lay, moved, plainFiles } from "../edits/folders.ts"
import { type Json, of, type Path, textOf } from "../edits/json.ts"
import { type Edit, edited, edits, Raw } from "../edits/mutations.ts"
import { type FileEdit, fileEdits, tensor, writeFile, type WrittenFile } from "../edits/tensors.ts"
import { attempt, expectSame, Fault, kind, refused } from "../kind.ts"
import { isFields, strictly } from "../readings/json.ts"
import { Bad, bad, type Fields, unlessBad } from "../readings/records.ts"
import { fileOf, numbers, type OwnTensor } from "../readings/safetensors.ts"

const [WHOLE, INDEX] = ["model.safetensors", "model.safetensors.index.json"]
const [ONE, TWO] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
const [MODULES, DENSE, CONFIG] = ["modules.json", "1_Dense/model.safetensors", "1_Dense/config.json"]

const first = [
  tensor("a.weight", [2, 3], [1, -2, 0.5, 3, 2 ** -100, -0.25]),
  tensor("b", [4], [1, -0.5, 2, 0.125], "F16")
]
const second = [
  tensor("c", [2, 1, 2], [1, -0.5, 2, 256], "BF16"),
  tensor("d", [0, 3], []),
  tensor("e", [], [7]),
  tensor("f.g", [3], [1 / 3, -1.001, 65519])
]
const types: Readonly<Record<string, Half>> = { b: "float16", c: "bfloat16", "f.g": "bfloat16", e: "float16" }
const linear = [tensor("linear.weight", [2, 4], [1, 2, 3, 4, 5, 6, 7, 8], "F16")]
const listed = [
  ["1_Dense", "pylate.models.Dense.Dense"],
  ["", "sentence_transformers.models.Transformer"]
].map(([path, type], idx) => ({ idx, name: String(idx), path, type }))

interface Layout {
  readonly weights: Readonly<Record<string, WrittenFile>>
  readonly texts: Readonly<Record<string, Json>>
}
const shard = (names: ReadonlyArray<{ readonly name: string }>, file: string) => names.map(({ name }) => [name, file])
const layouts = {
  whole: { weights: { [WHOLE]: { tensors: [...first, ...second] } }, texts: {} },
  shards: {
    weights: { [ONE]: { tensors: first }, [TWO]: { tensors: second } },
    texts: {
      [INDEX]: of({
        metadata: { total_size: 56 },
        weight_map: Object.fromEntries([...shard(first, ONE), ...shard(second, TWO)])
      })
    }
  },
  dense: {
    weights: { [WHOLE]: { tensors: [...first, ...second] }, [DENSE]: { tensors: linear } },
    texts: {
      [MODULES]: of(listed),
      [CONFIG]: of({ in_features: 4, activation_function: "torch.nn.modules.linear.Identity" })
    }
  }
} satisfies Readonly<Record<string, Layout>>
type Name = keyof typeof layouts
const layoutOf = (name: Name): Layout => layouts[name]

interface Case {
  readonly name: Name
  readonly spoilt: Readonly<Record<string, ReadonlyArray<FileEdit> | ReadonlyArray<Edit>>>
  readonly folder: ReadonlyArray<FolderEdit>
}

const filesOf = ({ folder, name, spoilt }: Case): Files => {
  const { texts, weights } = layoutOf(name)
  const files = Object.entries(weights).map(([file, own]) =>
    [file, writeFile(own, spoilt[file] as ReadonlyArray<FileEdit>)] as const
  )
  const rest = Object.entries(texts).map(([file, json]) => {
    const text = textOf(edited(json, (spoilt[file] ?? []) as ReadonlyArray<Edit>))
    return [file, new TextEncoder().encode(text)] as const
  })
  return moved(Object.fromEntries([...files, ...rest]), folder)
}

const params = (name: Name): Flat =>
  new Map(
    Object.entries(layoutOf(name).weights).flatMap(([file, { tensors }]) =>
      tensors.map(({ name: own, shape }): readonly [string, Param] => {
        const stored = types[own]
        return [(file === DENSE ? "1_Dense." : "") + own, { ...normal(shape, 1), ...(stored ? { stored } : {}) }]
      })
    )
  )

/** A JSON file as it is to be read. @throws Bad with its name. */
const json = (files: Files, name: string): unknown => {
  const bytes = plainFiles(files)[name]
  const json = bytes && strictly(bytes)
  return json ? json.value : bad(name)
}

const isName = (value: unknown): value is string =>
  typeof value === "string" && !/[/\\]/.test(value) && !["", ".", ".."].includes(value)

/** The tensors of a file. @throws Bad with its name. */
const tensorsOf = (files: Files, name: string, prefix = ""): ReadonlyArray<readonly [string, OwnTensor]> => {
  const bytes = Object.hasOwn(files, name) ? plainFiles(files)[name] : undefined
  const own = bytes && unlessBad(() => fileOf(bytes))
  return own ? [...own.tensors].map(([key, t]) => [prefix + key, t]) : bad(name)
}

const sharded = (files: Files): ReadonlyArray<readonly [string, OwnTensor]> => {
  const index = json(files, INDEX)
  const map = isFields(index) ? index["weight_map"] : undefined
  if (!isFields(map)) return bad(INDEX)
  if (!Object.values(map).every((file) => isName(file))) return bad(INDEX)
  const names = [...new Set(Object.values(map) as ReadonlyArray<string>)].toSorted()
  const byFile = new Map(names.map((name) => [name, tensorsOf(files, name)]))
  const has = ([name, file]: readonly [string, unknown]) => byFile.get(file as string)!.some(([own]) => own === name)
  return Object.entries(map).every(has) ? [...byFile.values()].flat() : bad(INDEX)
}

const dense = (files: Files): ReadonlyArray<readonly [string, OwnTensor]> => {
  if (!Object.hasOwn(files, MODULES)) return []
  const modules = json(files, MODULES)
  const isModule = (own: unknown): own is Fields =>
    isFields(own) && typeof own["path"] === "string" && typeof own["type"] === "string"
  if (!Array.isArray(modules) || !modules.every(isModule)) return bad(MODULES)
  const typeOf = ({ type }: Fields) => String(type).split(".").at(-1)!
  if (!modules.every((own) => ["Dense", "Normalize", "Pooling", "Transformer"].includes(typeOf(own)))) {
    return bad(MODULES)
  }
  const paths = modules.filter((own) => typeOf(own) === "Dense").map(({ path }) => path)
  if (!paths.every(isName)) return bad(MODULES)
  return paths.flatMap((path) => denseLayer(files, path))
}

/** A dense layer that only maps, from as many features to as many as its config says. */
const denseLayer = (files: Files, path: string): ReadonlyArray<readonly [string, OwnTensor]> => {
  const name = join(path, "config.json")
  const config = json(files, name)
  if (!isFields(config)) return bad(name)
  const { activation_function, in_features, out_features } = config
  if (![undefined, "torch.nn.modules.linear.Identity"].includes(activation_function as string)) bad(name)
  if (![in_features, out_features].every((own) => own === undefined || Number.isSafeInteger(own))) bad(name)
  const tensors = tensorsOf(files, `${path}/${WHOLE}`, `${path}.`)
  if (in_features === undefined && out_features === undefined) return tensors
  const [rows, columns, ...more] = new Map(tensors).get(`${path}.linear.weight`)?.shape ?? []
  if (columns === undefined || more.length > 0) bad(`${path}/${WHOLE}`)
  return [[in_features, columns], [out_features, rows]].every(([said, is]) => said === undefined || said === is)
    ? tensors
    : bad(name)
}

/** The nearest number of the type, a tie to the even one; infinite beyond its range. */
const rounded = (value: number, type: Half): number => {
  if (value < 0 || Object.is(value, -0)) return -rounded(-value, type)
  const [fractions, least, most] = type === "float16" ? [10, -14, 65520] : [7, -126, (2 - 2 ** -8) * 2 ** 127]
  if (value >= most) return Infinity
  const unit = 2 ** (Math.max(least, Math.floor(Math.log2(value || 1))) - fractions)
  const below = Math.floor(value / unit)
  const rest = value / unit - below
  return (rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below) * unit
}

/** Values by parameter. @throws Bad with the name of the file that is wrong; without one where several do not fit. */
const own = (files: Files, flat: Flat): Readonly<Record<string, ReadonlyArray<number>>> => {
  if (![WHOLE, INDEX].some((name) => Object.hasOwn(files, name))) return bad("")
  const tensors = [...(Object.hasOwn(files, WHOLE) ? tensorsOf(files, WHOLE) : sharded(files)), ...dense(files)]
  const found = new Map(tensors)
  if (found.size !== tensors.length || found.size !== flat.size) return bad("")
  return Object.fromEntries([...flat].map(([path, { shape, stored }]) => {
    const { bytes, dtype, shape: given } = found.get(path) ?? bad("")
    const values = given.join() === shape.join() ? numbers(dtype, bytes) ?? bad("") : bad("")
    const all = stored ? values.map((value) => rounded(value, stored)) : values
    return [path, all.every(Number.isFinite) ? all : bad("")]
  }))
}

/** What was loaded, as numbers. */
const plain = (values: ReadonlyMap<string, Values>, flat: Flat) =>
  Object.fromEntries([...values].map(([path, data]) => {
    const { stored } = flat.get(path)!
    if (!(data instanceof Uint16Array)) return [path, [...data]]
    return [path, numbers(stored === "float16" ? "F16" : "BF16", new Uint8Array(data.slice().buffer))]
  }))

const spoilt = (name: Name): fc.Arbitrary<Case["spoilt"]> => {
  const { texts, weights } = layoutOf(name)
  const all = [
    ...Object.entries(weights).map(([file, own]) => fileEdits(own).map((edits): Case["spoilt"] => ({ [file]: edits }))),
    ...Object.entries(texts).map(([file, own]) => edits(own).map((edits): Case["spoilt"] => ({ [file]: edits })))
  ]
  return fc.oneof(...all)
}

/** What `read` gives, or the name that is bad. */
const orName = <A>(read: () => A): A | string => {
  try {
    return read()
  } catch (error) {
    if (error instanceof Bad) return error.message
    throw error
  }
}

const namesOf = (name: Name) => [...Object.keys(layoutOf(name).weights), ...Object.keys(layoutOf(name).texts)]
const others = [
  WHOLE,
  INDEX,
  ONE,
  TWO,
  DENSE,
  "pytorch_model.bin",
  "untrained.json",
  "old/model.safetensors",
  "1_Dense"
]

const header = (...edits: ReadonlyArray<Edit>): Case => ({
  name: "whole",
  spoilt: { [WHOLE]: [{ does: "header", edits }] },
  folder: []
})
const replaced = (path: Path, text: string): Edit => ({ path, does: "replace", value: new Raw(text) })

export default kind<Case>({
  examples: [
    header(replaced(["__metadata__"], "\"text\"")),
    header(replaced(["__metadata__"], "[]")),
    header({ path: ["b", "dtype"], does: "again", value: new Raw("\"BF16\"") }),
    header(replaced(["a.weight", "shape", 0], "2.0")),
    header(replaced(["a.weight", "data_offsets", 0], "-0")),
    header(replaced(["d", "shape"], "[4294967296,4294967296,0]")),
    header(replaced(["__metadata__", "format"], "\"\\ud800\"")),
    header({ path: ["b"], does: "replace", value: new Raw("null") }),
    { name: "dense", spoilt: {}, folder: [{ does: "link", file: MODULES }] }
  ],
  cases: fc.constantFrom<Name>("whole", "whole", "shards", "shards", "dense").chain((name) =>
    fc.record({
      name: fc.constant(name),
      spoilt: fc.oneof({ weight: 6, arbitrary: spoilt(name) }, fc.constant({})),
      folder: fc.oneof(
        { weight: 6, arbitrary: fc.constant([]) },
        fc.array(folderEdits(namesOf(name), others), { minLength: 1, maxLength: 2 })
      )
    }, { noNullPrototype: true })
  ),
  judge: async (c, folder) => {
    const [files, flat] = [filesOf(c), params(c.name)]
    lay(folder, files)
    const outcome = await attempt(ModelFolder.stored(folder, flat, 1))
    const expected = orName(() => own(files, flat))
    if (outcome._tag === "Refused") {
      if (typeof expected !== "string") throw new Fault(`refused: ${outcome.message}`)
      return refused(outcome, join(folder, expected))
    }
    if (typeof expected === "string") throw new Fault(`read, where ${expected || "the weights"} are bad`)
    expectSame(plain(outcome.value, flat), expected, "weights")
    const before = own(filesOf({ ...c, spoilt: {}, folder: [] }), flat)
    return isDeepStrictEqual(before, expected) ? "same" : "changed"
  }
})
