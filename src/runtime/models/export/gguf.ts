/** A model as a GGUF file, for llama.cpp and the programs that rest on it. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { dirname, join } from "node:path"
import { brief, several } from "../../../domain/brief.ts"
import { modelFiles } from "../../../domain/fileNames.ts"
import { decodeDecoder } from "../../files/config/decoder.ts"
import { decodeEncoder } from "../../files/config/encoder.ts"
import * as GenerationConfig from "../../files/config/generation.ts"
import { decoding, FileError, located, makeFolder, moveDurably, partialOf } from "../../files/disk.ts"
import type { WrittenType } from "../../files/gguf/blocks/quantise.ts"
import * as FromConfig from "../../files/gguf/fromConfig.ts"
import { guarded } from "../../files/gguf/malformed.ts"
import { type Architecture, changeOf, ggufName } from "../../files/gguf/names.ts"
import { turned } from "../../files/gguf/rows.ts"
import { ofTokenizer, tokensIn } from "../../files/gguf/tokens/fromTokenizer.ts"
import * as Gguf from "../../files/gguf/write.ts"
import { exists, readJson, readText } from "../../files/model.ts"
import { encoderType, HEAD } from "../../files/stateDict.ts"
import * as Tokenizer from "../../tokenizers/tokenizer.ts"
import { contents } from "./folder.ts"

/** A type that a model's matrices are written in. */
export type Type = WrittenType

/** A GGUF file that was written. */
export interface Saved {
  readonly file: string
  readonly architecture: Architecture
  /** Number of tensors by type. */
  readonly types: Readonly<Record<string, number>>
}

type Contents = Effect.Success<ReturnType<typeof contents>>
type Entries = ReadonlyArray<readonly [key: string, entry: Gguf.Entry]>

/** Numbers of the kinds of files, by the type of most of their tensors. */
const fileTypes: Readonly<Record<WrittenType, number>> = { F32: 0, F16: 1, Q4_0: 2, Q8_0: 7 }

/** What the config states, in GGUF's terms. */
const stated = Effect.fnUntraced(function*({ config, folders, names }: Contents) {
  const path = join(folders.at(-1)!, modelFiles.config)
  if (encoderType(config["model_type"], names.has(HEAD))) {
    const encoder = yield* decoding(path, decodeEncoder)(config)
    return yield* guarded(path, () => FromConfig.ofEncoder(encoder, names.has(HEAD)))
  }
  const apart = names.has("lm_head.weight") ? { tie_word_embeddings: false } : {}
  const decoder = yield* decoding(path, (json) => decodeDecoder(json, path))({ ...config, ...apart })
  if (decoder.bidirectional) {
    const reason = "attends in both directions, which is not written as GGUF here"
    return yield* new FileError({ path, place: "is_causal", reason })
  }
  return yield* guarded(path, () => FromConfig.ofDecoder(config["model_type"], decoder))
})

/**
 * The type of a tensor: vectors, positions and token types stay float32, as llama.cpp has them; embeddings and head have eight
 * bits where the rest has four; rows that are not in whole blocks are float16.
 */
const typeOf = (name: string, shape: ReadonlyArray<number>, asked: WrittenType): WrittenType => {
  if (shape.length < 2 || /^(position_embd|token_types)\./.test(name)) return "F32"
  const own = asked === "Q4_0" && /^(token_embd|output)\./.test(name) ? "Q8_0" : asked
  return own.startsWith("Q") && shape.at(-1)! % 32 !== 0 ? "F16" : own
}

/** Values as GGUF has them. */
const changed = (architecture: Architecture, name: string, config: Contents["config"], data: Float32Array) => {
  const change = changeOf(architecture, name)
  if (change === "shifted") return data.map((value) => value + 1)
  if (change !== "turned") return data
  const heads = Number(config["num_attention_heads"])
  const own = name.includes(".attn_q.") ? heads : Number(config["num_key_value_heads"] ?? heads)
  const headSize = Number(config["head_dim"] ?? Number(config["hidden_size"]) / heads)
  return turned(data, own * headSize, own)
}

