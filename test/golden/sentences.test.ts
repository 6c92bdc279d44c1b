/** sentence-transformers folders, unmodified: a text's vector here is what it is there. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { retrieval } from "../../src/domain/settings/retrieval.ts"
import { defaultsOf } from "../../src/domain/settings/setting.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { Session } from "../../src/runtime/engine/Session.ts"
import { makeFolder, writeDurably } from "../../src/runtime/files/disk.ts"
import * as Safetensors from "../../src/runtime/files/safetensors/write.ts"
import * as Modules from "../../src/runtime/files/sentence/weights.ts"
import * as SavedModel from "../../src/runtime/models/export/folder.ts"
import * as Graphs from "../../src/runtime/retrieval/dense/graphs.ts"
import type { TokenRows } from "../../src/runtime/retrieval/dense/texts.ts"
import * as RetrieverFolder from "../../src/runtime/retrieval/folder.ts"
import { close } from "./golden.ts"

const folders = join(import.meta.dirname, "sentences")

interface Expected {
  readonly queries: ReadonlyArray<string>
  readonly documents: ReadonlyArray<string>
  readonly queryVectors: ReadonlyArray<ReadonlyArray<number>>
  readonly documentVectors: ReadonlyArray<ReadonlyArray<number>>
}

const task = "FEATURE_EXTRACTION"
const settings = { ...defaultsOf(retrieval), query_max_len: 0 } as unknown as RetrieverFolder.FolderSettings

/** The vectors of texts by a folder: queries, and passages padded to a length that none of them has. */
export const vectorsOf = Effect.fnUntraced(function*(
  folder: string,
  { documents, queries }: Pick<Expected, "documents" | "queries">,
  given: Partial<RetrieverFolder.FolderSettings> = {}
) {
  const opened = yield* RetrieverFolder.open(folder, { ...settings, ...given })
  assert.isTrue(opened.pools)
  const { module, weights } = yield* opened.load({
    seed: 1,
    lora: undefined,
    learns: () => false,
    slots: [],
    task
  })
  const session = yield* Session
  const run = Effect.fnUntraced(function*({ ids, keep, length, mask, rows }: TokenRows) {
    const program = yield* session.compile<string, string>(Graphs.encode(module, rows, length, true))
    const { vectors } = yield* program.run({ ...weights.values(), ids, keep, mask })
    return vectors as Float32Array
  })
  const passages = documents.map(opened.text.passage)
  return {
    dim: opened.dim,
    queries: yield* run(opened.text.queries(queries)),
    documents: yield* run(opened.text.passages(passages, 19))
  }
})

/** Writes a copy of a folder, as a checkpoint has it, and what `export` makes of that. */
const copied = Effect.fnUntraced(function*(
  folder: string,
  out: string,
  given: Partial<RetrieverFolder.FolderSettings> = {}
) {
  const opened = yield* RetrieverFolder.open(folder, { ...settings, ...given })
  const { weights } = yield* opened.load({ seed: 1, lora: undefined, learns: () => false, slots: [], task })
  const tensors = new Map([...weights.parameters()].map(([path, data]) => [
    path,
    { shape: weights.params.get(path)!.shape, data: data as Float32Array }
  ]))
  const write = Effect.fnUntraced(function*(name: string, bytes: Uint8Array) {
    yield* makeFolder(dirname(join(out, name)))
    yield* writeDurably(join(out, name), bytes)
  })
  for (const [name, text] of opened.files) yield* write(name, new TextEncoder().encode(text))
  for (const [name, own] of Modules.byFile(tensors)) yield* write(name, Safetensors.encode(own))
  yield* SavedModel.save(out, `${out}-exported`, { dtype: "auto", maxShardSize: 2 ** 20, card: "" })
})

/** Unit vectors: they are compared as cosines are. */
const unit = (rows: ReadonlyArray<ReadonlyArray<number>>): ReadonlyArray<number> =>
  rows.flatMap((row) => row.map((x) => x / Math.hypot(...row)))

