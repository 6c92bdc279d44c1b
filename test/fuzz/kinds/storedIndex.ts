/** An index on disk that is not as it was written, or of another writer. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as fc from "fast-check"
import { createHash } from "node:crypto"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { isDeepStrictEqual } from "node:util"
import type { Origin, PassageVectors } from "../../../src/runtime/ports/PassageIndex.ts"
import { open, write } from "../../../src/runtime/retrieval/indexes/format.ts"
import { after, type Damage, damages } from "../edits/damage.ts"
import { type Files, type FolderEdit, folderEdits, lay, moved, plainFiles } from "../edits/folders.ts"
import { of, textOf } from "../edits/json.ts"
import { type Edit, edited, edits, often, Raw } from "../edits/mutations.ts"
import { type FileEdit, fileEdits, tensor, writeFile } from "../edits/tensors.ts"
import { attempt, expectSame, Fault, kind, refused } from "../kind.ts"
import { isFields, strictly } from "../readings/json.ts"
import { bad, type Fields, unlessBad } from "../readings/records.ts"
import { fileOf, weightsOf } from "../readings/safetensors.ts"

const DIM = 2
const numbers = (rows: number, length: number) =>
  Array.from({ length: rows * length * DIM }, (_, i) => Math.fround(Math.sin(i) * length))

/** Two chunks of other lengths, the second not full. */
const chunks = [{ docs: Int32Array.of(3, 0), rows: 2, length: 2 }, { docs: Int32Array.of(2, 1), rows: 3, length: 3 }]
const index: PassageVectors<never, never> = {
  dim: DIM,
  chunks,
  vectors: Stream.fromIterable(chunks.map(({ length, rows }) => Float32Array.from(numbers(rows, length))))
}
const origin: Origin = { corpus: "corpus", weights: () => "weights" }

const [METADATA, VECTORS] = ["metadata.json", "vectors.safetensors"]
const file = { tensors: [tensor("000000", [2, 2, DIM], numbers(2, 2)), tensor("000001", [3, 3, DIM], numbers(3, 3))] }

const written = await (async () => {
  const folder = mkdtempSync(join(tmpdir(), "index-"))
  await attempt(write(folder, origin, index))
  const files = { [METADATA]: readFileSync(join(folder, METADATA)), [VECTORS]: readFileSync(join(folder, VECTORS)) }
  rmSync(folder, { recursive: true })
  return files
})()
const told = JSON.parse(written[METADATA]!.toString()) as Readonly<Record<string, unknown>>
const metadata = of(told)

interface Case {
  readonly metadata: ReadonlyArray<Edit>
  readonly vectors: ReadonlyArray<FileEdit>
  readonly damaged: Readonly<Record<string, ReadonlyArray<Damage>>>
  readonly folder: ReadonlyArray<FolderEdit>
  /** Metadata have the hashes of what the edits left. */
  readonly sealed: boolean
}

const sha256 = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex")

/** What of the metadata is hashed. */
const contentOf = ({ chunks, corpus, dim, format, passages, vectors, weights }: Fields) => ({
  format,
  passages,
  dim,
  corpus,
  weights,
  vectors,
  chunks: Array.isArray(chunks) ?
    chunks.map((own: unknown) =>
      isFields(own) ?
        {
          docs: own["docs"],
          length: own["length"]
        } :
        own
    ) :
    chunks
})

const metadataOf = (edits: ReadonlyArray<Edit>, vectors: Uint8Array, sealed: boolean): Uint8Array => {
  const bytes = new TextEncoder().encode(textOf(edited(metadata, edits)))
  const value = strictly(bytes)?.value
  if (!sealed || !isFields(value)) return bytes
  const own = { ...value, vectors: sha256(vectors) }
  return new TextEncoder().encode(JSON.stringify({ ...own, sha256: sha256(JSON.stringify(contentOf(own))) }))
}

const filesOf = (c: Case): Files => {
  const vectors = c.vectors.length === 0 ? new Uint8Array(written[VECTORS]!) : writeFile(file, c.vectors)
  const files = { [METADATA]: metadataOf(c.metadata, vectors, c.sealed), [VECTORS]: vectors }
  const damaged = Object.entries(c.damaged).map(([name, all]) => [name, after(files[name]!, all)])
  return moved({ ...files, ...Object.fromEntries(damaged) as Record<string, Uint8Array> }, c.folder)
}

const isCount = (value: unknown, least: number): value is number =>
  Number.isSafeInteger(value) && (value as number) >= least

