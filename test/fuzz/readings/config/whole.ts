/** A model folder, read a second time: what all of its files come to together. */
import { type Folder, tokenizer } from "../../inputs/modelFolders.ts"
import { decoded, strictly } from "../json.ts"
import { bad, type Fields } from "../records.ts"
import { tidied } from "../tokenizer/decoders.ts"
import { type Whole, wholeOf } from "../tokenizer/whole.ts"
import { fields, saying } from "./keys.ts"
import { modelOf, shapesOf } from "./models.ts"
import { choosing, denseOf, generationOf, modulesOf, tokensOf, waysOf } from "./texts.ts"

export interface Expected {
  readonly config: Fields
  /** A config as the second reading has it. */
  readonly of: (config: Fields) => Fields
  readonly tokens: Whole
  readonly rest: Fields
  /** Keys of which nothing comes, and the files they are in. */
  readonly told: ReadonlyArray<readonly [file: string, key: string]>
  /** Weights that are to be drawn, about; 0 where the folder has them. */
  readonly drawn: number
}

export const probes: ReadonlyArray<string> = [
  "which gene is the GBA1 of </s> a",
  " [MASK] x",
  "<s> the <img> [unused0], unk"
]

/** Files that go with a copy of the model, whether they count or not. */
const companions = ["config.json", "generation_config.json", "tokenizer_config.json", "special_tokens_map.json"]

type Files = Readonly<Record<string, Uint8Array>>

const jsonOf = (files: Files, name: string): unknown =>
  files[name] === undefined ? {} : (strictly(files[name]) ?? bad("no JSON")).value

/** The content of a special token by its key. */
const special = (config: Fields, key: string): string | undefined => {
  const value = config[key]
  const content = typeof value === "object" ? (value as { readonly content?: unknown } | null)?.content : value
  return typeof content === "string" ? content : undefined
}

/** The config as a decoder has it, with its windows layer by layer. */
const windowed = (config: any): Fields => ({
  qkv_bias: false,
  output_bias: false,
  mlp_bias: false,
  ...config,
  windows: Array.from(
    { length: config.num_hidden_layers },
    (_, i) =>
      config.sliding_window !== undefined && config.layer_types?.[i] === "sliding_attention"
        ? config.sliding_window
        : undefined
  )
})

const reach = (rope: any, positions: number): number => {
  if (rope.rope_type === "yarn") {
    return Math.max(positions, Math.floor(rope.factor * rope.original_max_position_embeddings))
  }
  return rope.rope_type === "linear" || rope.rope_type === "dynamic" ? Math.floor(rope.factor * positions) : positions
}

interface Context {
  readonly config: any
  readonly tokens: Whole
  readonly named: Fields
  readonly files: Files
}

const decoderRest = ({ config, files, named, tokens }: Context, length: number) => {
  const within = (ids: ReadonlyArray<number>) => ids.every((id) => id < config.vocab_size) ? ids : bad("no such id")
  if (reach(config.rope_parameters, config.max_position_embeddings) < length) bad("too short")
  const bos: number | undefined = config.bos_token_id
  within(bos === undefined ? [] : [bos])
  const [begin, eos] = ["bos_token", "eos_token"].map((key) => {
    const token = special(named, key)
    return token === undefined ? undefined : tokens.id(token)
  })
  const own = "generation_config.json" in files
  const { expected, foreign, told } = generationOf(jsonOf(files, own ? "generation_config.json" : "config.json"))
  const { eos_token_id, ...generation } = expected as { readonly eos_token_id: ReadonlyArray<number> }
  const several = [eos_token_id, config.eos_token_id, eos === undefined ? [] : [eos]] as ReadonlyArray<
    ReadonlyArray<number>
  >
  const stops = within(several.find((ids) => ids.length > 0) ?? bad("no end"))
  const begins = named["add_bos_token"] === true ? begin ?? bos : named["add_bos_token"] === false ? undefined : bos
  return {
    rest: {
      wrap: begins === undefined ? [] : [begins],
      ends: {
        end: eos !== undefined && stops.includes(eos) ? eos : stops[0],
        padding: config.pad_token_id < config.vocab_size ? config.pad_token_id : 0,
        stops: [...new Set(stops)]
      },
      generation,
      foreign
    },
    told: own
      ? [...told.map((key) => ["generation_config.json", key] as const), ...older(jsonOf(files, "config.json"))]
      : []
  }
}

/** Keys of config.json of which nothing comes where there is a generation_config.json. */
const older = (config: unknown): ReadonlyArray<readonly [string, string]> =>
  Object.keys(saying(config)).filter((key) => choosing.has(key)).map((key) => ["config.json", key])

const punctuation = [..."!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"]

