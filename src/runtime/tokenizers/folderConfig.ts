/**
 * How tokenizer_config.json and related files modify tokenizer.json, as in transformers for fast tokenizers: added and
 * special tokens are taken from them; component options must agree with tokenizer.json.
 */
import type { AddedToken, AddedTokens } from "./addedTokens.ts"
import { Fields, isText, Misfit } from "./fields.ts"

/** Keys of standard special tokens, in the order in which new ones are assigned ids. */
const named = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"]

/** Options that change texts or ids; they must be booleans, since programs differ in how they coerce other types. */
const flags = [
  "add_bos_token",
  "clean_up_tokenization_spaces",
  "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output",
  "split_special_tokens"
]

/**
 * Keys that are used here or change no id: lengths and sides are set by the program, others belong to slow tokenizers.
 */
const known: ReadonlySet<string> = new Set([
  "added_tokens_decoder",
  "additional_special_tokens",
  "extra_special_tokens",
  "add_bos_token",
  "add_eos_token",
  "add_prefix_space",
  "auto_map",
  "backend",
  "chat_template",
  "clean_up_tokenization_spaces",
  "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output",
  "device_map",
  "do_basic_tokenize",
  "do_lower_case",
  "errors",
  "fix_mistral_regex",
  "full_tokenizer_file",
  "init_inputs",
  "is_local",
  "legacy",
  "local_files_only",
  "max_len",
  "max_length",
  "merges_file",
  "model_input_names",
  "model_max_length",
  "name_or_path",
  "never_split",
  "pad_to_multiple_of",
  "pad_token_type_id",
  "padding_side",
  "processor_class",
  "return_token_type_ids",
  "sp_model_kwargs",
  "spaces_between_special_tokens",
  "special_tokens_map_file",
  "split_special_tokens",
  "stride",
  "strip_accents",
  "tokenize_chinese_chars",
  "tokenizer_class",
  "tokenizer_file",
  "transformers_version",
  "trim_offsets",
  "truncation_side",
  "truncation_strategy",
  "unk_token_id",
  "bos_token_id",
  "eos_token_id",
  "pad_token_id",
  "use_default_system_prompt",
  "use_fast",
  "vocab_file",
  "vocab_size",
  "wordpieces_prefix"
])

const optionKeys = ["content", "single_word", "lstrip", "rstrip", "normalized", "special", "id", "__type"]

/** A token described by an object; defaults as in transformers. */
const described = (fields: Fields, special: boolean): AddedToken => {
  fields.only(...optionKeys)
  const flag = (key: string, otherwise: boolean) => fields.get(key) === undefined ? otherwise : fields.flag(key)
  const isSpecial = flag("special", special)
  return {
    content: fields.text("content"),
    single_word: flag("single_word", false),
    lstrip: flag("lstrip", false),
    rstrip: flag("rstrip", false),
    normalized: flag("normalized", !isSpecial),
    special: isSpecial
  }
}

const plainSpecial = (content: string): AddedToken => ({
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true
})

/** `added_tokens_decoder`: tokens with their ids, in order; `undefined` if missing. */
const decoderTokens = (config: Fields): ReadonlyArray<readonly [number, AddedToken]> | undefined => {
  if (config.get("added_tokens_decoder") === undefined) return undefined
  const all = config.fields("added_tokens_decoder")
  return all.entries().map(([id]) => {
    if (!/^\d{1,9}$/.test(id)) all.fail(id, "not the id of a token")
    return [Number(id), described(all.fields(id), false)] as const
  }).toSorted(([a], [b]) => a - b)
}

const asSpecial = (token: AddedToken): AddedToken => ({ ...token, special: true })

const one = (fields: Fields, key: string): ReadonlyArray<AddedToken> => {
  if (!fields.has(key)) return []
  const value = fields.get(key)
  return [isText(value) ? plainSpecial(value) : asSpecial(described(fields.fields(key), true))]
}

/** Special tokens with a key each, including model-specific ones. */
const namedTokens = (config: Fields): ReadonlyArray<AddedToken> => {
  const keys = config.entries().map(([key]) => key)
  const own = keys.filter((key) => key.endsWith("_token") && !named.includes(key) && isText(config.get(key)))
  const extra = config.get("extra_special_tokens")
  const more = typeof extra === "object" && extra !== null && !Array.isArray(extra)
    ? config.fields("extra_special_tokens")
    : new Fields({}, "")
  return [
    ...[...named, ...own].flatMap((key) => one(config, key)),
    ...more.entries().flatMap(([key]) => one(more, key))
  ]
}

/** In older files, a listed token has no type and is special by default. */
const listedToken = (fields: Fields): AddedToken => described(fields, !fields.has("__type"))