/** The tensors under their names in GGUF. */
const tensorsOf = Effect.fnUntraced(
  function*({ config, folders, tensors }: Contents, made: FromConfig.Stated, type: WrittenType) {
    const { architecture, tables } = made
    const nameOf = ggufName(architecture)
    const named = tensors.map((tensor) => [nameOf(tensor.name.replace(/^bert\./, "")), tensor] as const)
    const lost = named.find(([name]) => name === undefined)?.[1]
    if (lost) {
      const reason = `has no name in GGUF for the architecture ${architecture}`
      return yield* new FileError({ path: folders.at(-1)!, place: `tensor ${lost.name}`, reason })
    }
    return [
      ...[...tables].map(([name, data]) => ({
        name,
        type: "F32" as const,
        shape: [data.length],
        values: Effect.succeed(data)
      })),
      ...named.map(([name, { shape, values }]) => ({
        name: name!,
        type: typeOf(name!, shape, type),
        shape,
        values: Effect.map(values, (data) => changed(architecture, name!, config, data))
      }))
    ]
  }
)

/** Ids of special tokens by GGUF's names, from the tokenizer's config. */
const roles = {
  bos: "bos_token",
  eos: "eos_token",
  unknown: "unk_token",
  seperator: "sep_token",
  padding: "pad_token",
  cls: "cls_token",
  mask: "mask_token"
}

/** What ends a text: the eos token, and others of the generation config or the config. */
const endsOf = Effect.fnUntraced(function*(folder: string, config: Contents["config"], eos: number | undefined) {
  const { known } = yield* GenerationConfig.read(folder)
  const all = [known.eos_token_id ?? config["eos_token_id"] ?? []].flat().filter((id) => typeof id === "number")
  const [first, second, third, ...more] = eos !== undefined && all.includes(eos)
    ? [eos, ...all.filter((id) => id !== eos)]
    : all
  if (more.length > 0) yield* Effect.logWarning(`${folder}: eos ids without a key in GGUF: ${more.join(", ")}`)
  return Object.entries({ eos: first ?? eos, eot: second, eom: third }).filter(([, id]) => id !== undefined)
})

/** The chat template: text, or texts by name. */
const templatesOf = Effect.fnUntraced(function*(folder: string, given: unknown) {
  const own = join(folder, modelFiles.chatTemplate)
  const found = (yield* exists(own)) ? yield* readText(own) : given
  const all = (Array.isArray(found) ? found : [{ name: "default", template: found }]) as ReadonlyArray<{
    readonly name: string
    readonly template: unknown
  }>
  return all.flatMap(({ name, template }): Entries =>
    typeof template === "string"
      ? [[`tokenizer.chat_template${name === "default" ? "" : `.${name}`}`, { text: template }]]
      : []
  )
})

/** Refuses what a text begins with unless it is nothing or the bos token, which is what GGUF can state. */
const begins = Effect.fnUntraced(function*(
  { config, folder, start }: Tokenizer.Tokenizer,
  ids: ReadonlyMap<string, number>,
  usual: unknown
) {
  const bos = ids.get("bos") ?? ids.get("cls")
  const given = start ?? (config["add_bos_token"] === false || typeof usual !== "number" ? [] : [usual])
  if (given.length === 0 || (given.length === 1 && (bos === undefined || given[0] === bos))) return given
  const reason = `texts begin with ${given.join(", ")}, not with the bos token, which has no form in GGUF`
  return yield* new FileError({ path: join(folder, modelFiles.tokenizer), place: "post_processor", reason })
})

/** Refuses tokens that are not in `tokenizer.json`, and tells of options of tokens that are lost. */
const complete = Effect.fnUntraced(
  function*(folder: string, json: unknown, tokenizer: Tokenizer.Tokenizer, architecture: Architecture) {
    const { optioned, size } = tokensIn(json)
    if (size !== tokenizer.size) {
      const reason = `adds tokens to those of ${modelFiles.tokenizer}, which are not written to GGUF`
      return yield* new FileError({ path: join(folder, modelFiles.tokenizerConfig), place: "", reason })
    }
    if (optioned.length === 0 || architecture === "phi3") return
    const names = several(optioned.map((text) => brief(text))).join(", ")
    yield* Effect.logWarning(`${folder}: lstrip, rstrip or single_word, which GGUF has no form for: ${names}`)
  }
)

