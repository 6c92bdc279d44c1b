/** A model folder for other tools: sharded weights of one dtype, config, tokenizer, generation config, model card. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { dirname, join } from "node:path"
import { modelFiles } from "../../../domain/fileNames.ts"
import type { Json } from "../../files/config/keys.ts"
import { FileError, located, makeFolder, moveDurably, partialOf, writeDurably } from "../../files/disk.ts"
import { spelledAs } from "../../files/json/numbers.ts"
import { exists, readBytes, readJson, readText } from "../../files/model.ts"
import * as Peft from "../../files/peft.ts"
import { isReadable } from "../../files/safetensors/read.ts"
import * as Shards from "../../files/safetensors/shards.ts"
import * as Modules from "../../files/sentence/weights.ts"
import * as WeightFiles from "../../files/weights.ts"
import * as ModelFolder from "../folder.ts"
import * as Folding from "../mergeLora.ts"
import { configOf, generationOf, withRows } from "./config.ts"
import { kindOf } from "./kind.ts"
import * as Sentence from "./sentence.ts"

/** Dtypes that a model can be saved in. */
export const savedTypes = ["auto", "float32", "float16", "bfloat16"] as const

/** How a model is saved. */
export interface Options {
  /** "auto" for the dtype that the config names, else float32. */
  readonly dtype: typeof savedTypes[number]
  readonly maxShardSize: number
  /** Text of `README.md`. */
  readonly card: string
}

/** A model folder that was written. */
export interface Saved {
  readonly folder: string
  readonly dtype: Shards.SavedType
  readonly files: ReadonlyArray<string>
}

/** Files copied with a model if present: its tokenizer, chat template, generation config and ColBERT metadata. */
export const companions: ReadonlyArray<string> = [
  modelFiles.tokenizer,
  modelFiles.tokenizerConfig,
  modelFiles.specialTokens,
  modelFiles.addedTokens,
  "vocab.txt",
  "vocab.json",
  "merges.txt",
  "tokenizer.model",
  modelFiles.chatTemplate,
  modelFiles.processorTemplate,
  modelFiles.generation,
  modelFiles.preprocessor,
  modelFiles.processor,
  modelFiles.colbert
]

const textOf = (json: Json): Uint8Array => new TextEncoder().encode(`${JSON.stringify(json, null, 2)}\n`)

/** The dtype to save in; the config names it `dtype` or, formerly, `torch_dtype`. */
const typeOf = (config: Json, asked: Options["dtype"]): Shards.SavedType => {
  if (asked !== "auto") return asked
  const told = String(config["dtype"] ?? config["torch_dtype"])
  return told in Shards.dtypes ? told as Shards.SavedType : "float32"
}

interface Origin {
  readonly folder: string
  readonly adapter: Peft.Adapter | undefined
  readonly naming: WeightFiles.Naming
  readonly twins: ReadonlyMap<string, string> | undefined
  /** Whether the head, tied to the embedding in the base, gets weights of its own. */
  readonly apart: boolean
}

/** The element type of a stored tensor: one that is read, or the format's name of one that is not. */
const typeIn = ({ file, name }: WeightFiles.Source): string => {
  const type = file.type?.(name)
  return type === undefined || isReadable(type) ? file.half(name) ?? "float32" : type
}

/** Weights that an adapter has in full and its base lacks: an untied head. */
const beside = (adapter: Peft.Adapter, known: ReadonlySet<string>, type: string) => {
  const modules = adapter.config.modules_to_save ?? []
  const isOwn = (name: string) => !known.has(name) && modules.some((module) => name === `${module}.weight`)
  return [...adapter.tensors].filter(([name]) => isOwn(name)).map(([name, { data, shape }]) => ({
    name,
    stored: name,
    type,
    shape,
    values: Effect.succeed(data)
  }))
}

