/** Names of tensors in checkpoints of decoders that read pictures, in both spellings of LLaVA's. */
import type { ReaderNames } from "../../../kernels/nn/pictures/reader.ts"
import type { Adapter } from "../peft.ts"
import type { Naming } from "../weights.ts"
import type { PicturesConfig } from "./reader.ts"

/** LLaVA's files as they are written, and as some of them have been since models have these names in memory. */
const written: ReaderNames = {
  language: (path) => `language_model.${path}`,
  connector: "multi_modal_projector.",
  tower: "vision_tower."
}
const inMemory: ReaderNames = {
  language: (path) => path.replace(/^model\./, "model.language_model."),
  connector: "model.multi_modal_projector.",
  tower: "model.vision_tower."
}
const idefics3: ReaderNames = {
  language: (path) => path.replace(/^model\./, "model.text_model."),
  connector: "model.connector.",
  tower: "model."
}

/** The names of a checkpoint whose tensors are called so, or of new ones without any. */
export const namesOf = ({ family }: Pick<PicturesConfig, "family">, stored: Iterable<string>): ReaderNames => {
  if (family === "idefics3") return idefics3
  return [...stored].some((name) => name.startsWith("model.")) ? inMemory : written
}

/** Part of a checkpoint that a tensor belongs to. */
export type ReaderPart = "language" | "connector" | "tower"

/** The part of a tensor by its name. */
export const partOf = (names: ReaderNames) => (stored: string): ReaderPart => {
  if (stored.startsWith(`${names.tower}vision_model.`)) return "tower"
  return stored.startsWith(names.connector) ? "connector" : "language"
}

/** The module that a name of an adapter's tensor belongs to. */
const adapted = (name: string): string => name.replace(/\.(lora_(A|B)\.)?[^.]+$/, "")

/** An adapter without what it has for modules of these parameters, from which nothing is read; and which modules those are. */
export const withoutIdle = (adapter: Adapter, params: Iterable<string>) => {
  const modules = new Set([...params].map(adapted))
  const isIdle = (name: string) => modules.has(adapted(name))
  const tensors = new Map([...adapter.tensors].filter(([name]) => !isIdle(name)))
  const targets = new Map([...adapter.targets].filter(([path]) => !modules.has(path)))
  const idle = [...new Set([...adapter.tensors.keys()].filter(isIdle).map(adapted))]
  return { adapter: { ...adapter, tensors, targets } satisfies Adapter as Adapter, idle }
}

/**
 * The tensors of some parts under their own names; buffers, and of a tied head its copy, are passed over. Tensors of no part
 * count as the language model's, which knows no such name.
 */
export const ofReader = (
  { names, parts, tied }: {
    readonly names: ReaderNames
    readonly parts: ReadonlyArray<ReaderPart>
    readonly tied: boolean
  }
): Naming => {
  const head = names.language("lm_head.weight")
  return (stored) => {
    if (/\.(rotary_emb\.inv_freq|position_ids)$/.test(stored) || (tied && stored === head)) return undefined
    return parts.includes(partOf(names)(stored)) ? stored : undefined
  }
}

/** A tied head, if stored, must equal the embedding. */
export const readerTwins = (names: ReaderNames, tied: boolean): ReadonlyMap<string, string> =>
  new Map(tied ? [[names.language("lm_head.weight"), names.language("model.embed_tokens.weight")]] : [])

/** The name that a decoder alone has for a tensor of LLaVA's language model; `undefined` for others. */
const alone = (names: ReaderNames, name: string): string | undefined => {
  if (names === written) return name.startsWith("language_model.") ? name.slice("language_model.".length) : undefined
  if (name.startsWith("model.language_model.")) return name.replace("model.language_model.", "model.")
  return name.startsWith("lm_head.") ? name : undefined
}

/** A spelling of LLaVA's names: those of its files, or in memory, where newer versions leave out a name in the tower's. */
interface Spelling {
  readonly names: ReaderNames
  readonly vision: "vision_model." | ""
}

/** In memory since transformers 5. */
const newest: Spelling = { names: inMemory, vision: "" }
const spellings: ReadonlyArray<Spelling> = [
  { names: written, vision: "vision_model." },
  { names: inMemory, vision: "vision_model." },
  newest
]

/** The part of a name in a spelling, and the name within it; `undefined` if it has no such name. */
const within = ({ names, vision }: Spelling, name: string): readonly [ReaderPart, string] | undefined => {
  const after = (prefix: string) => name.startsWith(prefix) ? name.slice(prefix.length) : undefined
  const tower = after(names.tower + vision)
  if (tower !== undefined) return vision === "" && tower.startsWith("vision_model.") ? undefined : ["tower", tower]
  const connector = after(names.connector)
  if (connector !== undefined) return ["connector", connector]
  const own = alone(names, name)
  return own === undefined ? undefined : ["language", own]
}

/** A name of one spelling in another; itself where it is in neither. */
const between = (from: Spelling, { names, vision }: Spelling) => (name: string): string => {
  const [part, own] = within(from, name) ?? []
  if (own === undefined) return name
  if (part === "language") return names.language(own)
  return part === "tower" ? names.tower + vision + own : names.connector + own
}

/** What a model's parts are called in memory by today's transformers, and so in the adapters of PEFT. */
export const inMemoryName = (
  { names, pictures }: { readonly names: ReaderNames; readonly pictures: Pick<PicturesConfig, "family"> }
): (path: string) => string =>
  pictures.family === "llava" ? between({ names, vision: "vision_model." }, newest) : (path) => path

/** An adapter under the names of its base, which may have been another spelling's in training. */
export const respelled = (
  adapter: Adapter,
  { family }: Pick<PicturesConfig, "family">,
  names: ReaderNames
): Adapter => {
  if (family !== "llava") return adapter
  const own: Spelling = { names, vision: "vision_model." }
  const stored = [...adapter.tensors.keys()]
  const found = spellings.find((one) => stored.every((name) => within(one, name) !== undefined))
  if (!found || (found.names === names && found.vision === own.vision)) return adapter
  const [here, there] = [between(found, own), between(own, found)]
  const renamed = <A>(all: ReadonlyMap<string, A>) => new Map([...all].map(([name, own]) => [here(name), own]))
  const [tensors, targets] = [renamed(adapter.tensors), renamed(adapter.targets)]
  return { ...adapter, tensors, targets, isTarget: (path) => adapter.isTarget(there(path)) }
}
