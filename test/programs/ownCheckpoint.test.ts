/** Checkpoints of others, as they lie: an index, a training run, answers and judgements with each of them. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { Raw } from "../../src/domain/settings/RunConfig.ts"
import { embed } from "../../src/programs/buildIndex.ts"
import { evaluate } from "../../src/programs/evaluation/evaluate.ts"
import { train } from "../../src/programs/train.ts"
import * as Checkpoints from "../../src/runtime/files/checkpoints.ts"
import * as Safetensors from "../../src/runtime/files/safetensors/write.ts"
import * as RetrieverModel from "../../src/runtime/retrieval/dense/model.ts"
import { indexes } from "../../src/runtime/retrieval/retriever.ts"
import { readerSpecial, retrieverSpecial, tokenizerJson } from "../../src/runtime/tokenizers/train.ts"
import { inference, joint, ofRetriever } from "../../src/systems/jmlr/layers.ts"
import type { JmlrConfig } from "../../src/systems/jmlr/settings.ts"
import { onDisk } from "../support/files.ts"
import * as Tiny from "../support/tiny.ts"

const golden = join(import.meta.dirname, "..", "golden", "architectures")
const words = [
  "disease",
  "gene",
  "is",
  "at",
  "fault",
  "in",
  "the",
  "hands",
  "which",
  "copper",
  "liver",
  ",",
  ".",
  "?",
  "gla"
]
const vocabularies = {
  retriever: [...retrieverSpecial, "[Q] ", "[D] ", ...words],
  reader: [...readerSpecial, ...words]
}

/** A golden checkpoint as it lies, with a tokenizer beside it: those have none. */
const place = Effect.fnUntraced(function*(name: string, folder: string, as: "retriever" | "reader") {
  const fs = yield* FileSystem.FileSystem
  const path = join(folder, as)
  yield* fs.remove(path, { recursive: true })
  yield* fs.copy(join(golden, name), path)
  yield* fs.remove(join(path, "expected.safetensors"))
  const tokens = vocabularies[as]
  const special = tokens.filter((token) => /[[<]/.test(token))
  const json = tokenizerJson(tokens, special, as === "retriever" ? "[UNK]" : "<unk>")
  yield* fs.writeFileString(join(path, "tokenizer.json"), JSON.stringify(json))
})

const small: Raw = {
  max_steps: 2,
  n_context: 1,
  retriever_n_context: 2,
  query_max_len: 0,
  passage_max_len: 0,
  max_length: 32,
  text_maxlength: 8,
  options_in_prompt: false,
  options_in_query: false,
  answer_format: "text",
  max_new_tokens: 2,
  document_prompt: "{text}",
  question_prompt: "{question}"
}

/** Everything a run does with its models, and the weights of the retriever that it kept. */
const everything = Effect.fnUntraced(function*(config: JmlrConfig) {
  const around = Tiny.surroundings
  const index = join(config.output_dir, "index")
  const { dim, passages } = yield* embed(config, index).pipe(Effect.provide(around, { local: true }))
  assert.strictEqual(passages, Tiny.passages.length)
  const learning = joint(config).pipe(Layer.provideMerge(Checkpoints.layer(config)), Layer.provideMerge(around))
  const trained = yield* train(config, () => Tiny.questions, { resume: false }).pipe(
    Effect.provide(learning, { local: true })
  )
  assert.isTrue(Number.isFinite(trained.readerLoss) && Number.isFinite(trained.retrieverLoss))
  const kept = {
    ...config,
    retriever_name_or_path: join(trained.checkpoint, "retriever"),
    reader_name_or_path: join(trained.checkpoint, "reader")
  }
  const reading = inference(kept).pipe(Layer.provideMerge(Tiny.surroundings))
  const judged = yield* evaluate(kept, Tiny.questions, { read: true, task: "test" }).pipe(
    Effect.provide(reading, { local: true })
  )
  assert.strictEqual(judged.judged.length, Tiny.questions.length)
  const searching = indexes(ofRetriever(kept).retrieval).pipe(Layer.provideMerge(Tiny.surroundings))
  const model = yield* RetrieverModel.make(ofRetriever(kept), () => false).pipe(
    Effect.provide(searching, { local: true })
  )
  return { dim, checkpoint: trained.checkpoint, model }
})

interface Pair {
  readonly retriever: string
  readonly reader: string
  readonly settings?: Raw
  readonly dim: number
  readonly lengths: { readonly query: number; readonly passage: number }
  readonly head: boolean
}
const plain = { query: 24, passage: 24 }
const pairs: ReadonlyArray<Pair> = [
  { retriever: "colbert", reader: "llama-sharded", dim: 8, lengths: { query: 12, passage: 20 }, head: true },
  { retriever: "pylate", reader: "qwen2", dim: 6, lengths: { query: 10, passage: 22 }, head: true },
  {
    retriever: "bert",
    reader: "phi3",
    settings: { query_max_len: 24, passage_max_len: 24 },
    dim: 128,
    lengths: plain,
    head: true
  },
  {
    retriever: "bert-mlm",
    reader: "gemma",
    settings: { dim: 0, query_max_len: 24, passage_max_len: 24 },
    dim: 16,
    lengths: plain,
    head: false
  },
  {
    retriever: "modernbert-pylate",
    reader: "llama-dynamic",
    settings: { passage_max_len: 20 },
    dim: 6,
    lengths: { query: 10, passage: 20 },
    head: true
  }
]

describe("checkpoints as they lie", () => {
  for (const { dim, head, lengths, reader, retriever, settings } of pairs) {
    it.live(`embed, learn, answer and are judged: ${retriever} with ${reader}`, () =>
      onDisk(Effect.gen(function*() {
        const folder = yield* Tiny.folder
        yield* place(retriever, folder, "retriever")
        yield* place(reader, folder, "reader")
        const ran = yield* everything(yield* Tiny.settings(folder, { ...small, ...settings }))
        assert.deepStrictEqual([ran.dim, ran.model.dim, ran.model.lengths], [dim, dim, lengths])
        const saved = yield* Safetensors.read(join(ran.checkpoint, "retriever", "model.safetensors"))
        assert.strictEqual(saved.has("linear.weight"), head)
        const json = JSON.parse(readFileSync(join(ran.checkpoint, "retriever", "config.json"), "utf8")) as object
        assert.include(json, { dim: head ? dim : 0 })
      })))
  }
})