/** Refuses tables of different vocabulary sizes: the adapter added tokens to only some of them. */
const sameRows = (
  own: ReadonlyArray<{ readonly name: string; readonly shape: ReadonlyArray<number> }>,
  folder: string
) => {
  if (new Set(own.map(({ shape }) => shape[0])).size < 2) return Effect.void
  const reason = `added tokens to some modules alone: ${
    own.map(({ name, shape }) => `${name} [${shape.join()}]`).join(", ")
  }`
  return Effect.fail(new FileError({ path: join(folder, Peft.WEIGHTS), place: "", reason }))
}

/** The tensors to write: those of the folder under our names, with the adapter merged in. */
const pending = Effect.fnUntraced(function*({ adapter, apart, folder, naming, twins }: Origin) {
  const found = yield* WeightFiles.open(folder)
  if (!found) return yield* new FileError({ path: folder, place: "", reason: "has no weights to save" })
  yield* WeightFiles.same(found, naming, twins)
  const sources = new Map([...found].flatMap(([stored, source]) => {
    const name = naming(stored)
    return name === undefined ? [] : [[name, { ...source, stored }] as const]
  }))
  if (apart) {
    const { embedding, head } = Folding.tablesOf(sources.keys())
    sources.set(head, { ...sources.get(embedding)!, stored: head })
  }
  const own = [...sources].map(([name, source]) => ({
    name,
    stored: source.stored,
    type: typeIn(source),
    shape: adapter ? Peft.shapeWith(adapter, name, source.shape) : source.shape,
    values: Effect.map(source.file.read(source.name), ({ data }) => data)
  }))
  const unused = [...found.keys()].filter((stored) => naming(stored) === undefined)
  if (!adapter) return { tensors: own, unused }
  yield* sameRows(own.filter(({ name }) => Peft.isTable(name)), adapter.folder)
  const all = [...own, ...beside(adapter, new Set(sources.keys()), own[0]?.type ?? "float32")]
  yield* Folding.fitting(adapter, new Map(all.map(({ name, shape }) => [name, shape])))
  const folded = yield* Folding.make(adapter)
  const tensors = all.map(({ name, shape, stored, type, values }) => ({
    name,
    stored,
    type,
    shape,
    values: Effect.flatMap(values, (given) => folded(name, given, shape))
  }))
  return { tensors, unused }
})

/** The files of these names in the folders, each from the first folder that has it. */
export const filesIn = Effect.fnUntraced(function*(folders: ReadonlyArray<string>, names: ReadonlyArray<string>) {
  const found = new Map<string, Uint8Array>()
  for (const folder of folders) {
    for (const name of names) {
      const path = join(folder, name)
      if (found.has(name) || !(yield* exists(path))) continue
      found.set(name, yield* readBytes(path))
    }
  }
  return found
})

/** Refuses a folder that is not empty. */
export const vacant = Effect.fnUntraced(function*(folder: string) {
  const fs = yield* FileSystem.FileSystem
  if (!(yield* fs.exists(folder).pipe(located(folder)))) return
  if ((yield* fs.readDirectory(folder).pipe(located(folder))).length === 0) return
  return yield* new FileError({ path: folder, place: "", reason: "is there already; choose another folder" })
})

/** All files but the weights, by name. */
const texts = (
  config: Json,
  given: ReadonlyMap<string, Uint8Array>,
  card: string,
  /** The text that the config was read from. */
  spelling: string
): ReadonlyMap<string, Uint8Array> => {
  const generation = generationOf(config)
  return new Map([
    ...(generation ? [[modelFiles.generation, textOf(generation)] as const] : []),
    [modelFiles.tokenizerConfig, textOf({ tokenizer_class: "PreTrainedTokenizerFast" })],
    ...given,
    [modelFiles.config, new TextEncoder().encode(`${spelledAs(config, spelling)}\n`)],
    [modelFiles.card, new TextEncoder().encode(card)]
  ])
}

/**
 * The model of a folder, or an adapter merged into its base (`on`, or the one that it names), as it is to be written;
 * open until the scope ends.
 */
