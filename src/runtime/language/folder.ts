/** The model folder of a reader: a decoder with its bos, eos and pad ids. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { several } from "../../domain/brief.ts"
import { modelFiles } from "../../domain/fileNames.ts"
import type { Prompting } from "../../domain/settings/prompting.ts"
import type { ReaderNames } from "../../kernels/nn/pictures/reader.ts"
import { reach } from "../../kernels/nn/rope.ts"
import type { DecoderConfig } from "../files/config/decoder.ts"
import * as GenerationConfig from "../files/config/generation.ts"
import { FileError } from "../files/disk.ts"
import type { Adapter } from "../files/peft.ts"
import { decodeReader, type PicturesConfig, type ReaderConfig } from "../files/vision/reader.ts"
import { inMemoryName, namesOf, respelled, withoutIdle } from "../files/vision/readerNames.ts"
import * as WeightFiles from "../files/weights.ts"
import * as ModelFolder from "../models/folder.ts"
import * as Reading from "../pictures/reading.ts"
import { special, type Tokenizer } from "../tokenizers/tokenizer.ts"
import { loadingOf, towerOf } from "./ownParts.ts"
import * as ChatTemplate from "./templates/chatTemplate.ts"

/** Eos and pad ids. */
export interface Ends {
  /** The eos id appended to a continuation. */
  readonly end: number
  /** All ids that end generation. */
  readonly stops: ReadonlySet<number>
  readonly padding: number
}

/**
 * Eos ids from `generation_config.json`, else `config.json`, else the tokenizer's `eos_token`. If that token is among
 * them, it ends a continuation; else the first one does.
 */
const endsOf = Effect.fnUntraced(function*(
  folder: string,
  config: DecoderConfig,
  tokenizer: Tokenizer,
  { known, path }: GenerationConfig.GenerationConfig
) {
  const eos = special(tokenizer, "eos_token")
  const own = eos === undefined ? undefined : tokenizer.id(eos)
  const several: ReadonlyArray<readonly [file: string, ids: ReadonlyArray<number>]> = [
    [path, [known.eos_token_id ?? []].flat()],
    [join(folder, modelFiles.config), config.eos_token_id],
    [join(folder, modelFiles.tokenizerConfig), own === undefined ? [] : [own]]
  ]
  const [file, stops] = several.find(([, ids]) => ids.length > 0) ?? []
  if (!file || !stops) {
    const reason = "is not there, nor in generation_config.json, nor is an eos_token in tokenizer_config.json"
    return yield* new FileError({ path: join(folder, modelFiles.config), place: "eos_token_id", reason })
  }
  yield* within(file, "eos_token_id", stops, config.vocab_size)
  return {
    end: own !== undefined && stops.includes(own) ? own : stops[0]!,
    stops: new Set(stops),
    /** Padding is masked in attention, so any id will do if the config's is outside the vocabulary. */
    padding: config.pad_token_id < config.vocab_size ? config.pad_token_id : 0
  } satisfies Ends as Ends
})

/** Fails if ids are outside the vocabulary. */
const within = (
  path: string,
  place: string,
  ids: ReadonlyArray<number>,
  size: number
): Effect.Effect<void, FileError> => {
  const beyond = ids.filter((id) => id >= size)
  if (beyond.length === 0) return Effect.void
  const reason = `${beyond.join(", ")}: the vocabulary has ${size} tokens (config.json, vocab_size)`
  return Effect.fail(new FileError({ path, place, reason }))
}

/**
 * Ids at the start of a prompt: from the tokenizer's post-processor, or else `bos_token_id`, unless the tokenizer's
 * config disables it.
 */
const begins = Effect.fnUntraced(function*({ bos_token_id }: DecoderConfig, tokenizer: Tokenizer) {
  const { config, folder, start } = tokenizer
  const path = join(folder, modelFiles.tokenizerConfig)
  const adds = config["add_bos_token"]
  const bos = special(tokenizer, "bos_token")
  const own = bos === undefined ? undefined : tokenizer.id(bos)
  if (start === undefined) {
    const id = adds === true ? own ?? bos_token_id : adds === false ? undefined : bos_token_id
    return id === undefined ? [] : [id]
  }
  const begun = own !== undefined && start.includes(own)
  if (typeof adds === "boolean" && own !== undefined && begun !== adds) {
    yield* Effect.logWarning(
      `${path}: add_bos_token is ${adds}, but the post-processor of tokenizer.json ${
        begun ? "begins" : "does not begin"
      } a text with ${bos}; the post-processor counts, as in transformers 5`
    )
  }
  return start
})

/** An adapter under its folder's names, without what it has for parts of the tower that are not used, which is told. */
const adapterOn = Effect.fnUntraced(function*(given: Adapter, pictures: PicturesConfig, names: ReaderNames) {
  const { idle: unused } = towerOf(pictures, names)
  const { adapter, idle } = withoutIdle(respelled(given, pictures, names), unused)
  if (idle.length > 0) {
    const what = `${idle.length === 1 ? "a module" : `${idle.length} modules`} of the tower (${
      several(idle).join(", ")
    })`
    yield* Effect.logInfo(
      `${adapter.folder}: what it has for ${what} is passed over: the model reads nothing from there`
    )
  }
  return adapter
})

/** What a folder of a model that reads pictures has for them, with its adapter's tensors under the folder's names. */
const picturesIn = Effect.fnUntraced(function*(opened: ModelFolder.ModelFolder<ReaderConfig>) {
  const { adapter, config, folder, tokenizer } = opened
  if (!config.pictures) return { adapter, pictures: undefined }
  const names = namesOf(config.pictures, (yield* WeightFiles.shapes(folder))?.keys() ?? [])
  const own = { folder, pictures: config.pictures, names, tied: config.tie_word_embeddings, tokenizer }
  return {
    adapter: adapter && (yield* adapterOn(adapter, config.pictures, names)),
    pictures: yield* Reading.processed(own)
  }
})

/** Opens a folder under the prompt settings. */
export const open = Effect.fnUntraced(function*(
  path: string,
  settings: Pick<Prompting, "max_length" | "apply_chat_template">
) {
  const found = yield* ModelFolder.open(path, decodeReader)
  const { adapter, pictures } = yield* picturesIn(found)
  const opened = { ...found, adapter }
  const { config, folder, tokenizer } = opened
  if (config.bidirectional) {
    const reason =
      "attends in both directions (is_causal, use_bidirectional_attention): it encodes texts and writes none"
    return yield* new FileError({ path: join(folder, modelFiles.config), place: "", reason })
  }
  const most = reach(config.rope_parameters, config.max_position_embeddings)
  yield* ModelFolder.fits(folder, { max_position_embeddings: most }, { max_length: settings.max_length })
  const file = join(folder, modelFiles.config)
  yield* within(file, "bos_token_id", config.bos_token_id === undefined ? [] : [config.bos_token_id], config.vocab_size)
  const generation = yield* GenerationConfig.read(folder)
  return {
    ...opened,
    generation,
    pictures,
    loading: loadingOf(config, pictures, []),
    ...(pictures ? { inAdapters: inMemoryName(pictures) } : {}),
    wrap: settings.apply_chat_template
      ? yield* ChatTemplate.load(tokenizer, pictures?.token)
      : yield* begins(config, tokenizer),
    ends: yield* endsOf(folder, config, tokenizer, generation)
  }
})
