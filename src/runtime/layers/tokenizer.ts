/** Text as token ids, by the `tokenizer.json` of a model folder. */
import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { join } from "node:path"
import { FileError, readJson, readText, sha256 } from "./files.ts"

export interface Tokenizer {
  /** Ids of the text alone, without special tokens. */
  readonly encode: (text: string) => ReadonlyArray<number>
  readonly decode: (ids: ReadonlyArray<number>) => string
  /** The id of a token that must be there. */
  readonly id: (token: string) => number
  readonly has: (token: string) => boolean
  readonly size: number
  readonly hash: string
}

export const load = Effect.fnUntraced(function*(folder: string) {
  const path = join(folder, "tokenizer.json")
  const fs = yield* FileSystem.FileSystem
  const text = yield* readText(path)
  const configPath = join(folder, "tokenizer_config.json")
  const hasConfig = yield* Effect.orElseSucceed(fs.exists(configPath), () => false)
  const config = hasConfig ? yield* readJson(configPath) : {}
  const tokenizer = yield* Effect.try({
    try: () => new HuggingFaceTokenizer(JSON.parse(text) as object, config as object),
    catch: (cause) => new FileError({ path, place: "", reason: `not a tokenizer: ${String(cause)}` })
  })
  return {
    encode: (text) => tokenizer.encode(text, { add_special_tokens: false }).ids,
    decode: (ids) => ids.length === 0 ? "" : tokenizer.decode([...ids], { skip_special_tokens: true }),
    id: (token) => {
      const id = tokenizer.token_to_id(token)
      if (id === undefined) throw new FileError({ path, place: `token ${token}`, reason: "not in the vocabulary" })
      return id
    },
    has: (token) => tokenizer.token_to_id(token) !== undefined,
    size: tokenizer.get_vocab().size,
    hash: sha256(text)
  } satisfies Tokenizer as Tokenizer
})
