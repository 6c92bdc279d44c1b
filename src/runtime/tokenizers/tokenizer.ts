/** Text as token ids, by the `tokenizer.json` and `tokenizer_config.json` of a model folder. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { join } from "node:path"
import { brief } from "../../domain/brief.ts"
import { modelFiles } from "../../domain/fileNames.ts"
import { tell } from "../files/config/keys.ts"
import { FileError, located, readJson } from "../files/disk.ts"
import { tidied } from "./decoders.ts"
import { Fields, Misfit } from "./fields.ts"
import * as FolderConfig from "./folderConfig.ts"
import { type Pipeline, readPipeline } from "./pipeline.ts"

/** A model folder's tokenizer. */
export interface Tokenizer {
  /**
   * Ids of the text alone, without special tokens; those that the text spells out are found. A lone surrogate is read as
   * U+FFFD. Lengths are the program's: `truncation` and `padding` of the file have no effect.
   *
   * @throws FileError where a pattern of the file does not come to an end.
   */
  readonly encode: (text: string) => ReadonlyArray<number>
  /** Without special tokens; ids that are none are passed over. */
  readonly decode: (ids: ReadonlyArray<number>) => string
  readonly id: (token: string) => number | undefined
  /** One more than the greatest id. */
  readonly size: number
  /** Ids that its own post-processor puts before a text; `undefined` where it has none. */
  readonly start: ReadonlyArray<number> | undefined
  /** Where it lies. */
  readonly folder: string
  /** `tokenizer_config.json` without keys that are null, with what `special_tokens_map.json` says where that counts. */
  readonly config: Readonly<Record<string, unknown>>
}

/** A special token of the config by its key ("eos_token"): a text, or an object that holds it. */
export const special = ({ config }: Pick<Tokenizer, "config">, key: string): string | undefined => {
  const value = Object.hasOwn(config, key) ? config[key] : undefined
  const content = typeof value === "object" && value !== null
    ? (value as { readonly content?: unknown }).content
    : value
  return typeof content === "string" ? content : undefined
}

type Json = Readonly<Record<string, unknown>>

/** A file of the folder; no keys where it is not there. */
const read = Effect.fnUntraced(function*(folder: string, name: string) {
  const fs = yield* FileSystem.FileSystem
  const path = join(folder, name)
  if (!(yield* fs.exists(path).pipe(located(path)))) return {}
  const json = yield* readJson(path)
  if (typeof json === "object" && json !== null && !Array.isArray(json)) return json as Json
  return yield* new FileError({ path, place: "", reason: "an object is expected" })
})

const errorOf = (path: string, misfit: Misfit): FileError =>
  new FileError({ path, place: misfit.place, reason: misfit.reason })

/** `work` with what it throws of a file as an error of that file. */
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

/** A file whose keys are to be known, or told. */
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

/** As transformers has it, the older file counts for more, or for nothing where the newer one lists added tokens. */
const readConfig = Effect.fnUntraced(function*(folder: string) {
  const config = yield* readKnown(folder, modelFiles.tokenizerConfig)
  if (Object.hasOwn(config, "added_tokens_decoder")) return config
  return { ...config, ...(yield* readKnown(folder, modelFiles.specialTokens)) }
})

/** As transformers has it: byte-pair encodings are decoded to the spaces they were made from. */
const tidies = (config: Json, { model }: Pipeline): boolean =>
  config["clean_up_tokenization_spaces"] === true &&
  (model !== "BPE" || config["clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output"] === true)

/** Words that are listed in a file of its own by older folders have to be those of tokenizer.json. */
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

/** The tokenizer of a folder; fails where a file is missing or says what is not done here. */
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
    size: pipeline.tokens.greatest + 1,
    start: pipeline.start,
    folder,
    config
  } satisfies Tokenizer as Tokenizer
})
