/** A system small enough for a test: a dozen passages, six questions, and two models of a few thousand weights. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { join } from "node:path"
import { fromRecords } from "../../src/datasets/dataset.ts"
import type { Passage, QuestionRecord } from "../../src/domain/records/Records.ts"
import type { Raw } from "../../src/domain/settings/RunConfig.ts"
import { colbert } from "../../src/kernels/nn/colbert.ts"
import { causalLm } from "../../src/kernels/nn/decoder.ts"
import { flatten } from "../../src/kernels/nn/Module.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { decodeDecoder } from "../../src/runtime/files/config/decoder.ts"
import { decodeEncoder } from "../../src/runtime/files/config/encoder.ts"
import * as Safetensors from "../../src/runtime/files/safetensors/write.ts"
import * as ModelFolder from "../../src/runtime/models/folder.ts"
import { Corpus } from "../../src/runtime/ports/Corpus.ts"
import * as Reporter from "../../src/runtime/ports/Reporter.ts"
import { readerSpecial, retrieverSpecial, tokenizerJson, vocabulary } from "../../src/runtime/tokenizers/train.ts"
import { decode, type JmlrConfig } from "../../src/systems/jmlr/settings.ts"

const texts = [
  "Gaucher disease: variants in GBA1, on 1q22.",
  "Fabry disease is caused by GLA. It is X-linked; pain begins in the hands.",
  "Pompe disease comes with a weak heart, caused by GAA on 17q25.",
  "Wilson disease: copper stays in the liver (ATP7B, 13q14).",
  "Huntington disease begins with chorea.",
  "Marfan syndrome: tall people, long fingers, FBN1!",
  "Tay-Sachs disease shows a red spot in the eye, and HEXA is at fault. Most children are well for half a year.",
  "Alport syndrome takes the ears and the kidneys.",
  "Noonan syndrome: short people, a narrow valve, PTPN11.",
  "Rett syndrome: girls wring the hands, MECP2.",
  "Menkes disease: kinky hair and ATP7A."
]

export const passages: ReadonlyArray<Passage> = texts.map((text, i) => ({ id: `p${i}`, text }))

const asked: ReadonlyArray<readonly [question: string, answer: number, gold: number]> = [
  ["Which gene is at fault in Gaucher disease?", 0, 0],
  ["Pain in the hands, which gene?", 1, 1],
  ["Which gene stores copper in the liver?", 2, 3],
  ["Long fingers?", 3, 5],
  ["A red spot in the eye: which gene is at fault?", 1, 6],
  ["Kinky hair comes from", 0, 10]
]
const options = [
  ["GBA1", "GLA", "GAA", "FBN1"],
  ["FBN1", "GLA", "HEXA"],
  ["GAA", "MECP2", "ATP7B", "GLA"],
  ["PTPN11", "GLA", "GAA", "FBN1"],
  ["GLA", "HEXA"],
  ["ATP7A", "ATP7B", "GBA1"]
]

export const questions: ReadonlyArray<QuestionRecord> = asked.map(([question, answerIndex, gold], i) => ({
  id: `q${i}`,
  question,
  options: options[i]!,
  answer: options[i]![answerIndex]!,
  answerIndex,
  gold: [`p${gold}`],
  group: `g${i % 3}`,
  type: i % 2 === 0 ? "gene" : "sign"
}))

const common = {
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  max_position_embeddings: 160,
  initializer_range: 0.3
}
export const encoderConfig = { ...common, dim: 8, hidden_dropout_prob: 0.1 }
export const decoderConfig = {
  model_type: "llama",
  ...common,
  num_key_value_heads: 1,
  tie_word_embeddings: true,
  hidden_dropout_prob: 0.1,
  bos_token_id: 2,
  eos_token_id: 3
}

const corpus = [...texts, ...asked.map(([question]) => question), ...options.flat(), "Reference Question A B C D"]

const writeModel = Effect.fnUntraced(function*(
  folder: string,
  config: object,
  special: ReadonlyArray<string>,
  unknown: string
) {
  const fs = yield* FileSystem.FileSystem
  const tokens = vocabulary(corpus, { size: 200, minCount: 2, rest: "characters", special })
  yield* fs.makeDirectory(folder, { recursive: true })
  const files = {
    "config.json": { ...config, vocab_size: tokens.length },
    "tokenizer.json": tokenizerJson(tokens, special, unknown),
    [ModelFolder.UNTRAINED]: {}
  }
  yield* Effect.forEach(
    Object.entries(files),
    ([name, json]) => fs.writeFileString(join(folder, name), JSON.stringify(json))
  )
})

/** Model folders `retriever` and `reader` without weights: those are drawn under the run's seed. */
export const writeModels = Effect.fnUntraced(function*(folder: string) {
  yield* writeModel(join(folder, "retriever"), encoderConfig, retrieverSpecial, "[UNK]")
  yield* writeModel(join(folder, "reader"), decoderConfig, readerSpecial, "<unk>")
})

