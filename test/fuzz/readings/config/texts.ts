/** The files of texts beside a config.json, read a second time: of tokens, of ColBERT's ways, of what is generated. */
import * as own from "../fields.ts"
import { isFields } from "../json.ts"
import { bad, type Fields } from "../records.ts"
import {
  anyText,
  between,
  either,
  fields,
  type Keys,
  listOf,
  names,
  natural,
  positive,
  read,
  type Said,
  saying,
  share,
  without
} from "./keys.ts"

type Token = Readonly<Record<string, unknown>> & { readonly content: string; readonly special: boolean }
const plain = { single_word: false, lstrip: false, rstrip: false }

const described = (value: unknown, special: boolean): Token => {
  const flags = ["single_word", "lstrip", "rstrip", "normalized", "special"]
  const fields = own.fieldsOf(value, "content", "id", "__type", ...flags)
  const said = Object.fromEntries(
    flags.filter((key) => (own.get(fields, key) ?? null) !== null).map((key) => [key, own.flag(fields[key])])
  )
  const is = said["special"] ?? special
  return { ...plain, normalized: !is, ...said, special: is, content: own.text(own.get(fields, "content")) }
}

/** A text stands for a special token. */
const tokenOf = (value: unknown, special: boolean): Token =>
  typeof value === "string"
    ? { ...plain, normalized: false, special: true, content: own.text(value) }
    : described(value, special)

const named = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"]
const says = ([, value]: readonly [string, unknown]): boolean => value !== null

/** Special tokens that have a key each. */
const keyed = (json: Fields): ReadonlyArray<Token> => {
  const others = Object.keys(json).filter((key) =>
    key.endsWith("_token") && !named.includes(key) && typeof json[key] === "string"
  )
  const extra = isFields(json["extra_special_tokens"]) ? Object.entries(json["extra_special_tokens"]).filter(says) : []
  const own = [...named, ...others].map((key) => [key, json[key]] as const).filter(([, value]) => value !== undefined)
  return [...own, ...extra].map(([, value]) => Object.assign(tokenOf(value, true), { special: true }))
}

const listed = (json: Fields): ReadonlyArray<Token> =>
  ["additional_special_tokens", "extra_special_tokens"].flatMap((key) => {
    const value = json[key]
    if (value === undefined || (key === "extra_special_tokens" && isFields(value))) return []
    return own.list(value).map((one) => tokenOf(one, !(isFields(one) && (own.get(one, "__type") ?? null) !== null)))
  })

/** Tokens by their ids in a file of newer folders. */
const byId = (json: Fields): ReadonlyArray<readonly [number, Token]> | undefined => {
  if (json["added_tokens_decoder"] === undefined) return undefined
  if (!isFields(json["added_tokens_decoder"])) return bad("no tokens by id")
  const all = Object.entries(json["added_tokens_decoder"]).map(([id, value]): readonly [number, Token] =>
    /^\d{1,9}$/.test(id) ? [Number(id), described(value, false)] : bad("no id")
  )
  return all.toSorted(([a], [b]) => a - b)
}

/** Keys that change no id, or that say what tokenizer.json says. */
const silent = names(
  "added_tokens_decoder additional_special_tokens extra_special_tokens add_bos_token add_eos_token add_prefix_space",
  "chat_template clean_up_tokenization_spaces do_lower_case strip_accents tokenize_chinese_chars legacy",
  "model_max_length padding_side truncation_side split_special_tokens tokenizer_class model_input_names use_fast",
  "max_length name_or_path processor_class backend is_local errors vocab_size bos_token_id eos_token_id pad_token_id",
  "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output do_basic_tokenize never_split sp_model_kwargs",
  "special_tokens_map_file tokenizer_file transformers_version unk_token_id use_default_system_prompt auto_map stride",
  "fix_mistral_regex truncation_strategy pad_to_multiple_of pad_token_type_id device_map local_files_only vocab_file",
  "merges_file full_tokenizer_file init_inputs max_len return_token_type_ids spaces_between_special_tokens trim_offsets",
  "wordpieces_prefix"
)

const flags = ["clean_up_tokenization_spaces", "split_special_tokens", "add_bos_token"]

export interface Tokens {
  /** tokenizer.json with all that the other files add to it. */
  readonly whole: object
  /** The files together. */
  readonly config: Fields
  /** Keys without effect, with their files. */
  readonly told: ReadonlyArray<readonly [file: string, key: string]>
}

/**
 * What tokenizer_config.json and special_tokens_map.json make of a tokenizer.json that lowers nothing. The second file counts
 * where the first has no tokens by id.
 */
