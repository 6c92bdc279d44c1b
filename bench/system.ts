/** The system that is measured: the shipped world, two models drawn under a seed, the settings of a joint run. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { join } from "node:path"
import * as Dataset from "../src/datasets/dataset.ts"
import type { Passage, QuestionRecord } from "../src/domain/records/Records.ts"
import type { Session } from "../src/runtime/engine/Session.ts"
import { UNTRAINED } from "../src/runtime/models/folder.ts"
import { Checkpoints, type Part } from "../src/runtime/ports/Checkpoints.ts"
import { Corpus } from "../src/runtime/ports/Corpus.ts"
import * as Reporter from "../src/runtime/ports/Reporter.ts"
import { tokenizerJson, vocabulary, type VocabularyOptions } from "../src/runtime/tokenizers/train.ts"
import { joint } from "../src/systems/jmlr/layers.ts"
import { decode, type JmlrConfig } from "../src/systems/jmlr/settings.ts"

const width = (hidden_size: number, num_attention_heads: number) => ({
  hidden_size,
  num_attention_heads,
  hidden_dropout_prob: 0,
  initializer_range: 0.06
})

interface Size {
  readonly batch: number
  readonly retriever: Readonly<Record<string, unknown>>
  readonly reader: Readonly<Record<string, unknown>>
}

const positions = { retriever: { max_position_embeddings: 128 }, reader: { max_position_embeddings: 512 } }

/** `demo` is what the demo trains on a laptop; `wide` has products large enough to keep a core's vector units busy. */
export const sizes = {
  demo: {
    batch: 16,
    retriever: { ...width(128, 4), intermediate_size: 256, num_hidden_layers: 2, dim: 64, ...positions.retriever },
    reader: {
      ...width(128, 4),
      intermediate_size: 384,
      num_hidden_layers: 3,
      num_key_value_heads: 4,
      ...positions.reader
    }
  },
  wide: {
    batch: 8,
    retriever: { ...width(384, 6), intermediate_size: 1536, num_hidden_layers: 4, dim: 128, ...positions.retriever },
    reader: {
      ...width(384, 6),
      intermediate_size: 1024,
      num_hidden_layers: 4,
      num_key_value_heads: 6,
      ...positions.reader
    }
  }
} as const satisfies Record<string, Size>
export type SizeName = keyof typeof sizes

const special = {
  retriever: ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]", "[unused1]"],
  reader: ["[PAD]", "[UNK]", "[BOS]", "[EOS]"]
}
const vocabularies: Readonly<Record<keyof typeof special, VocabularyOptions>> = {
  retriever: { size: 4000, minCount: 2, rest: "pieces", special: special.retriever },
  reader: { size: 1200, minCount: 20, rest: "characters", special: special.reader }
}
const readerIds = { pad_token_id: 0, bos_token_id: 2, eos_token_id: 3, tie_word_embeddings: true, rope_theta: 100 }

const world = (name: string) => join(import.meta.dirname, "..", "data", "world", name)

export interface Prepared {
  readonly folder: string
  readonly config: JmlrConfig
  readonly passages: ReadonlyArray<Passage>
  readonly questions: ReadonlyArray<QuestionRecord>
}

const writeModel = Effect.fnUntraced(
  function*(folder: string, kind: keyof typeof special, size: Size, texts: ReadonlyArray<string>) {
    const fs = yield* FileSystem.FileSystem
    const tokens = vocabulary(texts, vocabularies[kind])
    const config = { ...size[kind], ...(kind === "reader" ? readerIds : {}), vocab_size: tokens.length }
    yield* fs.makeDirectory(folder)
    yield* fs.writeFileString(join(folder, "config.json"), JSON.stringify(config))
    yield* fs.writeFileString(join(folder, UNTRAINED), "{}")
    yield* fs.writeFileString(
      join(folder, "tokenizer.json"),
      JSON.stringify(tokenizerJson(tokens, special[kind], "[UNK]"))
    )
  }
)

/** Model folders and settings, in a folder that goes with the scope. */
export const prepare = Effect.fnUntraced(function*(name: SizeName) {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "bench-" })
  const passages = (yield* Dataset.passages(world("passages.jsonl"))).records
  const questions = (yield* Dataset.questions(world("questions.train.jsonl"))).records
  const texts = [...passages.map((p) => p.text), ...questions.map((q) => q.question)]
  for (const kind of ["retriever", "reader"] as const) {
    yield* writeModel(join(folder, kind), kind, sizes[name], texts)
  }
  const config = yield* decode("bench", { ...settings(folder), per_device_train_batch_size: sizes[name].batch })
  return { folder, config, passages, questions } satisfies Prepared as Prepared
})

/** The demo's settings for its joint arm. */
const settings = (folder: string) => ({
  output_dir: join(folder, "run"),
  passages_file: "passages.jsonl",
  retriever_name_or_path: join(folder, "retriever"),
  reader_name_or_path: join(folder, "reader"),
  max_steps: 1000,
  learning_rate: 3e-3,
  lr_retriever: 1e-3,
  lr_scheduler_type: "constant",
  warmup_steps: 20,
  weight_decay: 0.01,
  adam_epsilon: 1e-8,
  query_max_len: 24,
  passage_max_len: 96,
  text_maxlength: 96,
  max_length: 512,
  document_prompt: "context : {text} ",
  question_prompt: "question : {question} answer :",
  answer_prompt: "{answer}",
  answer_format: "text",
  options_in_prompt: false,
  options_in_query: false,
  n_candidates: 16,
  retriever_n_context: 4,
  n_context: 2,
  retrieve_with_rerank: false
})

/** Both ports and both learners, and the parts of a checkpoint, which here is never written. */
export const layer = <E>({ config, passages }: Prepared, session: Layer.Layer<Session, E>) => {
  const parts = new Map<string, Part>()
  const checkpoints = Layer.succeed(Checkpoints, {
    register: (name, part) => Effect.sync(() => void parts.set(name, part)),
    save: () => Effect.succeed(""),
    restore: () => Effect.succeed(undefined)
  })
  const around = Layer.mergeAll(
    Layer.succeed(Corpus, Dataset.fromRecords(passages)),
    checkpoints,
    session,
    Reporter.silent,
    NodeFileSystem.layer
  )
  return { parts, layer: joint(config).pipe(Layer.provideMerge(around)) }
}
