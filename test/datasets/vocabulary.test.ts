/** Vocabularies of every format, what is left out of them, and what is refused; the matcher on NCBI's corpus if it is there. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { measure } from "../../bench/concepts.ts"
import { load, type LoadOptions, typesOf, usual } from "../../src/datasets/vocabulary/vocabulary.ts"
import { folderOf, onDisk } from "../support/files.ts"

const conso = (cui: string, name: string, { lat = "ENG", sab = "MSH", suppress = "N", tty = "PT" } = {}) =>
  `${cui}|${lat}|P|L1|PF|S1|Y|A1||M1|D1|${sab}|${tty}|D1|${name}|0|${suppress}|256|`
const rrf = [
  conso("C0017205", "Gaucher Disease"),
  conso("C0017205", "Maladie de Gaucher", { lat: "FRE" }),
  conso("C0017205", "Glucocerebrosidosis", { sab: "NCI", tty: "SY" }),
  conso("C0017205", "Old name", { suppress: "O" }),
  conso("C0030193", "Pain")
].join("\n")
const sty = "C0017205|T047|B2.2.1.2.1|Disease or Syndrome|AT1|256|\nC0030193|T184|A2.2.2|Sign or Symptom|AT2|256|\n"
const obo = `format-version: 1.2

[Term]
id: DOID:1926
name: Gaucher's disease
synonym: "kerasin \\"thesaurismosis\\"" EXACT []
synonym: "lipid storage" BROAD []

[Term]
id: DOID:1
name: gone
is_obsolete: true

[Typedef]
id: part_of
name: part of

[Term]
id: DOID:2
name: last one
`
const text =
  "Gaucher disease, maladie de Gaucher, glucocerebrosidosis, old names, pain, kerasin thesaurismosis; lipid storage, last one"

const loaded = (name: string, content: string | Uint8Array, o: Partial<LoadOptions> = {}, more = {}) =>
  Effect.gen(function*() {
    const folder = yield* folderOf({ [name]: content, ...more })
    return yield* load(join(folder, name), { ...usual, stopWords: [], exclude: [], ...o })
  })
const foundBy = (...given: Parameters<typeof loaded>) =>
  onDisk(Effect.map(loaded(...given), ({ find }) => find(text).map(({ end, start }) => text.slice(start, end))))
const refused = (...given: Parameters<typeof loaded>) =>
  onDisk(Effect.map(Effect.flip(loaded(...given)), ({ message }) => message))

describe("MRCONSO.RRF", () => {
  it.live("has its English names that are not suppressed, of sources and term types", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* foundBy("MRCONSO.RRF", rrf), ["Gaucher disease", "glucocerebrosidosis", "pain"])
      assert.deepStrictEqual(yield* foundBy("MRCONSO.RRF", rrf, { sources: ["NCI"] }), ["glucocerebrosidosis"])
      assert.deepStrictEqual(yield* foundBy("MRCONSO.RRF", rrf, { termTypes: ["PT"] }), ["Gaucher disease", "pain"])
      assert.include(yield* foundBy("MRCONSO.RRF", rrf, { languages: [], suppressed: true }), "old names")
      assert.include(yield* foundBy("MRCONSO.RRF", rrf, { languages: ["FRE"] }), "maladie de Gaucher")
    }))
  it.live("has concepts of semantic types, by MRSTY.RRF beside it, compressed or not", () =>
    Effect.gen(function*() {
      const beside = { "MRSTY.RRF": sty }
      assert.deepStrictEqual(yield* foundBy("MRCONSO.RRF", rrf, { types: ["T184"] }, beside), ["pain"])
      const disease = { types: ["Disease or Syndrome"] }
      assert.notInclude(yield* foundBy("MRCONSO.RRF", rrf, disease, beside), "pain")
      const zipped = { "MRSTY.RRF.gz": gzipSync(sty) }
      assert.notInclude(yield* foundBy("MRCONSO.RRF.gz", gzipSync(rrf), disease, zipped), "pain")
      assert.match(
        yield* refused("MRCONSO.RRF", rrf, { types: ["T1"] }, beside),
        /no concept has the semantic type "T1"/
      )
      assert.match(yield* refused("MRCONSO.RRF", rrf, disease), /MRSTY\.RRF: is not there/)
      assert.match(yield* refused("MRCONSO.RRF", `${rrf}\nC1|ENG|x`), /line 6: has 2 of 18 fields/)
    }))
})

describe("other vocabularies", () => {
  it.live("OBO has names and exact synonyms of terms that are not obsolete", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* foundBy("do.obo", obo),
        ["Gaucher disease", "kerasin thesaurismosis", "last one"]
      )
      assert.include(yield* foundBy("do.obo", obo, { scopes: ["EXACT", "BROAD"] }), "lipid storage")
    }))
  it.live("tables and JSON lines have synonyms, and types", () =>
    Effect.gen(function*() {
      const tsv =
        "ID\tName\tSynonyms\tType\n1\tGaucher disease\tkerasin thesaurismosis|x\tdisease\n2\tpain\t\tsymptom\n"
      assert.deepStrictEqual(yield* foundBy("v.tsv", tsv), ["Gaucher disease", "pain", "kerasin thesaurismosis"])
      assert.deepStrictEqual(yield* foundBy("v.tsv", tsv, { types: ["symptom"] }), ["pain"])
      const rows = [{ id: 1, name: "pain", synonyms: ["old name"], type: "a" }, {
        id: "2",
        name: "y",
        exact: ["last one"]
      }]
      const lines = rows.map((row) => JSON.stringify(row)).join("\n")
      assert.deepStrictEqual(yield* foundBy("v.jsonl", lines), ["old names", "pain", "last one"])
    }))
  it.live("tell what kind of concepts some are", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({
        "MRCONSO.RRF": rrf,
        "MRSTY.RRF": sty,
        "v.obo": "[Term]\nid: D1\nname: pain\nnamespace: symptoms\n\n[Term]\nid: D2\nname: fever\n",
        "v.tsv": "id\tname\ttype\n1\tpain\tsymptom\n2\tGLA\tgene\n3\tnone\t\n",
        "v.jsonl": "{\"id\": \"1\", \"name\": \"pain\", \"type\": \"symptom\"}\n{\"id\": \"2\", \"name\": \"x\"}"
      })
      const of = (name: string, ...ids: ReadonlyArray<string>) =>
        Effect.map(typesOf(join(folder, name), new Set(ids)), (types) => [...types])
      assert.deepStrictEqual(yield* of("MRCONSO.RRF", "C0030193", "C1"), [["C0030193", "Sign or Symptom"]])
      assert.deepStrictEqual(yield* of("v.obo", "D1", "D2"), [["D1", "symptoms"]])
      assert.deepStrictEqual(yield* of("v.tsv", "2", "3"), [["2", "gene"]])
      assert.deepStrictEqual(yield* of("v.jsonl", "1", "2"), [["1", "symptom"]])
      const bare = yield* folderOf({ "MRCONSO.RRF": rrf })
      assert.deepStrictEqual([...yield* typesOf(join(bare, "MRCONSO.RRF"), new Set(["C0030193"]))], [])
    })))
  it.live("are refused with the line that is none", () =>
    Effect.gen(function*() {
      assert.match(yield* refused("v.tsv", "a\tname\n"), /line 1: is the head, and has no column id/)
      assert.match(
        yield* refused("v.jsonl", "{\"id\": \"1\", \"name\": \"a\"}\n\n{\"id\": \"2\"}"),
        /line 3: field "name"/
      )
      assert.match(
        yield* refused("v.jsonl", "{\"id\": \"1\", \"name\": \"a\", \"synonyms\": [1]}"),
        /"synonyms": is no list/
      )
      assert.match(yield* refused("v.csv", "id,name"), /is no vocabulary: its name ends in/)
      assert.match(yield* refused("v.jsonl", "{\"id\": \"1\", \"name\": \"a\"}"), /has no name that counts/)
    }))
})

const shared = join(import.meta.dirname, "..", "..", "..", "shared", "data")
const concepts = join(shared, "concepts", "concepts.jsonl.gz")
const corpus = join(shared, "ncbi_disease", "ncbi_disease.jsonl")
const there = existsSync(concepts) && existsSync(corpus)
it.live.skipIf(!there)(
  `NCBI's disease corpus: precision and recall${there ? "" : " (the corpus is not there)"}`,
  () =>
    Effect.gen(function*() {
      const own = yield* measure(concepts, corpus, "test", { types: ["disease"], exclude: ["disease"] })
      assert.strictEqual(own.annotated, 960)
      assert.isAtLeast(own.strict.precision, 0.7)
      assert.isAtLeast(own.strict.recall, 0.39)
      assert.isAtLeast(own.overlap.recall, 0.5)
    }).pipe(Effect.provide(NodeFileSystem.layer))
)