export const tokensOf = (base: any, given: unknown, older: () => unknown): Tokens => {
  const first = saying(given)
  const counts = first["added_tokens_decoder"] === undefined
  const second = saying(counts ? older() : {})
  /** What is malformed is refused also where it does not count. */
  for (const json of [first, second]) if (keyed(json).length + listed(json).length < 0) bad("no tokens")
  const config: Fields = counts ? { ...first, ...second } : first
  for (const key of flags) if (config[key] !== undefined) own.flag(config[key])
  if (config["do_lower_case"] !== undefined && config["do_lower_case"] !== false) bad("lowers nothing")
  if (config["fix_mistral_regex"] === true) bad("is not repaired")
  const special = new Set(keyed(config).map(({ content }) => content))
  const ids = new Map<string, number>(Object.entries(base.model.vocab as Record<string, number>))
  const tokens = new Map<string, Token>()
  const put = (token: Token) => {
    if (token.content === "") return
    if (!ids.has(token.content)) ids.set(token.content, ids.size)
    const was = tokens.get(token.content)?.special === true
    tokens.set(token.content, { ...token, special: token.special || was })
  }
  const own_: ReadonlyArray<Token> = base.added_tokens
  own_.forEach(put)
  const listedById = byId(config)
  for (const token of listedById?.map(([, one]) => one) ?? own_) {
    put(special.has(token.content) ? { ...token, special: true } : token)
  }
  for (const token of [...keyed(config), ...listed(config)]) if (!tokens.has(token.content)) put(token)
  for (const [id, { content }] of listedById ?? []) if (ids.get(content) !== id) bad("another id")
  const added_tokens = [...tokens.values()].map((token) =>
    Object.assign(without(token, "__type"), { id: ids.get(token.content) })
  )
  const files: ReadonlyArray<readonly [string, Fields]> = [["tokenizer_config.json", first], [
    "special_tokens_map.json",
    second
  ]]
  const told = files.slice(0, counts ? 2 : 1)
    .flatMap(([file, json]) =>
      Object.keys(json).filter((key) =>
        !silent.has(key) && !named.includes(key) && !(key.endsWith("_token") && typeof json[key] === "string")
      ).map((key) => [file, key] as const)
    )
  return { whole: { ...base, added_tokens }, config, told }
}

const length: own.Read<number> = (value) => natural(value) >= 4 ? value as number : bad("too short")

const colbert: Keys = {
  query_token_id: [anyText, "[unused0]"],
  doc_token_id: [anyText, "[unused1]"],
  query_maxlen: [length, undefined],
  doc_maxlen: [length, undefined],
  attend_to_mask_tokens: [own.flag, false],
  mask_punctuation: [own.flag, true],
  skiplist_words: [listOf(anyText), undefined],
  similarity: [own.oneOf("cosine"), "cosine"],
  dim: [natural, undefined]
}
const pyLate: Keys = {
  query_prefix: [anyText, "[unused0]"],
  document_prefix: [anyText, "[unused1]"],
  query_length: [length, undefined],
  document_length: [length, undefined],
  attend_to_expansion_tokens: [own.flag, false],
  do_query_expansion: [(value) => value === true ? value : bad("no expansion"), true],
  skiplist_words: [listOf(anyText), undefined]
}

/** Keys about training, indexes and searches, and about where things lie. */
const elsewhere = names(
  "index_path query_token doc_token reranker checkpoint triples collection queries root experiment nbits bsize lr",
  "similarity_fn_name prompts interaction relu truncate_dim default_prompt_name __version__ model_type version"
)

/** How a ColBERT marks, cuts and counts, as its own file tells or PyLate's. */
export const waysOf = (file: "artifact.metadata" | "config_sentence_transformers.json", value: unknown): Said => {
  const json = saying(value)
  const ours = file === "artifact.metadata"
  const keys = ours ? colbert : pyLate
  const prompts = isFields(json["prompts"]) && Object.values(json["prompts"]).some((text) => text !== "")
  const unlike = (key: string, usual?: unknown) => json[key] !== undefined && json[key] !== usual
  if (!ours && !Object.keys(pyLate).some((key) => json[key] !== undefined)) {
    return { expected: read({}, colbert), told: prompts ? ["prompts"] : [] }
  }
  const asks = [unlike("interaction", "colbert"), unlike("similarity_fn_name", "MaxSim"), unlike("relu", false)]
  if ([...asks, unlike("truncate_dim"), unlike("default_prompt_name"), prompts].includes(true)) bad("another way")
  const c = read(json, keys)
  const told = Object.keys(json).filter((key) => !Object.hasOwn(keys, key) && !elsewhere.has(key))
  if (ours) return { expected: c, told }
  const { attend_to_expansion_tokens, document_length, document_prefix, query_length, query_prefix, skiplist_words } = c
  return {
    expected: {
      ...read({}, colbert),
      query_token_id: query_prefix,
      doc_token_id: document_prefix,
      query_maxlen: query_length,
      doc_maxlen: document_length,
      attend_to_mask_tokens: attend_to_expansion_tokens,
      skiplist_words
    },
    told
  }
}