/** The tokenizer's metadata. */
const spoken = Effect.fnUntraced(function*({ config, folders }: Contents, architecture: Architecture) {
  const folder = folders[0]!
  const path = join(folder, modelFiles.tokenizer)
  const home = (yield* exists(path)) ? folder : folders.at(-1)!
  const tokenizer = yield* Tokenizer.load(home)
  const json = yield* readJson(join(home, modelFiles.tokenizer))
  yield* complete(home, json, tokenizer, architecture)
  const entries = yield* guarded(path, () => ofTokenizer(json, Number(config["vocab_size"])))
  const ids = new Map(
    Object.entries(roles).flatMap(([name, key]) => {
      const text = Tokenizer.special(tokenizer, key)
      const id = text === undefined ? undefined : tokenizer.id(text)
      return id === undefined ? [] : [[name, id] as const]
    })
  )
  const isEncoder = architecture === "bert"
  const start = yield* begins(tokenizer, ids, isEncoder ? undefined : config["bos_token_id"])
  if (!isEncoder) {
    for (const [name, id] of yield* endsOf(folders.at(-1)!, config, ids.get("eos"))) ids.set(name, Number(id))
  }
  if (start.length > 0) ids.set("bos", start[0]!)
  if (isEncoder && !ids.has("bos") && ids.has("cls")) ids.set("bos", ids.get("cls")!)
  return [
    ...entries,
    ...[...ids].map(([name, id]) => [`tokenizer.ggml.${name}_token_id`, { u32: id }] as const),
    ...(isEncoder
      ? [["tokenizer.ggml.token_type_count", { u32: Number(config["type_vocab_size"] ?? 2) }]] as const
      : []),
    ["tokenizer.ggml.add_bos_token", { flag: isEncoder || start.length > 0 }],
    [isEncoder ? "tokenizer.ggml.add_sep_token" : "tokenizer.ggml.add_eos_token", { flag: isEncoder }],
    ...(yield* templatesOf(home, tokenizer.config["chat_template"]))
  ] satisfies Entries as Entries
})

/** Refuses a file that is there. */
const vacant = Effect.fnUntraced(function*(file: string) {
  if (!(yield* exists(file))) return
  return yield* new FileError({ path: file, place: "", reason: "is there already; choose another name" })
})

/** Writes the model of a folder, or an adapter merged into its base, as one GGUF file: whole, or not at all. */
export const save = Effect.fnUntraced(
  function*(given: string, file: string, name: string, type: WrittenType) {
    const fs = yield* FileSystem.FileSystem
    yield* vacant(file)
    const own = yield* contents(given)
    const made = yield* stated(own)
    const { architecture, entries } = made
    const tensors = yield* tensorsOf(own, made, type)
    const metadata: Gguf.Entries = new Map<string, Gguf.Entry>([
      ["general.architecture", { text: architecture }],
      ["general.type", { text: "model" }],
      ["general.name", { text: name }],
      ["general.file_type", { u32: fileTypes[type] }],
      ["general.quantization_version", { u32: 2 }],
      ...entries.map(([key, entry]) => [`${architecture}.${key}`, entry] as const),
      ...(yield* spoken(own, architecture))
    ])
    const partial = partialOf(file)
    yield* makeFolder(dirname(file))
    yield* Gguf.write(partial, metadata, tensors).pipe(
      Effect.tapError(() => Effect.ignore(fs.remove(partial, { force: true }).pipe(located(partial))))
    )
    yield* moveDurably(partial, file)
    const types = Object.fromEntries([...Map.groupBy(tensors, (t) => t.type)].map(([key, all]) => [key, all.length]))
    return { file, architecture, types } satisfies Saved as Saved
  },
  Effect.scoped
)