const encoderRest = ({ config, files, named, tokens }: Context, head: number | undefined) => {
  const file = (["artifact.metadata", "config_sentence_transformers.json"] as const).find((name) => name in files)
  const { expected: ways, told } = file === undefined
    ? waysOf("artifact.metadata", {})
    : waysOf(file, jsonOf(files, file))
  const w: any = ways
  const said = [config.dim, w.dim, head].filter((dim) => dim !== undefined)
  const trained = "model.safetensors" in files
  if (new Set(said).size > 1 || (trained && head === undefined && said[0]! > 0)) bad("heads of two sizes")
  const positions = config.max_position_embeddings
  const lengths = {
    query: w.query_maxlen ?? Math.min(32, positions),
    passage: w.doc_maxlen ?? Math.min(220, positions)
  }
  if (Object.values(lengths).some((length) => length > positions || length <= 3)) bad("no such length")
  const id = (token: string): number => tokens.id(token) ?? bad(`no ${token}`)
  const marker = (name: string) => id(special(named, `${name}_token`) ?? `[${name.toUpperCase()}]`)
  const words: ReadonlyArray<string> = w.skiplist_words ?? (w.mask_punctuation ? punctuation : [])
  return {
    dim: said[0] ?? 128,
    rest: {
      lengths,
      marks: {
        cls: marker("cls"),
        sep: marker("sep"),
        mask: marker("mask"),
        pad: marker("pad"),
        query: id(w.query_token_id),
        doc: id(w.doc_token_id),
        attendToMasks: w.attend_to_mask_tokens
      },
      skip: [...new Set(words.map(tokens.id).filter((own) => own !== undefined))]
    },
    told: file === undefined ? [] : told.map((key) => [file, key] as const)
  }
}

/** Weights of a model, about. */
const weightsOf = (family: string, c: any): number =>
  c.vocab_size * c.hidden_size +
  c.num_hidden_layers *
    (3 * c.hidden_size * c.intermediate_size + c.hidden_size * (c.head_dim ?? 1) * c.num_attention_heads) +
  (family === "bert" ? c.max_position_embeddings + c.type_vocab_size : 0) * c.hidden_size

/** A head's size, as the folder's weights have it. */
const headOf = (files: Files, isDense: boolean): number | undefined => {
  const weights = files[isDense ? "1_Dense/model.safetensors" : "model.safetensors"]
  if (weights === undefined) return undefined
  const header = JSON.parse(
    Buffer.from(weights.subarray(8, 8 + Number(new DataView(weights.buffer, weights.byteOffset).getBigUint64(0, true))))
      .toString()
  )
  return header["linear.weight"]?.shape[0] as number | undefined
}

/** @throws Bad where the folder is to be refused. */
export const expectedOf = (
  folder: Folder,
  files: Files,
  given: { readonly length: number; readonly untrained: boolean }
): Expected => {
  const { family, ...said } = modelOf(folder.kind, jsonOf(files, "config.json"))
  const texts = tokensOf(
    tokenizer,
    jsonOf(files, "tokenizer_config.json"),
    () => jsonOf(files, "special_tokens_map.json")
  )
  const plain = wholeOf(texts.whole)
  const tidies = texts.config["clean_up_tokenization_spaces"] === true
  const tokens = tidies ? { ...plain, decode: (ids: ReadonlyArray<number>) => tidied(plain.decode(ids), false) } : plain
  const config: any = said.expected
  if (tokens.size > config.vocab_size) bad("more tokens than rows")
  const context = { config, tokens, named: texts.config, files }
  if (texts.config["added_tokens_decoder"] === undefined) {
    for (const [token, id] of Object.entries(fields(jsonOf(files, "added_tokens.json")))) {
      if (tokens.id(token) !== id) bad("another id")
    }
  }
  const base = modelOf(folder.kind, folder.base)
  const told = [...said.told.map((key) => ["config.json", key] as const), ...texts.told]
  if (
    folder.kind === "encoder" &&
    companions.some((name) => files[name] !== undefined && decoded(files[name]) === undefined)
  ) bad("no UTF-8")
  const isDense = !given.untrained && "modules.json" in files && modulesOf(jsonOf(files, "modules.json"))
  const encoder = folder.kind === "encoder" ? encoderRest(context, headOf(files, isDense)) : undefined
  const { rest, told: more } = encoder ?? decoderRest(context, given.length)
  const alike = family === base.family &&
    JSON.stringify(shapesOf(family, config)) === JSON.stringify(shapesOf(family, base.expected))
  if (!given.untrained && !alike) bad("other shapes")
  const dense = isDense ? denseOf(jsonOf(files, "1_Dense/config.json")) : []
  return {
    config: encoder ? { ...config, dim: encoder.dim } : config,
    of: encoder ? (own) => own : windowed,
    tokens,
    rest,
    told: [...told, ...more, ...dense.map((key) => ["1_Dense/config.json", key] as const)],
    drawn: given.untrained ? weightsOf(family, config) : 0
  }
}