const ids = listOf(natural)
const atLeast0 = between(0, Number.MAX_VALUE)
const generation: Keys = {
  do_sample: [own.flag, false],
  temperature: [atLeast0, 1],
  top_k: [natural, 50],
  top_p: [share, 1],
  min_p: [share, 0],
  repetition_penalty: [positive, 1],
  no_repeat_ngram_size: [natural, 0],
  min_length: [natural, 0],
  min_new_tokens: [natural, undefined],
  suppress_tokens: [ids, []],
  begin_suppress_tokens: [ids, []],
  bad_words_ids: [listOf((value) => ids(value).length > 0 ? value : bad("no words")), []],
  eos_token_id: [either(natural, ids), []],
  stop_strings: [either(filled, listOf(filled)), []]
}
function filled(value: unknown): string {
  return anyText(value) === "" ? bad("an empty text") : value as string
}

/** Ways of choosing tokens that are not known here: whether a value asks for one. */
const foreign: Readonly<Record<string, (value: unknown, draws: boolean) => boolean>> = {
  num_beams: (value) => value !== 1,
  num_beam_groups: (value) => value !== 1,
  penalty_alpha: (value, draws) => !draws && value !== 0,
  typical_p: (value, draws) => draws && value !== 1,
  epsilon_cutoff: (value, draws) => draws && typeof value === "number" && value > 0 && value < 1,
  guidance_scale: (value) => value !== 1,
  forced_eos_token_id: () => true
}
const quiet = names(
  "_from_model_config bos_token_id pad_token_id output_attentions output_hidden_states transformers_version use_cache",
  "max_length max_new_tokens length_penalty early_stopping num_return_sequences"
)

/** How a folder's texts are generated; `told` are keys of which nothing comes, `foreign` those that stop it. */
export const generationOf = (value: unknown): Said & { readonly foreign: ReadonlyArray<string> } => {
  const json = saying(value)
  const { eos_token_id, min_length, min_new_tokens, stop_strings, ...c } = read(json, generation)
  const do_sample = c.do_sample && c.temperature > 0
  return {
    expected: {
      ...c,
      do_sample,
      eos_token_id: [eos_token_id].flat(),
      min_length: min_new_tokens === undefined ? min_length : 0,
      min_new_tokens: min_new_tokens ?? 0,
      stop_strings: [stop_strings].flat()
    },
    foreign: Object.keys(json).filter((key) => Object.hasOwn(foreign, key) && foreign[key]!(json[key], do_sample)),
    told: Object.keys(json).filter((key) =>
      !Object.hasOwn(generation, key) && !Object.hasOwn(foreign, key) && !quiet.has(key)
    )
  }
}

/** Keys of how tokens are chosen. */
export const choosing = new Set(
  [...Object.keys(generation), ...Object.keys(foreign)].filter((key) => key !== "eos_token_id")
)

/** Whether the modules of sentence-transformers have PyLate's dense layer among them. */
export const modulesOf = (value: unknown): boolean => {
  const all = own.list(value).map((one) => {
    const { path, type } = read(one as Fields, { path: [anyText], type: [anyText] })
    return { path, kind: own.oneOf("Transformer", "Dense", "Pooling", "Normalize")(type.split(".").at(-1)) }
  })
  const layers = all.filter(({ kind }) => kind === "Dense")
  if (layers.some(({ path }) => path !== "1_Dense") || layers.length > 1) bad("not the layer that is there")
  return layers.length > 0
}

/** Keys of a dense layer of which nothing comes; it only maps, from 16 to 6 features. */
export const denseOf = (value: unknown): ReadonlyArray<string> => {
  const keys: Keys = {
    in_features: [is(16), 16],
    out_features: [is(6), 6],
    activation_function: [is("torch.nn.modules.linear.Identity"), ""],
    bias: [is(false), false],
    use_residual: [is(false), false]
  }
  const json = fields(value)
  read(json, keys)
  return Object.keys(json).filter((key) => !Object.hasOwn(keys, key))
}
function is(wanted: unknown): own.Read<unknown> {
  return (value) => value === wanted ? value : bad("another")
}