describe("vectors of texts as sentence-transformers has them", () => {
  for (const name of readdirSync(folders)) {
    it.live(name, () =>
      Effect.gen(function*() {
        const folder = join(folders, name)
        const expected = JSON.parse(readFileSync(join(folder, "expected.json"), "utf8")) as Expected
        const found = yield* vectorsOf(folder, expected)
        assert.strictEqual(found.dim, expected.queryVectors[0]!.length)
        close(found.queries, unit(expected.queryVectors), "queries", { tolerance: 1e-5 })
        close(found.documents, unit(expected.documentVectors), "documents", { tolerance: 1e-5 })
      }).pipe(Effect.scoped, Effect.provide(Layer.merge(cpu({ threads: 1 }), NodeFileSystem.layer))))
  }
})

describe("a query prompt that names the task", () => {
  const live = (name: string, given: Partial<RetrieverFolder.FolderSettings>, same: boolean) =>
    it.live(name, () =>
      Effect.gen(function*() {
        const folder = join(folders, "llama-last")
        const expected = JSON.parse(readFileSync(join(folder, "expected.json"), "utf8")) as Expected
        const instructed = yield* RetrieverFolder.open(folder, { ...settings, ...given })
        assert.strictEqual(instructed.instructed, "query_prompt" in given)
        const found = yield* vectorsOf(folder, expected, given)
        close(found.documents, unit(expected.documentVectors), "documents", { tolerance: 1e-5 })
        const queries = unit(expected.queryVectors)
        if (same) return close(found.queries, queries, "queries", { tolerance: 1e-5 })
        assert.isAbove(Math.max(...queries.map((own, i) => Math.abs(own - found.queries[i]!))), 0.01)
      }).pipe(Effect.scoped, Effect.provide(Layer.merge(cpu({ threads: 1 }), NodeFileSystem.layer))))

  /** sentence-transformers' vectors are those of the prompt `find : `. */
  live("is the task's", { query_prompt: "{task} : ", retrieval_task: "find" }, true)
  live("is another one of another task", { query_prompt: "{task} : ", retrieval_task: "which gene" }, false)
  live("is the folder's if there is none", { retrieval_task: "which gene" }, true)
})

/** Where copies are left for `sentences.py FOLDER`; by default they go with the test. */
const kept = process.env["SENTENCES"]

describe("a copy of a sentence-transformers folder is one", () => {
  const changed = {
    "bert-cls-dense": {},
    "embeddinggemma": {},
    "llama-last": { retriever_attention: "bidirectional", retriever_pooling: "eos", retriever_template: "bmretriever" },
    "llama-both": { retriever_attention: "causal", query_prompt: "title " },
    "modernbert-weighted": {},
    "qwen3-last": { append_eos: true, retriever_pooling: "mean" }
  } as const
  for (const [name, given] of Object.entries(changed)) {
    it.live(name, () =>
      Effect.gen(function*() {
        const fs = yield* FileSystem.FileSystem
        const out = join(kept ?? (yield* fs.makeTempDirectoryScoped()), name)
        const folder = join(folders, name)
        const expected = JSON.parse(readFileSync(join(folder, "expected.json"), "utf8")) as Expected
        yield* copied(folder, out, given)
        const before = yield* vectorsOf(folder, expected, given)
        assert.deepStrictEqual(yield* vectorsOf(out, expected), before)
        assert.deepStrictEqual(yield* vectorsOf(`${out}-exported`, expected), before)
        if (kept !== undefined) {
          const rows = (all: Float32Array) =>
            Array.from(
              { length: all.length / before.dim },
              (_, i) => [...all.subarray(i * before.dim, (i + 1) * before.dim)]
            )
          const own = { queryVectors: rows(before.queries), documentVectors: rows(before.documents) }
          yield* fs.writeFileString(`${out}.json`, JSON.stringify(own))
        }
      }).pipe(Effect.scoped, Effect.provide(Layer.merge(cpu({ threads: 1 }), NodeFileSystem.layer))))
  }
})
