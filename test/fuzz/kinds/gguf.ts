/** A GGUF file: its metadata, and its tensors of several types. */
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { join } from "node:path"
import { isDeepStrictEqual } from "node:util"
import { guarded } from "../../../src/runtime/files/gguf/malformed.ts"
import { open } from "../../../src/runtime/files/gguf/read.ts"
import { after, type Damage, damages } from "../edits/damage.ts"
import { strange } from "../edits/mutations.ts"
import { attempt, expectSame, Fault, fill, kind, refused } from "../kind.ts"
import { fileOf, type OwnFile } from "../readings/gguf.ts"
import { unlessBad } from "../readings/records.ts"

const NAME = "model.gguf"

const bytesOf = (size: number, write: (view: DataView) => void): ReadonlyArray<number> => {
  const bytes = new Uint8Array(size)
  write(new DataView(bytes.buffer))
  return [...bytes]
}
const u32 = (value: number) => bytesOf(4, (view) => view.setUint32(0, value, true))
const u64 = (value: bigint) => bytesOf(8, (view) => view.setBigUint64(0, BigInt.asUintN(64, value), true))
const f32 = (value: number) => bytesOf(4, (view) => view.setFloat32(0, value, true))
const f64 = (value: number) => bytesOf(8, (view) => view.setFloat64(0, value, true))
const text = (value: string) => {
  const bytes = new TextEncoder().encode(value)
  return [...u64(BigInt(bytes.length)), ...bytes]
}
const list = (type: number, ...items: ReadonlyArray<ReadonlyArray<number>>) => [
  ...u32(type),
  ...u64(BigInt(items.length)),
  ...items.flat()
]

interface Entry {
  readonly key: string
  readonly type: number
  readonly bytes: ReadonlyArray<number>
}
interface Tensor {
  readonly name: string
  readonly shape: ReadonlyArray<number>
  readonly type: number
  readonly bytes: ReadonlyArray<number>
}

const entries: ReadonlyArray<Entry> = [
  { key: "general.architecture", type: 8, bytes: text("llama") },
  { key: "general.alignment", type: 4, bytes: u32(32) },
  { key: "a.flag", type: 7, bytes: [1] },
  { key: "a.byte", type: 1, bytes: [0xfe] },
  { key: "a.word", type: 2, bytes: [1, 2] },
  { key: "a.count", type: 10, bytes: u64(2n ** 40n) },
  { key: "a.step", type: 11, bytes: u64(-3n) },
  { key: "a.rate", type: 6, bytes: f32(1e-5) },
  { key: "a.scale", type: 12, bytes: f64(0.1) },
  { key: "some.texts", type: 9, bytes: list(8, text("ä"), text(""), text("b c")) },
  { key: "some.numbers", type: 9, bytes: list(5, u32(1), u32(2 ** 32 - 1)) },
  { key: "some.floats", type: 9, bytes: list(6, f32(0.5), f32(-3)) },
  { key: "none", type: 9, bytes: list(4) }
]

/** Blocks with a scale of 0.5 and, if there is one, a minimum of -1; the rest is of all kinds. */
const blocks = (count: number, size: number, head: ReadonlyArray<number>) =>
  Array.from({ length: count }, (_, b) => [
    ...head,
    ...Array.from({ length: size - head.length }, (_, i) => (37 * i + 101 * b) % 256)
  ]).flat()
const [scale, minimum] = [[0, 0x38], [0, 0xbc]]
const tensors: ReadonlyArray<Tensor> = [
  { name: "plain", shape: [2, 3], type: 0, bytes: [1, -2, 0.5, 3, 2 ** -100, -0.25].flatMap(f32) },
  { name: "half", shape: [5], type: 1, bytes: [0, 0x3c, 1, 0, 0, 0xc0, 0, 0x80, 0xff, 0x7b] },
  { name: "brain", shape: [2], type: 30, bytes: [0x80, 0x3f, 0x7f, 0x7f] },
  { name: "q4_0", shape: [2, 32], type: 2, bytes: blocks(2, 18, scale) },
  { name: "q4_1", shape: [64], type: 3, bytes: blocks(2, 20, [...scale, ...minimum]) },
  { name: "q5_0", shape: [1, 1, 32], type: 6, bytes: blocks(1, 22, scale) },
  { name: "q5_1", shape: [32], type: 7, bytes: blocks(1, 24, [...scale, ...minimum]) },
  { name: "q8_0", shape: [3, 32], type: 8, bytes: blocks(3, 34, scale) },
  { name: "iq4_nl", shape: [1, 32], type: 20, bytes: blocks(1, 18, scale) }
]

/** What is done to a file. Numbers count entries and tensors, round and round. */
type Edit =
  | { readonly does: "version" | "alignment"; readonly to: number }
  | { readonly does: "key" | "rename"; readonly at: number; readonly to: string }
  | { readonly does: "valueType" | "type"; readonly at: number; readonly to: number }
  | { readonly does: "value"; readonly at: number; readonly to: ReadonlyArray<number> }
  | { readonly does: "drop" | "dropEntry"; readonly at: number }
  | { readonly does: "swap"; readonly at: number; readonly with: number }
  | { readonly does: "shape"; readonly at: number; readonly to: ReadonlyArray<number> }
  | { readonly does: "offset"; readonly at: number; readonly by: number }
  | { readonly does: "counts"; readonly tensors: number; readonly entries: number }
  | { readonly does: "block"; readonly at: number; readonly place: number; readonly word: number }
  | { readonly does: "end"; readonly by: number }
  | { readonly does: "bytes"; readonly damages: ReadonlyArray<Damage> }