export const contents = Effect.fnUntraced(function*(name: string, on?: string) {
  const { adapter: own, folder, given } = yield* on === undefined
    ? ModelFolder.resolve(name)
    : ModelFolder.resolveOn(name, on)
  if (own) yield* ModelFolder.checkBase(own, folder)
  const config = (yield* readJson(join(folder, modelFiles.config))) as Json
  const folders = own ? [given, folder] : [folder]
  const sentence = yield* Sentence.sentenceOf(folders)
  const { naming, spelled, tied, twins } = yield* kindOf(folder, config, sentence)
  const adapter = own && spelled ? spelled(own) : own
  const apart = adapter !== undefined && tied && !sentence && Folding.parts(adapter)
  const { tensors, unused } = yield* pending({ folder, adapter, naming, twins, apart })
  const rows = adapter && (yield* Peft.vocabulary(adapter))
  return {
    /** Folders of companions, from the first that has one. */
    folders,
    /** Of a single-vector retriever. */
    sentence,
    spelling: yield* readText(join(folder, modelFiles.config)),
    config: withRows(sentence ? Sentence.configOf(sentence, config) : config, rows),
    /** By our names, with the names and types that they are stored under. */
    tensors,
    /** Stored tensors that the model does not use. */
    unused,
    names: new Set(tensors.map(({ name }) => name))
  }
})

/** Tensors by the folder that they are written to: those of modules beside the model have folders of their own. */
const byFolder = <E, R>(
  tensors: ReadonlyArray<Shards.Pending<E, R>>
): ReadonlyMap<string, ReadonlyArray<Shards.Pending<E, R>>> =>
  Map.groupBy(
    tensors.map((tensor) => ({ ...tensor, ...Modules.placeOf(tensor.name) })),
    ({ folder }) => folder
  )

/** Makes a new folder whole, or not at all: `fill` writes to a temporary one, which is then renamed. */
export const whole = Effect.fnUntraced(
  function*<A, E, R>(out: string, fill: (folder: string) => Effect.Effect<A, E, R>) {
    const fs = yield* FileSystem.FileSystem
    const partial = partialOf(out)
    const clear = fs.remove(partial, { recursive: true, force: true }).pipe(located(partial))
    yield* clear
    yield* makeFolder(partial)
    const made = yield* Effect.onError(fill(partial), () => Effect.ignore(clear))
    yield* fs.remove(out, { recursive: true, force: true }).pipe(located(out))
    yield* moveDurably(partial, out)
    return made
  }
)

/** Writes the model of a folder, or an adapter merged into its base, to a new folder: whole, or not at all. */
export const save = Effect.fnUntraced(
  function*(given: string, out: string, { card, dtype: asked, maxShardSize }: Options) {
    yield* vacant(out)
    const { config, folders, names, sentence, spelling, tensors } = yield* contents(given)
    const dtype = typeOf(config, asked)
    const beside = sentence ? yield* Sentence.filesOf(sentence, folders) : new Map<string, Uint8Array>()
    const written = texts(
      configOf(config, dtype, names),
      new Map([...(yield* filesIn(folders, companions)), ...beside]),
      card,
      spelling
    )
    const weights = yield* whole(out, (folder) =>
      Effect.gen(function*() {
        const weights: Array<string> = []
        for (const [path, own] of byFolder(tensors)) {
          yield* makeFolder(join(folder, path))
          const files = yield* Shards.write(join(folder, path), own, { dtype, maxShardSize })
          weights.push(...files.map((name) => join(path, name)))
        }
        for (const [name, bytes] of written) {
          yield* makeFolder(dirname(join(folder, name)))
          yield* writeDurably(join(folder, name), bytes)
        }
        return weights
      }))
    return { folder: out, dtype, files: [...weights, ...written.keys()].toSorted() } satisfies Saved as Saved
  },
  Effect.scoped
)
