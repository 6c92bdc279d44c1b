/** Tokenises text by the `tokenizer.json` and `tokenizer_config.json` of a model folder. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { brief } from "../../domain/brief.ts"
import { modelFiles } from "../../domain/fileNames.ts"
import { tell } from "../files/config/keys.ts"
import { FileError } from "../files/disk.ts"
import { exists, readJson } from "../files/model.ts"
import { tidied } from "./decoders.ts"
import { Fields, Misfit } from "./fields.ts"
import * as FolderConfig from "./folderConfig.ts"
import { type Pipeline, readPipeline } from "./pipeline.ts"

/** A model folder's tokenizer. */
export interface Tokenizer {
  /**
   * Ids of the text without added special tokens; those spelled out in the text are recognised. Lone surrogates become
   * U+FFFD. The file's `truncation` and `padding` have no effect.
   *
   * @throws FileError if a pattern of the file takes too long to match.
   */
  readonly encode: (text: string) => ReadonlyArray<number>
  /** Omits special tokens and unknown ids. */
  readonly decode: (ids: ReadonlyArray<number>) => string
  readonly id: (token: string) => number | undefined
  readonly token: (id: number) => string | undefined
  /** Added tokens that are special, by their texts. */
  readonly specials: ReadonlyArray<string>
  /** One more than the largest id. */
  readonly size: number
  /** Ids that the post-processor puts before a text; `undefined` without a post-processor. */
  readonly start: ReadonlyArray<number> | undefined
  /** Ids that the post-processor puts after a text. */
  readonly end: ReadonlyArray<number>
  /** Path of the folder. */
  readonly folder: string
  /** `tokenizer_config.json` without null keys, merged with `special_tokens_map.json` where that applies. */
  readonly config: Readonly<Record<string, unknown>>
}

/** A special token of the config by key ("eos_token"), given as a text or as an object. */
export const special = ({ config }: Pick<Tokenizer, "config">, key: string): string | undefined => {
  const value = Object.hasOwn(config, key) ? config[key] : undefined
  const content = typeof value === "object" && value !== null
    ? (value as { readonly content?: unknown }).content
    : value
  return typeof content === "string" ? content : undefined
}

type Json = Readonly<Record<string, unknown>>

/** Reads a file of the folder as an object; empty if it does not exist. */
const read = Effect.fnUntraced(function*(folder: string, name: string) {
  const path = join(folder, name)
  if (!(yield* exists(path))) return {}
  const json = yield* readJson(path)
  if (typeof json === "object" && json !== null && !Array.isArray(json)) return json as Json
  return yield* new FileError({ path, place: "", reason: "an object is expected" })
})

const errorOf = (path: string, misfit: Misfit): FileError =>
  new FileError({ path, place: misfit.place, reason: misfit.reason })

/** Runs `work`, converting a `Misfit` to an error of the file. */
const guarded = <A>(path: string, work: () => A): A => {
  try {
    return work()
  } catch (cause) {
    throw cause instanceof Misfit ? errorOf(path, cause) : cause
  }
}

const reading = <A>(path: string, work: () => A): Effect.Effect<A, FileError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(work())
    } catch (cause) {
      return cause instanceof Misfit ? Effect.fail(errorOf(path, cause)) : Effect.die(cause)
    }
  })

/** Reads a file, and warns about unknown keys. */
const readKnown = Effect.fnUntraced(function*(folder: string, name: string) {
  const path = join(folder, name)
  const json = yield* read(folder, name)
  const unknown = yield* reading(path, () => {
    FolderConfig.additions(new Fields(json, ""))
    return FolderConfig.unknown(new Fields(json, ""))
  })
  yield* tell(path, unknown)
  return Object.fromEntries(Object.entries(json).filter(([, value]) => value !== null))
})

/**
 * As in transformers, special_tokens_map.json takes precedence, but is ignored if the config has
 * `added_tokens_decoder`.
 */
const readConfig = Effect.fnUntraced(function*(folder: string) {
  const config = yield* readKnown(folder, modelFiles.tokenizerConfig)
  if (Object.hasOwn(config, "added_tokens_decoder")) return config
  return { ...config, ...(yield* readKnown(folder, modelFiles.specialTokens)) }
})

/** As in transformers, decoded spaces are not cleaned up for BPE, unless explicitly enabled. */
const tidies = (config: Json, { model }: Pipeline): boolean =>
  config["clean_up_tokenization_spaces"] === true &&
  (model !== "BPE" || config["clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output"] === true)

/** The tokens in `added_tokens.json` of older folders must match tokenizer.json. */
const checkAddedFile = Effect.fnUntraced(function*(folder: string, { tokens }: Pipeline) {
  const path = join(folder, modelFiles.addedTokens)
  const added = yield* read(folder, modelFiles.addedTokens)
  yield* reading(path, () => {
    for (const [token, id] of Object.entries(added)) {
      const given = tokens.id(token)
      if (given !== id) {
        throw new Misfit(brief(token), `${FolderConfig.idOf(given)} in tokenizer.json; its id here is ${brief(id)}`)
      }
    }
  })
})

/** Loads a folder's tokenizer; fails if a file is missing or requires something unsupported. */
export const load = Effect.fnUntraced(function*(folder: string) {
  const path = join(folder, modelFiles.tokenizer)
  const configPath = join(folder, modelFiles.tokenizerConfig)
  const json = yield* readJson(path)
  const config = yield* readConfig(folder)
  const fields = new Fields(config, "")
  const added = yield* reading(configPath, () => FolderConfig.additions(fields))
  const split = config["split_special_tokens"] === true
  const pipeline = yield* reading(path, () => readPipeline(json, { tokens: added, split }))
  yield* reading(configPath, () => {
    FolderConfig.checkIds(fields, pipeline.tokens)
    FolderConfig.checkOptions(fields, json as object)
  })
  if (!Object.hasOwn(config, "added_tokens_decoder")) yield* checkAddedFile(folder, pipeline)
  const tidy = tidies(config, pipeline)
  return {
    encode: (text) => guarded(path, () => pipeline.encode(text)),
    decode: (ids) => {
      const text = guarded(path, () => pipeline.decode(ids))
      return tidy ? tidied(text, false) : text
    },
    id: (token) => pipeline.tokens.id(token),
    token: (id) => pipeline.tokens.token(id),
    specials: pipeline.tokens.all().filter(({ special }) => special).map(({ content }) => content),
    size: pipeline.tokens.greatest + 1,
    start: pipeline.frame?.before,
    end: pipeline.frame?.after ?? [],
    folder,
    config
  } satisfies Tokenizer as Tokenizer
})
