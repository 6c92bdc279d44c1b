/** When settings matter: by what a mode does with its models, and by other settings. */

/** What a mode does with its models, as far as settings matter by it. */
export interface Traits {
  /** Who ranks passages: nobody, BM25, or a retriever that is trained or not. */
  readonly retriever: "none" | "lexical" | "frozen" | "trained"
  readonly reader: "none" | "trained"
  /** The passages that the reader is given. */
  readonly passages: "none" | "gold" | "found"
  /** Questions of the files that the settings name, or made up from the corpus. */
  readonly questions: "given" | "made"
}

/** The traits of a system's modes by name. */
export type Modes = Readonly<Record<string, Traits>>

/** Settings that have been decoded, as far as the question whether another matters goes. */
export type Decoded = Readonly<Record<string, unknown>> & { readonly mode: string }

/** Why a setting does not matter ("in mode joint", "with max_steps -1"); `undefined` where it does. */
export type Use = (c: Decoded, modes: Modes) => string | undefined

/** In modes of the kind. */
export const inModes = (holds: (mode: Traits) => boolean): Use => ({ mode }, modes) => {
  if (holds(modes[mode]!)) return undefined
  const [some, others] = [true, false].map((kind) => Object.keys(modes).filter((name) => holds(modes[name]!) === kind))
  return others!.length < some!.length ? `not in mode ${others!.join(", ")}` : `in mode ${some!.join(", ")}`
}

/** Where a condition on other settings holds; `text` says it. */
export const where = (text: string, holds: (c: Decoded, mode: Traits) => boolean): Use => (c, modes) =>
  holds(c, modes[c.mode]!) ? undefined : text

/** Where all of them hold; what is told is the first that does not. */
export const all = (...uses: ReadonlyArray<Use>): Use => (c, modes) => {
  for (const use of uses) {
    const reason = use(c, modes)
    if (reason !== undefined) return reason
  }
  return undefined
}

/** A retriever of vectors ranks. */
export const encodes = inModes(({ retriever }) => retriever === "frozen" || retriever === "trained")
/** Where the retriever is trained. */
export const trainsRetriever = inModes(({ retriever }) => retriever === "trained")
/** Something ranks. */
export const ranks = inModes(({ retriever }) => retriever !== "none")
/** Where the reader is trained. */
export const reads = inModes(({ reader }) => reader === "trained")
/** Where the reader is given passages. */
export const readsPassages = inModes(({ passages }) => passages !== "none")
/** The reader's passages are those that are found. */
export const finds = inModes(({ passages }) => passages === "found")
