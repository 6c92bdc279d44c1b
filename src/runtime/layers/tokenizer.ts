/** Text as token ids, by the `tokenizer.json` and `tokenizer_config.json` of a model folder. */
import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { join } from "node:path"
import { FileError, located, readJson, readText } from "./files.ts"

export interface Tokenizer {
  /** Ids of the text alone, without special tokens; those that the text spells out are found. */
  readonly encode: (text: string) => ReadonlyArray<number>
  readonly decode: (ids: ReadonlyArray<number>) => string
  readonly id: (token: string) => number | undefined
  /** One more than the greatest id. */
  readonly size: number
  /** Ids that its own post-processor puts before a text; `undefined` where it has none. */
  readonly start: ReadonlyArray<number> | undefined
  /** Where it lies. */
  readonly folder: string
  /** `tokenizer_config.json`, and `special_tokens_map.json` where that says more. */
  readonly config: Readonly<Record<string, unknown>>
}

/** A special token of the config by its key ("eos_token"): a text, or an object that holds it. */
export const special = ({ config }: Pick<Tokenizer, "config">, key: string): string | undefined => {
  const value = config[key] as string | { readonly content?: string } | null | undefined
  return typeof value === "string" ? value : value?.content
}

const kindOf = (json: string): string | undefined =>
  (JSON.parse(json) as { readonly model?: { readonly type?: string } }).model?.type

const startOf = (tokenizer: HuggingFaceTokenizer): ReadonlyArray<number> | undefined => {
  if (tokenizer.post_processor === null) return undefined
  const [own] = tokenizer.encode("a", { add_special_tokens: false }).ids
  const all = tokenizer.encode("a").ids
  return all.slice(0, all.indexOf(own!))
}

/** A file of the folder; no keys where it is not there. */
const read = Effect.fnUntraced(function*(folder: string, name: string) {
  const fs = yield* FileSystem.FileSystem
  const path = join(folder, name)
  return (yield* fs.exists(path).pipe(located(path))) ? (yield* readJson(path)) as Tokenizer["config"] : {}
})

export const load = Effect.fnUntraced(function*(folder: string) {
  const path = join(folder, "tokenizer.json")
  const text = yield* readText(path)
  const config = {
    ...(yield* read(folder, "special_tokens_map.json")),
    ...(yield* read(folder, "tokenizer_config.json"))
  }
  const tokenizer = yield* Effect.try({
    try: () => new HuggingFaceTokenizer(JSON.parse(text) as object, config),
    catch: (cause) => new FileError({ path, place: "", reason: `not a tokenizer: ${String(cause)}` })
  })
  /** As transformers has it: byte-pair encodings are decoded to the spaces they were made from. */
  const clean_up_tokenization_spaces = config["clean_up_tokenization_spaces"] === true && kindOf(text) !== "BPE"
  const decoding = { skip_special_tokens: true, clean_up_tokenization_spaces }
  return {
    encode: (text) => tokenizer.encode(text, { add_special_tokens: false }).ids,
    decode: (ids) => ids.length === 0 ? "" : tokenizer.decode([...ids], decoding),
    id: (token) => tokenizer.token_to_id(token),
    size: 1 + [...tokenizer.get_vocab().values()].reduce((a: number, b: number) => Math.max(a, b), -1),
    start: startOf(tokenizer),
    folder,
    config
  } satisfies Tokenizer as Tokenizer
})