type Case = ReadonlyArray<Edit>

interface File {
  readonly version: number
  readonly alignment: number
  readonly entries: ReadonlyArray<Entry>
  readonly tensors: ReadonlyArray<Tensor>
  readonly offsets: ReadonlyMap<number, number>
  readonly counts: readonly [tensors: number, entries: number]
  readonly end: number
}

const changed = <A>(all: ReadonlyArray<A>, at: number, to: (own: A) => A): ReadonlyArray<A> =>
  all.map((own, i) => i === at % all.length ? to(own) : own)

const edited = (file: File, edit: Edit): File => {
  const entry = (at: number, to: (own: Entry) => Entry) => ({ ...file, entries: changed(file.entries, at, to) })
  const tensor = (at: number, to: (own: Tensor) => Tensor) => ({ ...file, tensors: changed(file.tensors, at, to) })
  switch (edit.does) {
    case "version":
      return { ...file, version: edit.to }
    case "alignment": {
      const to = { type: 4, bytes: u32(edit.to) }
      return { ...entry(1, (own) => ({ ...own, ...to })), alignment: edit.to > 0 && edit.to <= 256 ? edit.to : 32 }
    }
    case "key":
      return entry(edit.at, (own) => ({ ...own, key: edit.to }))
    case "rename":
      return tensor(edit.at, (own) => ({ ...own, name: edit.to }))
    case "valueType":
      return entry(edit.at, (own) => ({ ...own, type: edit.to }))
    case "type":
      return tensor(edit.at, (own) => ({ ...own, type: edit.to }))
    case "value":
      return entry(edit.at, (own) => ({ ...own, bytes: edit.to }))
    case "drop":
      return { ...file, tensors: file.tensors.toSpliced(edit.at % file.tensors.length, 1) }
    case "dropEntry":
      return { ...file, entries: file.entries.toSpliced(edit.at % file.entries.length, 1) }
    case "swap": {
      const [a, b] = [edit.at % file.tensors.length, edit.with % file.tensors.length]
      return { ...file, tensors: file.tensors.with(a, file.tensors[b]!).with(b, file.tensors[a]!) }
    }
    case "shape":
      return tensor(edit.at, (own) => ({ ...own, shape: edit.to }))
    case "offset":
      return { ...file, offsets: new Map([...file.offsets, [edit.at % file.tensors.length, edit.by]]) }
    case "counts":
      return { ...file, counts: [edit.tensors, edit.entries] }
    case "block":
      return tensor(edit.at, ({ bytes, ...own }) => {
        const at = 2 * (edit.place % (bytes.length / 2))
        return { ...own, bytes: bytes.with(at, edit.word & 255).with(at + 1, edit.word >> 8) }
      })
    case "end":
      return { ...file, end: edit.by }
    case "bytes":
      return file
  }
}

const written = (own: Case): Uint8Array => {
  const whole: File = { version: 3, alignment: 32, entries, tensors, offsets: new Map(), counts: [0, 0], end: 0 }
  const file = own.reduce(edited, whole)
  const padding = (size: number) => Array<number>((file.alignment - size % file.alignment) % file.alignment).fill(0)
  const data = file.tensors.map(({ bytes }) => [...bytes, ...padding(bytes.length)])
  let next = 0
  const places = file.tensors.map(({ name, shape, type }, i) => {
    const at = next + (file.offsets.get(i) ?? 0)
    next += data[i]!.length
    const sizes = shape.toReversed().flatMap((size) => u64(BigInt(size)))
    return [...text(name), ...u32(shape.length), ...sizes, ...u32(type), ...u64(BigInt(at))]
  })
  const head = [
    ...u32(0x46554747),
    ...u32(file.version),
    ...u64(BigInt(file.tensors.length + file.counts[0])),
    ...u64(BigInt(file.entries.length + file.counts[1])),
    ...file.entries.flatMap(({ bytes, key, type }) => [...text(key), ...u32(type), ...bytes]),
    ...places.flat()
  ]
  const all = [...head, ...padding(head.length), ...data.flat()]
  const bytes = Uint8Array.from(file.end < 0 ? all.slice(0, file.end) : [...all, ...Array<number>(file.end).fill(0)])
  return after(bytes, own.flatMap((edit) => edit.does === "bytes" ? edit.damages : []))
}

