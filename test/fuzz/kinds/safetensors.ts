/** Weights of a model folder: one file, or two that an index lists. */
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import * as WeightFiles from "../../../src/runtime/layers/weightFiles.ts"
import { after, type Damage, damages } from "../damage.ts"
import { of, textOf } from "../json.ts"
import { attempt, expectSame, Fault, fill, kind, refused } from "../kind.ts"
import { isFields, strictly } from "../ownJson.ts"
import { type Edit, edited, edits } from "../mutations.ts"
import { fileOf, layout, type Tensor, tensorsOf, written } from "../ownTensors.ts"

const first = {
  a: { dtype: "F32", shape: [2, 3], values: [1, -2, 0.5, 3, 1e-20, -0.25] },
  b: { dtype: "F16", shape: [4], values: [1, -0.5, 2, 0.125] }
} as const
const second = {
  c: { dtype: "BF16", shape: [2, 1, 2], values: [1, -0.5, 2, 256] },
  d: { dtype: "F32", shape: [0, 3], values: [] },
  e: { dtype: "F32", shape: [], values: [7] }
} as const
const all: Readonly<Record<string, Tensor>> = { ...first, ...second }

const [SINGLE, INDEX, ONE, TWO] = [
  "model.safetensors",
  "model.safetensors.index.json",
  "model-00001-of-00002.safetensors",
  "model-00002-of-00002.safetensors"
]
const [header, body] = layout(all)
const head = of(header)
const names = Object.fromEntries(Object.keys(all).map((name) => [name, name in first ? ONE : TWO]))
const index = of({ metadata: { total_size: 44 }, weight_map: names })

type Case =
  | { readonly header: ReadonlyArray<Edit> }
  | { readonly index: ReadonlyArray<Edit> }
  | { readonly file: string; readonly damages: ReadonlyArray<Damage> }

const filesOf = (c: Case): Readonly<Record<string, Uint8Array>> => {
  if ("header" in c) return { [SINGLE]: fileOf(textOf(edited(head, c.header)), body) }
  const shards = {
    [INDEX]: new TextEncoder().encode(textOf("index" in c ? edited(index, c.index) : index)),
    [ONE]: written(first),
    [TWO]: written(second)
  }
  if ("index" in c) return shards
  const files: Readonly<Record<string, Uint8Array>> = c.file === SINGLE ? { [SINGLE]: written(all) } : shards
  return { ...files, [c.file]: after(files[c.file]!, c.damages) }
}

type Values = Readonly<Record<string, Omit<Tensor, "dtype">>>

/** All tensors of the files, or `undefined` where they are to be refused. */
const own = (files: Readonly<Record<string, Uint8Array>>): Values | undefined => {
  if (files[SINGLE]) {
    const tensors = tensorsOf(files[SINGLE])
    return tensors && Object.fromEntries(tensors)
  }
  const json = strictly(files[INDEX]!)
  const map = isFields(json?.value) ? json.value["weight_map"] : undefined
  if (!isFields(map) || !Object.values(map).every((file) => typeof file === "string")) return undefined
  const listed = [...new Set(Object.values(map) as ReadonlyArray<string>)]
  const tensors = listed.map((file) => [file, Object.hasOwn(files, file) ? tensorsOf(files[file]!) : undefined] as const)
  if (tensors.some(([, own]) => own === undefined)) return undefined
  const byFile = new Map(tensors)
  if (Object.entries(map).some(([name, file]) => !byFile.get(file as string)!.has(name))) return undefined
  return Object.fromEntries(tensors.flatMap(([, own]) => [...own!]))
}

const readAll = Effect.fnUntraced(function*(folder: string) {
  const sources = yield* WeightFiles.open(folder)
  if (sources === undefined) return undefined
  const tensors = new Map<string, Omit<Tensor, "dtype">>()
  for (const [name, source] of sources) {
    const { data, shape } = yield* source.file.read(source.name)
    tensors.set(name, { shape, values: [...data] })
  }
  return Object.fromEntries(tensors)
})

const sorted = (values: Values) => Object.entries(values).toSorted(([a], [b]) => a < b ? -1 : 1)

const before = JSON.stringify(sorted(own({ [SINGLE]: written(all) })!))

export default kind<Case>({
  weight: 2,
  cases: fc.oneof(
    { weight: 2, arbitrary: edits(head).map((header): Case => ({ header })) },
    { weight: 1, arbitrary: edits(index).map((index): Case => ({ index })) },
    {
      weight: 2,
      arbitrary: fc.record({ file: fc.constantFrom(SINGLE, INDEX, ONE, TWO), damages }, { noNullPrototype: true })
    }
  ),
  judge: async (c, folder) => {
    const files = filesOf(c)
    fill(folder, files)
    const outcome = await attempt(readAll(folder))
    const expected = own(files)
    if (outcome._tag === "Refused") {
      if (expected) throw new Fault(`refused: ${outcome.message}`)
      return refused(outcome, folder)
    }
    if (expected === undefined || outcome.value === undefined) throw new Fault("read, where the files are bad")
    expectSame(sorted(outcome.value), sorted(expected), "tensors")
    return JSON.stringify(sorted(expected)) === before ? "same" : "changed"
  }
})
