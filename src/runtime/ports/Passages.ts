/** The corpus: passages by row. */
import * as Context from "effect/Context"

/** The corpus of a run. */
export class Passages extends Context.Service<Passages, {
  readonly ids: ReadonlyArray<string>
  readonly texts: ReadonlyArray<string>
  /** Row of an id; -1 where there is none. */
  readonly row: (id: string) => number
  /** SHA-256 of ids and texts, in order. */
  readonly hash: string
}>()("anamnesis/runtime/Passages") {}