/** Weights for the model folders, in files: what an adapter can rest on. */
export const writeWeights = Effect.fnUntraced(function*(folder: string) {
  const fs = yield* FileSystem.FileSystem
  const modules = {
    retriever: [decodeEncoder, (config: any) => colbert(config).params],
    reader: [decodeDecoder, (config: any) => causalLm(config).params]
  } as const
  for (const [name, [decoding, params]] of Object.entries(modules)) {
    const path = join(folder, name)
    const { config } = yield* ModelFolder.open<any>(path, decoding)
    const flat = flatten(params(config))
    const drawn = yield* ModelFolder.weights(path, flat, 3, { draws: true })
    const tensors = new Map([...drawn].map(([n, data]) => [n, { shape: flat.get(n)!.shape, data }]))
    yield* fs.writeFile(join(path, "model.safetensors"), Safetensors.encode(tensors))
  }
})

/** The settings of a run in `folder`, where `writeModels` was. */
export const settings = (folder: string, overrides: Raw = {}): Effect.Effect<JmlrConfig> =>
  Effect.orDie(decode("test", {
    output_dir: join(folder, "run"),
    passages_file: "passages.jsonl",
    retriever_name_or_path: join(folder, "retriever"),
    reader_name_or_path: join(folder, "reader"),
    n_candidates: 5,
    retriever_n_context: 3,
    n_context: 2,
    max_steps: 8,
    warmup_steps: 1,
    learning_rate: 1e-2,
    lr_retriever: 1e-2,
    query_max_len: 24,
    passage_max_len: 64,
    max_length: 160,
    ...overrides
  }))

/** Settings of experiments whose questions and passages lie in a folder of `prepare`, beside the models. */
export const experiment = (folder: string) => ({
  passages_file: join(folder, "passages.jsonl"),
  train_file: join(folder, "questions.jsonl"),
  test_file: join(folder, "questions.jsonl"),
  retriever_name_or_path: join(folder, "retriever"),
  reader_name_or_path: join(folder, "reader"),
  max_steps: 3,
  n_candidates: 5,
  retriever_n_context: 3,
  n_context: 2,
  learning_rate: 1e-2,
  lr_retriever: 1e-2,
  query_max_len: 24,
  passage_max_len: 64,
  max_length: 160
})

/** A folder of its own with model folders in it that have no weights yet, gone with the scope. */
export const folder = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const made = yield* fs.makeTempDirectoryScoped({ prefix: "tiny-" })
  yield* writeModels(made)
  return made
})

/** The same with weights in files: what can answer without having learned. */
export const weighted = Effect.tap(folder, writeWeights)

export const corpusLayer = Layer.succeed(Corpus, fromRecords(passages))

/** Corpus and one CPU thread. */
export const core = Layer.mergeAll(corpusLayer, cpu({ threads: 1 }))

/** Everything but the models and the checkpoints. */
export const surroundings = Layer.mergeAll(core, Reporter.silent, NodeFileSystem.layer)
