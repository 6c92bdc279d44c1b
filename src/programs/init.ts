/**
 * Program: creates model folders for a small retriever and reader with vocabularies of your own texts, to train from
 * scratch.
 */
import * as Effect from "effect/Effect"
import { join, resolve } from "node:path"
import { modelFiles } from "../domain/fileNames.ts"
import { ConfigError } from "../domain/settings/configure.ts"
import type { RunConfig } from "../domain/settings/RunConfig.ts"
import { replace } from "../runtime/files/disk.ts"
import { idOf } from "../runtime/files/hub/models.ts"
import * as Lock from "../runtime/files/lock.ts"
import { exists } from "../runtime/files/model.ts"
import { UNTRAINED } from "../runtime/models/folder.ts"
import {
  readerSpecial,
  retrieverSpecial,
  tokenizerJson,
  vocabulary,
  type VocabularyOptions
} from "../runtime/tokenizers/train.ts"
import { modeOf } from "../systems/all.ts"
import { passages, questions } from "./prepare.ts"
import { json } from "./run.ts"

interface Kind {
  readonly vocabulary: VocabularyOptions
  /** Special tokens by role, as in `tokenizer_config.json`. */
  readonly tokens: Readonly<Record<string, string>>
  readonly config: Readonly<Record<string, unknown>>
}

const width = {
  hidden_size: 128,
  num_attention_heads: 4,
  hidden_dropout_prob: 0,
  /** Models this narrow do not train from the usual 0.02. */
  initializer_range: 0.06
}

/** BERT with a ColBERT head, about 0.9 million parameters. */
const retriever: Kind = {
  vocabulary: {
    size: 4000,
    minCount: 2,
    rest: "pieces",
    special: retrieverSpecial
  },
  tokens: { pad_token: "[PAD]", unk_token: "[UNK]", cls_token: "[CLS]", sep_token: "[SEP]", mask_token: "[MASK]" },
  config: {
    architectures: ["HF_ColBERT"],
    model_type: "bert",
    ...width,
    intermediate_size: 256,
    num_hidden_layers: 2,
    max_position_embeddings: 128,
    dim: 64
  }
}

/** Llama, about a million parameters; rare words are spelled by character, so that any word can be copied. */
const reader: Kind = {
  vocabulary: { size: 1200, minCount: 20, rest: "characters", special: readerSpecial },
  tokens: { pad_token: "<pad>", unk_token: "<unk>", bos_token: "<s>", eos_token: "</s>" },
  config: {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    ...width,
    intermediate_size: 384,
    num_hidden_layers: 3,
    num_key_value_heads: 4,
    max_position_embeddings: 1024,
    rope_theta: 100,
    tie_word_embeddings: true,
    pad_token_id: 0,
    bos_token_id: 2,
    eos_token_id: 3
  }
}

const make = Effect.fnUntraced(function*(folder: string, kind: Kind, texts: ReadonlyArray<string>) {
  const { special } = kind.vocabulary
  const tokens = vocabulary(texts, kind.vocabulary)
  yield* Lock.hold(folder)
  yield* replace(join(folder, modelFiles.tokenizer), json(tokenizerJson(tokens, special, special[1]!)))
  yield* replace(
    join(folder, modelFiles.tokenizerConfig),
    json({ tokenizer_class: "PreTrainedTokenizerFast", ...kind.tokens })
  )
  yield* replace(join(folder, UNTRAINED), json({ weights: "drawn under the seed of the run that trains them" }))
  yield* replace(join(folder, modelFiles.config), json({ ...kind.config, vocab_size: tokens.length }))
  return { folder, tokens: tokens.length }
}, Effect.scoped)

/** The texts that vocabularies are made of: the corpus and the questions, or the texts that are learned. */
const wordsOf = Effect.fnUntraced(function*(c: RunConfig) {
  const { texts } = modeOf(c)
  if (texts) return yield* texts.words
  const corpus = (yield* passages(c)).map(({ text }) => text)
  const asked = c.train_file === "" ? [] : (yield* questions(c, "train")).map(({ question }) => question)
  return [...corpus, ...asked]
})

/**
 * Creates the configured model folders that do not exist, with vocabularies from the corpus and the questions. A name of
 * the form of a Hub's id is none of a folder to create; encoders of pictures are not made.
 */
export const init = Effect.fn("init")(function*(c: RunConfig) {
  const named = [[c.retriever_name_or_path, retriever], [c.reader_name_or_path, reader]] as const
  const { queries } = modeOf(c).traits
  const wanted = named.filter(([name, kind]) => name !== "" && (kind === reader || queries === undefined))
  if (resolve(c.retriever_name_or_path) === resolve(c.reader_name_or_path)) {
    const problem = `retriever_name_or_path and reader_name_or_path are the same folder (${c.reader_name_or_path})`
    return yield* new ConfigError({ source: "init", problems: [problem] })
  }
  const absent = yield* Effect.filter(
    wanted,
    ([folder]) =>
      Effect.gen(function*() {
        if ((yield* idOf(folder)) !== undefined) return false
        return !(yield* exists(join(folder, modelFiles.config)))
      })
  )
  if (absent.length === 0) return []
  const texts = yield* wordsOf(c)
  return yield* Effect.forEach(absent, ([folder, kind]) => make(folder, kind, texts))
})