/** Special tokens given as a list; `extra_special_tokens` may instead be an object with names. */
const extraTokens = (config: Fields): ReadonlyArray<AddedToken> => {
  const isNamed = typeof config.get("extra_special_tokens") === "object" &&
    !Array.isArray(config.get("extra_special_tokens"))
  const keys = ["additional_special_tokens", ...isNamed ? [] : ["extra_special_tokens"]]
  return keys.filter((key) => config.has(key)).flatMap((key) =>
    config.list(key).map((value, i) =>
      isText(value) ? plainSpecial(value) : listedToken(new Fields(value, `${config.at(key)}[${i}]`))
    )
  )
}

/** Removes duplicates with the same options, keeping the first. */
const once = (tokens: ReadonlyArray<AddedToken>): ReadonlyArray<AddedToken> => {
  const seen = new Set<string>()
  return tokens.filter((token) => seen.size < seen.add(JSON.stringify(token)).size)
}

/**
 * Tokens to add to those of tokenizer.json: the listed ones, or else its own again, marked special if they have a key;
 * then special tokens that are missing there.
 */
export const additions = (config: Fields): (own: AddedTokens) => ReadonlyArray<AddedToken> => {
  for (const key of flags) config.optional(key, config.flag, false)
  const listed = decoderTokens(config)?.map(([, token]) => token)
  const keyed = namedTokens(config)
  const extra = extraTokens(config)
  const contents = new Set(keyed.map(({ content }) => content))
  return (own) => {
    const again = (listed ?? own.all()).map((token) => contents.has(token.content) ? asSpecial(token) : token)
    const there = new Set(again.map(({ content }) => content))
    const absent = once([...keyed, ...extra]).filter(({ content }) =>
      !there.has(content) && own.added(content) === undefined
    )
    return [...again, ...absent]
  }
}

/** Describes a token's id in tokenizer.json, for messages. */
export const idOf = (id: number | undefined): string => id === undefined ? "is no token" : `has the id ${id}`

/** @throws Misfit if a token's id in tokenizer.json differs from the config's. */
export const checkIds = (config: Fields, own: AddedTokens): void => {
  for (const [id, { content }] of decoderTokens(config) ?? []) {
    const given = own.id(content)
    if (given !== id) {
      throw new Misfit(
        config.at(`added_tokens_decoder.${id}`),
        `${JSON.stringify(content)} ${idOf(given)} in tokenizer.json`
      )
    }
  }
}

/** All components of a type, including nested ones. */
const componentsOf = (json: unknown, type: string): ReadonlyArray<Readonly<Record<string, unknown>>> => {
  if (typeof json !== "object" || json === null) return []
  if (Array.isArray(json)) return json.flatMap((each: unknown) => componentsOf(each, type))
  const own = json as Readonly<Record<string, unknown>>
  const nested = componentsOf(own["normalizers"], type).concat(componentsOf(own["pretokenizers"], type))
  return own["type"] === type ? [own, ...nested] : nested
}

interface Said {
  readonly key: string
  /** The value in tokenizer.json; `undefined` if no component has this option. */
  readonly does: boolean | undefined
}

const said = (json: { readonly normalizer?: unknown; readonly pre_tokenizer?: unknown }): ReadonlyArray<Said> => {
  const bert = componentsOf(json.normalizer, "BertNormalizer")[0]
  const lowers = bert?.["lowercase"] === true || componentsOf(json.normalizer, "Lowercase").length > 0
  const prefixes = [
    ...componentsOf(json.pre_tokenizer, "ByteLevel").map((each) => each["add_prefix_space"] === true),
    ...componentsOf(json.pre_tokenizer, "Metaspace").map((each) => each["prepend_scheme"] !== "never"),
    ...componentsOf(json.normalizer, "Prepend").map(() => true)
  ]
  return [
    { key: "do_lower_case", does: lowers },
    { key: "strip_accents", does: bert && (bert["strip_accents"] ?? bert["lowercase"]) === true },
    { key: "tokenize_chinese_chars", does: bert && bert["handle_chinese_chars"] === true },
    { key: "add_prefix_space", does: prefixes.length === 0 ? undefined : prefixes.includes(true) }
  ]
}

/** @throws Misfit if the config contradicts tokenizer.json, or requests something unsupported. */
export const checkOptions = (config: Fields, json: object): void => {
  for (const { does, key } of said(json)) {
    if (!config.has(key) || does === undefined) continue
    if (config.flag(key) !== does) {
      config.fail(key, `${config.get(key)}, which tokenizer.json contradicts; make them agree`)
    }
  }
  if (config.get("fix_mistral_regex") === true) {
    config.fail("fix_mistral_regex", "true is not supported: save the repaired tokenizer.json")
  }
}

/** Keys without effect that are not null. */
export const unknown = (config: Fields): ReadonlyArray<string> =>
  config.entries().filter(([key, value]) =>
    value !== null && !known.has(key) && !named.includes(key) && !(key.endsWith("_token") && isText(value))
  ).map(([key]) => key)