const record = <T>(own: { readonly [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record<T>(own, { noNullPrototype: true })
const does = <const D extends string>(...all: ReadonlyArray<D>) => fc.constantFrom(...all)
const at = fc.nat(12)
const sizes = fc.constantFrom(0, 1, 2, 3, 5, 6, 31, 32, 33, 64, 2 ** 31, 2 ** 53 - 1)
const values = fc.constantFrom(
  [],
  [2],
  [0xff],
  u32(0),
  u32(16),
  u32(33),
  u32(2 ** 31),
  f32(NaN),
  f32(Infinity),
  f32(0.1),
  f64(NaN),
  u64(2n ** 53n),
  u64(2n ** 63n),
  text("\ud800"),
  [...u64(2n), 0xff, 0xfe],
  text(""),
  list(9, list(4)),
  list(8, text("a")),
  list(7, [1], [2]),
  [...u32(4), ...u64(2n ** 62n)],
  [...u32(8), ...u64(3n)]
)
const names = fc.constantFrom(...tensors.map(({ name }) => name), ...entries.map(({ key }) => key), "", ...strange)

const edits: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 1, arbitrary: record({ does: does("version"), to: fc.constantFrom(0, 1, 2, 4, 2 ** 24, 3 * 2 ** 24) }) },
  {
    weight: 2,
    arbitrary: record({ does: does("alignment"), to: fc.constantFrom(0, 1, 4, 8, 16, 24, 64, 256, 2 ** 31) })
  },
  { weight: 3, arbitrary: record({ does: does("key", "rename"), at, to: names }) },
  { weight: 4, arbitrary: record({ does: does("valueType", "type"), at, to: fc.nat(31) }) },
  { weight: 4, arbitrary: record({ does: does("value"), at, to: values }) },
  { weight: 2, arbitrary: record({ does: does("drop", "dropEntry"), at }) },
  { weight: 1, arbitrary: record({ does: does("swap"), at, with: at }) },
  { weight: 4, arbitrary: record({ does: does("shape"), at, to: fc.array(sizes, { maxLength: 5 }) }) },
  { weight: 2, arbitrary: record({ does: does("offset"), at, by: fc.constantFrom(-32, -1, 1, 8, 32, 64, 2 ** 40) }) },
  {
    weight: 1,
    arbitrary: record({
      does: does("counts"),
      tensors: fc.constantFrom(-1, 0, 1, 2 ** 40),
      entries: fc.constantFrom(-1, 0, 1, 2 ** 40)
    })
  },
  {
    weight: 5,
    arbitrary: record({
      does: does("block"),
      at,
      place: fc.nat(60),
      word: fc.constantFrom(0, 1, 0x7bff, 0x7c00, 0x7e00, 0x8000, 0xfc00, 0x3c01, 0x7f80, 0x7fc0)
    })
  },
  { weight: 2, arbitrary: record({ does: does("end"), by: fc.constantFrom(-33, -32, -18, -15, -14, -1, 1, 8, 32) }) },
  { weight: 8, arbitrary: record({ does: does("bytes"), damages }) }
)

/** All that is read of a file. Single float32 numbers of metadata are told as short decimals of the same float32. */
const whole = (path: string) =>
  Effect.gen(function*() {
    const { metadata, read, tensors } = yield* open(path)
    const values = yield* guarded(path, () => metadata.keys.map((key) => [key, metadata.value(key)] as const))
    const own = yield* Effect.forEach(tensors.keys(), (name) =>
      Effect.map(read(name), ({ data, shape }) => [name, { shape, values: [...data] }] as const))
    return { metadata: Object.fromEntries(values), tensors: Object.fromEntries(own) }
  })

const short = (value: unknown, found: unknown): unknown =>
  typeof value === "number" && typeof found === "number" && Math.fround(found) === value ? found : value
const plain = (value: OwnFile["metadata"][string]): unknown =>
  typeof value === "object" ? value.map(plain) : typeof value === "bigint" ? Number(value) : value

export default kind<Case>({
  cases: fc.oneof(
    { weight: 6, arbitrary: edits.map((edit) => [edit]) },
    { weight: 1, arbitrary: fc.array(edits, { minLength: 2, maxLength: 3 }) }
  ),
  judge: async (c, folder) => {
    const bytes = written(c)
    fill(folder, { [NAME]: bytes })
    const outcome = await attempt(whole(join(folder, NAME)))
    const own = unlessBad(() => fileOf(bytes))
    if (outcome._tag === "Refused") {
      /** Values of a type without a second reading may be no numbers. */
      if (own && Object.values(own.tensors).every(({ values }) => values)) {
        throw new Fault(`refused: ${outcome.message}`)
      }
      return refused(outcome, join(folder, NAME))
    }
    if (own === undefined) throw new Fault("read, where the file is bad")
    const { metadata, tensors } = outcome.value
    expectSame(
      metadata,
      Object.fromEntries(Object.entries(own.metadata).map(([key, v]) => [key, short(plain(v), metadata[key])])),
      "metadata"
    )
    for (const [name, { shape, values }] of Object.entries(own.tensors)) {
      expectSame(tensors[name]?.shape, shape, name)
      if (values) expectSame(tensors[name]?.values, values, name)
    }
    expectSame(Object.keys(tensors).toSorted(), Object.keys(own.tensors).toSorted(), "tensors")
    return isDeepStrictEqual(own, fileOf(written([]))) ? "same" : "changed"
  }
})
