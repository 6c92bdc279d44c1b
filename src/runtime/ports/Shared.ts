/** What several runs have in common: values by all that they depend on, computed by one run and kept for the others. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"

/** A value that other runs may have computed. */
export interface Wanted<A> {
  /** What it is, in the plural: "candidates". */
  readonly kind: string
  /** All that the value depends on, to the bit, as JSON; nothing is shared where it is `undefined`. */
  readonly of: unknown
  /** Texts that models read for it. */
  readonly readings: number
  readonly bytes: (value: A) => Uint8Array
  /** The value of such bytes; `undefined` if they are none. */
  readonly value: (bytes: Uint8Array) => A | undefined
}

/** What was not computed again, of a kind. */
export interface Saved {
  readonly times: number
  /** Texts that were not read again, and the seconds that it took to read them once. */
  readonly readings: number
  readonly seconds: number
}

/** Values that runs share. */
export interface Sharing {
  /** Whether anything is shared: else a key need not be computed. */
  readonly on: boolean
  /** The value as another run left it, or computed, and left for others. */
  readonly value: <A, E, R>(wanted: Wanted<A>, compute: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** A folder for files that runs share in ways of their own; `undefined` if nothing is shared. */
  readonly folder: string | undefined
  /** Counts what was shared otherwise. */
  readonly save: (kind: string, saved: Saved) => void
  /** What was saved so far, by kind. */
  readonly saved: () => ReadonlyMap<string, Saved>
}

/** Shares nothing. */
export const apart: Sharing = {
  on: false,
  value: (_, compute) => compute,
  folder: undefined,
  save: () => {},
  saved: () => new Map()
}

/** Of the runs of one experiment; others share nothing. */
export const Shared = Context.Reference<Sharing>("anamnesis/Shared", { defaultValue: () => apart })
