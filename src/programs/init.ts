/**
 * Program: creates model folders for a small retriever and reader with vocabularies of your own texts, to train from
 * scratch.
 */
import * as Effect from "effect/Effect"
import { join, resolve } from "node:path"
import { modelFiles } from "../domain/fileNames.ts"
import { ConfigError } from "../domain/settings/configure.ts"
import { IMAGE } from "../domain/settings/placeholders.ts"
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
  /** `config.json` of a vocabulary of this size. */
  readonly config: (vocab_size: number) => object
  /** What other files hold. */
  readonly files?: Readonly<Record<string, object | string>>
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
  config: (vocab_size) => ({
    architectures: ["HF_ColBERT"],
    model_type: "bert",
    ...width,
    intermediate_size: 256,
    num_hidden_layers: 2,
    max_position_embeddings: 128,
    dim: 64,
    vocab_size
  })
}

const llama = {
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

/** Llama, about a million parameters; rare words are spelled by character, so that any word can be copied. */
const reader: Kind = {
  vocabulary: { size: 1200, minCount: 20, rest: "characters", special: readerSpecial },
  tokens: { pad_token: "<pad>", unk_token: "<unk>", bos_token: "<s>", eos_token: "</s>" },
  config: (vocab_size) => ({ ...llama, vocab_size })
}

/** Messages with their pictures where they stand, which LLaVA's own template does not keep. */
const template = "{% for message in messages %}{{ message['role'] + ': ' }}{% if message['content'] is string %}"
  + "{{ message['content'] }}{% else %}{% for part in message['content'] %}{% if part['type'] == 'image' %}{{ '<image>' }}"
  + "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}{{ '\n' }}{% endfor %}"
  + "{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}"

/** Patches along a side of a picture. */
const PATCHES = 4

/** LLaVA with this reader, and a vision transformer that takes pictures of `side` pixels in 16 patches. */
const pictureReader = (side: number): Kind => {
  const special = [...readerSpecial, IMAGE]
  const patch_size = side / PATCHES
  return {
    vocabulary: { ...reader.vocabulary, special },
    tokens: reader.tokens,
    config: (vocab_size) => ({
      architectures: ["LlavaForConditionalGeneration"],
      model_type: "llava",
      image_token_index: special.indexOf(IMAGE),
      image_seq_length: PATCHES ** 2,
      vision_feature_layer: -1,
      vision_feature_select_strategy: "default",
      tie_word_embeddings: true,
      pad_token_id: llama.pad_token_id,
      text_config: { ...llama, vocab_size },
      vision_config: {
        model_type: "clip_vision_model",
        hidden_size: 128,
        intermediate_size: 256,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        image_size: side,
        patch_size
      }
    }),
    files: {
      [modelFiles.preprocessor]: {
        image_processor_type: "SiglipImageProcessor",
        size: { height: side, width: side },
        resample: 3
      },
      [modelFiles.processor]: {
        processor_class: "LlavaProcessor",
        image_token: IMAGE,
        patch_size,
        num_additional_image_tokens: 1,
        vision_feature_select_strategy: "default"
      },
      [modelFiles.chatTemplate]: template
    }
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
  for (const [name, own] of Object.entries(kind.files ?? {})) {
    yield* replace(join(folder, name), typeof own === "string" ? new TextEncoder().encode(own) : json(own))
  }
  yield* replace(join(folder, modelFiles.config), json(kind.config(tokens.length)))
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

/** Options of `init`. */
export interface InitOptions {
  /** Side in pixels of the pictures that the reader takes, a multiple of 4; by default it reads texts alone. */
  readonly pictures?: number | undefined
}

/**
 * Creates the configured model folders that do not exist, with vocabularies from the corpus and the questions. A name of
 * the form of a Hub's id is none of a folder to create; encoders of pictures are not made.
 */
export const init = Effect.fn("init")(function*(c: RunConfig, { pictures }: InitOptions = {}) {
  if (pictures !== undefined && (pictures < PATCHES || pictures % PATCHES !== 0)) {
    const problem = `the side of pictures (${pictures}) is to be a multiple of ${PATCHES}`
    return yield* new ConfigError({ source: "init", problems: [problem] })
  }
  const own = pictures === undefined ? reader : pictureReader(pictures)
  const named = [[c.retriever_name_or_path, retriever], [c.reader_name_or_path, own]] as const
  const { queries } = modeOf(c).traits
  const wanted = named.filter(([name, kind]) => name !== "" && (kind === own || queries === undefined))
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
