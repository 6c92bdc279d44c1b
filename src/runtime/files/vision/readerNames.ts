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

/** A name of one spelling of LLaVA's in the other; itself where it is in neither. */
const between = (from: ReaderNames, to: ReaderNames) => (name: string): string => {
  for (const part of ["connector", "tower"] as const) {
    if (name.startsWith(from[part])) return to[part] + name.slice(from[part].length)
  }
  const own = alone(from, name)
  return own === undefined ? name : to.language(own)
}

/** An adapter under the names of its base, which may have been another spelling's in training. */
export const respelled = (
  adapter: Adapter,
  { family }: Pick<PicturesConfig, "family">,
  names: ReaderNames
): Adapter => {
  if (family !== "llava") return adapter
  const other = names === written ? inMemory : written
  const [here, there] = [between(other, names), between(names, other)]
  const isOther = [...adapter.tensors.keys()].some((name) => here(name) !== name)
  if (!isOther) return adapter
  const renamed = <A>(all: ReadonlyMap<string, A>) => new Map([...all].map(([name, own]) => [here(name), own]))
  const [tensors, targets] = [renamed(adapter.tensors), renamed(adapter.targets)]
  return { ...adapter, tensors, targets, isTarget: (path) => adapter.isTarget(there(path)) }
}
