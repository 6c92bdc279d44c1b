/** An index on disk that is not as it was written. */
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { isDeepStrictEqual } from "node:util"
import { type Origin, read, write } from "../../../src/runtime/layers/storedIndex.ts"
import type { VectorIndex } from "../../../src/runtime/layers/vectorIndex.ts"
import { after, type Damage, damages } from "../damage.ts"
import { of, textOf } from "../json.ts"
import { attempt, expectSame, Fault, fill, kind, refused } from "../kind.ts"
import { decoded, isFields, parsed } from "../ownJson.ts"
import { type Edit, edited, edits } from "../mutations.ts"

const DIM = 2
const vectors = (rows: number, length: number) =>
  Float32Array.from({ length: rows * length * DIM }, (_, i) => Math.sin(i) * length)

/** Two chunks of other lengths, the second not full. */
const index: VectorIndex = {
  generation: 1,
  passages: 4,
  chunks: [
    { docs: Int32Array.of(3, 0), length: 2, vectors: vectors(2, 2) },
    { docs: Int32Array.of(2, 1), length: 3, vectors: vectors(3, 3) }
  ]
}
const origin: Origin = { corpus: "corpus", weights: new Map([["a", Float32Array.of(1, 2)]]) }

const [METADATA, VECTORS] = ["metadata.json", "vectors.safetensors"]

const whole = await (async () => {
  const folder = mkdtempSync(join(tmpdir(), "index-"))
  await attempt(write(folder, index, DIM, origin))
  const files = { [METADATA]: readFileSync(join(folder, METADATA)), [VECTORS]: readFileSync(join(folder, VECTORS)) }
  rmSync(folder, { recursive: true })
  return files
})()
const told = JSON.parse(whole[METADATA]!.toString()) as Readonly<Record<string, unknown>>
const metadata = of(told)

type Case =
  | { readonly file: string; readonly damages: ReadonlyArray<Damage> }
  | { readonly edits: ReadonlyArray<Edit> }

const plain = ({ chunks, passages }: VectorIndex) => ({
  passages,
  chunks: chunks.map(({ docs, length, vectors }) => ({ docs: [...docs], length, vectors: [...vectors] }))
})

const kept = (value: object, keys: ReadonlyArray<string>) =>
  Object.fromEntries(Object.entries(value).filter(([key]) => keys.includes(key)))

/** The chunks without keys that mean nothing. */
const chunksOf = ({ chunks }: Readonly<Record<string, unknown>>): unknown =>
  Array.isArray(chunks) ? chunks.map((own) => isFields(own) ? kept(own, ["docs", "length"]) : own) : chunks

/** The index that the metadata tell of: the one that was written, in whatever words, or one that has no hash of its own. */
const own = (text: string): unknown => {
  const value = parsed(text)?.value
  if (!isFields(value)) return undefined
  const known = { ...kept(value, Object.keys(told)), chunks: chunksOf(value) }
  const hashless = Object.fromEntries(Object.entries(told).filter(([key]) => key !== "sha256"))
  if (isDeepStrictEqual(known, told) || isDeepStrictEqual(known, hashless)) return plain(index)
  if (value["sha256"] !== undefined || !Array.isArray(value["chunks"])) return undefined
  const docs = (value["chunks"] as ReadonlyArray<{ readonly docs: ReadonlyArray<number> }>).map((chunk) => chunk.docs)
  const { chunks, passages } = plain(index)
  const asTold = { passages, chunks: chunks.map((chunk, i) => ({ ...chunk, docs: docs[i] })) }
  return docs.flat().toSorted().join() === "0,1,2,3" ? asTold : undefined
}

export default kind<Case>({
  cases: fc.oneof(
    fc.record({ file: fc.constantFrom(METADATA, VECTORS), damages }, { noNullPrototype: true }),
    edits(metadata).map((edits): Case => ({ edits }))
  ),
  judge: async (c, folder) => {
    const changed = "edits" in c
      ? { [METADATA]: new TextEncoder().encode(textOf(edited(metadata, c.edits))) }
      : { [c.file]: after(whole[c.file as typeof METADATA]!, c.damages) }
    fill(folder, { ...whole, ...changed })
    const outcome = await attempt(Effect.scoped(read(folder, origin)))
    const expected = changed[METADATA] ? own(decoded(changed[METADATA]) ?? "") : plain(index)
    if (outcome._tag === "Refused") return refused(outcome, folder)
    if (expected === undefined) throw new Fault("read, where the metadata are bad")
    expectSame(plain(outcome.value), expected, "the index")
    return isDeepStrictEqual(expected, plain(index)) ? "same" : "changed"
  }
})