/** The chunks that metadata tell of. @throws Bad where they tell of none. */
const chunksOf = (fields: Fields) => {
  const { chunks, dim, format, passages } = fields
  if (format !== 1 || !isCount(passages, 0) || !isCount(dim, 1) || !Array.isArray(chunks)) return bad("no metadata")
  return chunks.map((own: unknown) => {
    const { docs, length } = isFields(own) ? own : bad("no chunk")
    if (!isCount(length, 1) || !Array.isArray(docs) || !docs.every((doc) => isCount(doc, 0))) return bad("no chunk")
    return { docs: docs as ReadonlyArray<number>, length }
  })
}

/** The index that the files are. @throws Bad where they are none of the origin's. */
const own = (files: Files) => {
  const [text, vectors] = [METADATA, VECTORS].map((name) => plainFiles(files)[name] ?? bad(name)) as [
    Uint8Array,
    Uint8Array
  ]
  const json = strictly(text)?.value
  const fields = isFields(json) ? json : bad("no object")
  const chunks = chunksOf(fields)
  if (fields["sha256"] !== sha256(JSON.stringify(contentOf(fields)))) bad("no hash, or another")
  if (fields["corpus"] !== told["corpus"] || fields["weights"] !== told["weights"]) bad("of something else")
  if (fields["vectors"] !== sha256(vectors)) bad("other vectors")
  const { tensors } = fileOf(vectors)
  const values = weightsOf(tensors)
  const docs = chunks.flatMap((chunk) => chunk.docs).toSorted((a, b) => a - b)
  if (docs.length !== fields["passages"] || !docs.every((doc, i) => doc === i)) bad("not each passage once")
  if (tensors.size !== chunks.length) bad("other chunks")
  return {
    passages: docs.length,
    chunks: chunks.map(({ docs, length }, i) => {
      const name = String(i).padStart(6, "0")
      const { dtype, shape: [rows, ...rest] } = tensors.get(name) ?? bad("no such chunk")
      const fits = rows !== undefined && rows >= docs.length && isDeepStrictEqual(rest, [length, fields["dim"]])
      const is = fits && dtype === "F32" ? values[name]! : bad("another shape or type")
      return { docs: docs.map((doc) => doc + 0), length, vectors: is }
    })
  }
}

/** All of the index of a folder. */
const read = Effect.fnUntraced(function*(folder: string) {
  const { chunks, dim, into } = yield* open(folder, origin)
  const all = yield* Effect.forEach(
    chunks,
    ({ docs, length, rows }, i) =>
      Effect.map(into(i, new Float32Array(rows * length * dim)), (vectors) => ({
        docs: [...docs],
        length,
        vectors: [...vectors]
      }))
  )
  return { passages: all.reduce((sum, { docs }) => sum + docs.length, 0), chunks: all }
})

const before = unlessBad(() => own(written))

const example = (path: Edit["path"], text: string): Case => ({
  metadata: [{ path, does: "replace", value: new Raw(text) }],
  vectors: [],
  damaged: {},
  folder: [],
  sealed: true
})

export default kind<Case>({
  examples: [
    example(["passages"], "9007199254740991"),
    example(["passages"], "4294967296"),
    example(["chunks"], "[]"),
    {
      ...example(["chunks", 0, "docs"], "[0,3]"),
      sealed: false,
      metadata: [
        { path: ["chunks", 0, "docs"], does: "replace", value: new Raw("[0,3]") },
        { path: ["sha256"], does: "drop" }
      ]
    }
  ],
  cases: fc.record({
    metadata: often(1, edits(metadata)),
    vectors: often(0.6, fileEdits(file)),
    damaged: fc.oneof(
      { weight: 4, arbitrary: fc.constant({}) },
      fc.constantFrom(METADATA, VECTORS).chain((name) => damages.map((all) => ({ [name]: all })))
    ),
    folder: often(0.2, folderEdits([METADATA, VECTORS], ["old"]).map((edit) => [edit])),
    sealed: fc.boolean()
  }, { noNullPrototype: true }),
  judge: async (c, folder) => {
    const files = filesOf(c)
    lay(folder, files)
    const outcome = await attempt(read(folder))
    const expected = unlessBad(() => own(files))
    if (outcome._tag === "Refused") {
      if (expected !== undefined) throw new Fault(`refused: ${outcome.message}`)
      return refused(outcome, folder)
    }
    if (expected === undefined) throw new Fault("read, where the folder is bad")
    expectSame(outcome.value, expected, "the index")
    return isDeepStrictEqual(expected, before) ? "same" : "changed"
  }
})
