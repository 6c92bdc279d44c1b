/** When settings matter, depending on the traits of the mode and on other settings. */

/** The traits of a mode that determine which settings matter. */
export interface Traits {
  /** What ranks passages: nothing, BM25, or a frozen or trained retriever. */
  readonly retriever: "none" | "lexical" | "frozen" | "trained"
  readonly reader: "none" | "frozen" | "trained"
  /** The passages that the reader is given. */
  readonly passages: "none" | "gold" | "found"
  /**
   * Whether questions come from the configured files or are generated from the corpus; or whether the files' rows are
   * texts, learned as they are.
   */
  readonly questions: "given" | "made" | "texts"
  /** Whether the pictures of records are looked at; if not, their fields are told as unused. */
  readonly pictures?: boolean
  /** What the retriever is asked with; texts, if omitted. */
  readonly queries?: "pictures"
}

/** The traits of a system's modes by name. */
export type Modes = Readonly<Record<string, Traits>>

/** Decoded settings, as far as needed to decide whether another setting matters. */
export type Decoded = Readonly<Record<string, unknown>> & { readonly mode: string }

/** Why a setting does not matter ("in mode joint", "with max_steps -1"); `undefined` if it does. */
export type Use = (c: Decoded, modes: Modes) => string | undefined

/** Matters in modes that satisfy the predicate. */
export const inModes = (holds: (mode: Traits) => boolean): Use => ({ mode }, modes) => {
  if (holds(modes[mode]!)) return undefined
  const [some, others] = [true, false].map((kind) => Object.keys(modes).filter((name) => holds(modes[name]!) === kind))
  return others!.length < some!.length ? `not in mode ${others!.join(", ")}` : `in mode ${some!.join(", ")}`
}

/** Matters if a condition on other settings holds; `text` describes the condition. */
export const where = (text: string, holds: (c: Decoded, mode: Traits) => boolean): Use => (c, modes) =>
  holds(c, modes[c.mode]!) ? undefined : text

/** Matters if all conditions hold; reports the first that does not. */
export const all = (...uses: ReadonlyArray<Use>): Use => (c, modes) => {
  for (const use of uses) {
    const reason = use(c, modes)
    if (reason !== undefined) return reason
  }
  return undefined
}

/** In modes with a dense retriever of texts. */
export const encodes = inModes(({ queries, retriever }) =>
  queries === undefined && (retriever === "frozen" || retriever === "trained")
)
/** In modes with a dense retriever of any kind. */
export const indexes = inModes(({ retriever }) => retriever === "frozen" || retriever === "trained")
/** In modes that train the retriever. */
export const trainsRetriever = inModes(({ retriever }) => retriever === "trained")
/** In modes that rank passages. */
export const ranks = inModes(({ retriever }) => retriever !== "none")
/** In modes with a reader. */
export const reads = inModes(({ reader }) => reader !== "none")
/** In modes that give the reader passages. */
export const readsPassages = inModes(({ passages }) => passages !== "none")
/** In modes that look at pictures. */
export const looks = where("where pictures are looked at", (_, { pictures }) => pictures === true)
/** In modes that give the reader retrieved passages. */
export const finds = inModes(({ passages }) => passages === "found")
