/** A few passages and questions of data/world, and two models of a few thousand weights, initialised under a seed. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Batches from "../src/datasets/batches.ts"
import * as Dataset from "../src/datasets/dataset.ts"
import * as Key from "../src/domain/Key.ts"
import { queryOf } from "../src/domain/records/options.ts"
import { colbert } from "../src/kernels/nn/colbert.ts"
import { causalLm } from "../src/kernels/nn/decoder.ts"
import { flatten, type Params } from "../src/kernels/nn/Module.ts"
import { cpu } from "../src/runtime/engine/providers.ts"
import { decodeDecoder } from "../src/runtime/files/config/decoder.ts"
import { decodeEncoder } from "../src/runtime/files/config/encoder.ts"
import type { Decode } from "../src/runtime/files/config/keys.ts"
import * as Safetensors from "../src/runtime/files/safetensors/write.ts"
import * as ModelFolder from "../src/runtime/models/folder.ts"
import { initialise } from "../src/runtime/models/initialise.ts"
import { Checkpoints, type Part } from "../src/runtime/ports/Checkpoints.ts"
import { Corpus } from "../src/runtime/ports/Corpus.ts"
import { readerSpecial, retrieverSpecial, tokenizerJson, vocabulary } from "../src/runtime/tokenizers/train.ts"
import { decode } from "../src/systems/jmlr/settings.ts"

const file = (name: string): string => fileURLToPath(new URL(`../data/world/${name}`, import.meta.url))

const size = {
  hidden_size: 32,
  intermediate_size: 64,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  max_position_embeddings: 512,
  initializer_range: 0.2,
  hidden_dropout_prob: 0
}
const encoder = { ...size, dim: 16 }
const decoder = { ...size, num_key_value_heads: 2, bos_token_id: 2, eos_token_id: 3, tie_word_embeddings: true }

/** Initialises the weights of a folder without any, under a seed. */
const drawWeights = Effect.fnUntraced(function*<C extends { readonly vocab_size: number }>(
  folder: string,
  decoding: Decode<C>,
  build: (config: C) => { readonly params: Params }
) {
  const { config } = yield* ModelFolder.open(folder, decoding)
  const params = flatten(build(config).params)
  const drawn = initialise(params, Key.fold(Key.make(42), "initialise"))
  const tensors = new Map([...drawn].map(([path, data]) => [path, { shape: params.get(path)!.shape, data }]))
  yield* Safetensors.write(join(folder, "model.safetensors"), tensors)
  return folder
})

/** A model folder without weights. */
const modelFolder = Effect.fnUntraced(function*(
  config: object,
  texts: ReadonlyArray<string>,
  special: ReadonlyArray<string>,
  unknown: string
) {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "example-" })
  const tokens = vocabulary(texts, { size: 1000, minCount: 2, rest: "characters", special })
  yield* fs.writeFileString(join(folder, "config.json"), JSON.stringify({ ...config, vocab_size: tokens.length }))
  yield* fs.writeFileString(join(folder, "tokenizer.json"), JSON.stringify(tokenizerJson(tokens, special, unknown)))
  return folder
})

/** The passages of the first eight diseases, and one question about each of them. */
export const world = Effect.gen(function*() {
  const passages = (yield* Dataset.passages(file("passages.jsonl"))).records.slice(0, 40)
  const corpus = Dataset.fromRecords(passages)
  const known = (yield* Dataset.questions(file("questions.train.jsonl"))).records
    .filter(({ gold }) => gold.every((id) => corpus.row(id) >= 0))
  const records = [...Map.groupBy(known, (q) => q.group).values()].map((own) => own[0]!)
  const texts = [...passages.map((p) => p.text), ...records.map((q) => q.question)]
  const folders = [
    yield* modelFolder(encoder, texts, retrieverSpecial, "[UNK]"),
    yield* modelFolder(decoder, texts, readerSpecial, "<unk>")
  ]
  const settings = yield* decode("world.ts", {
    output_dir: "unused",
    passages_file: "unused",
    retriever_name_or_path: yield* drawWeights(
      folders[0]!,
      decodeEncoder,
      (config) => colbert({ dim: encoder.dim, ...config })
    ),
    reader_name_or_path: yield* drawWeights(folders[1]!, decodeDecoder, causalLm),
    n_candidates: 12,
    retriever_n_context: 4,
    n_context: 2,
    max_steps: 20,
    warmup_steps: 1,
    learning_rate: 1e-2,
    lr_retriever: 1e-2,
    passage_max_len: 128,
    text_maxlength: 96,
    max_length: 512,
    answer_format: "text"
  })
  return {
    records,
    corpus,
    settings,
    questions: Batches.frame(records, 0, { row: corpus.row, query: queryOf(settings) })
  }
})
export type World = Effect.Success<typeof world>

/** The services that modes need: passages, a provider, files, and a place for checkpoints. */
export const surroundings = ({ corpus }: World) => {
  const parts = new Map<string, Part>()
  const layer = Layer.mergeAll(
    Layer.succeed(Corpus, corpus),
    cpu({ threads: 1 }),
    NodeFileSystem.layer,
    Layer.succeed(Checkpoints, {
      register: (name, part) => Effect.sync(() => void parts.set(name, part)),
      save: () => Effect.succeed("not kept"),
      restore: () => Effect.succeed(undefined)
    })
  )
  return { parts, layer }
}
