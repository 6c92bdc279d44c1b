/** Sequences of different lengths as the rectangular arrays of a program. */
import { bucket, powerOfTwo } from "../engine/Programs.ts"
import type { PackShape } from "./graphs.ts"
import type { Sequence } from "./sequences.ts"

/** Sequences as a program's arrays: tokens [rows, length], and the places where a next token is predicted. */
export interface Pack {
  readonly shape: PackShape
  readonly data: {
    readonly ids: Int32Array
    readonly positions: Int32Array
    readonly branches: Int32Array
    readonly rows: Int32Array
    readonly targets: Int32Array
    readonly weights: Float32Array
  }
  /** Place in the supervised tokens of each sequence's own, in order. */
  readonly places: ReadonlyArray<Int32Array>
}

const longest = (lengths: ReadonlyArray<number>): number => lengths.reduce((a, b) => Math.max(a, b), 1)

/** What the arrays must hold. */
export interface PackOptions {
  /** Rows of the arrays; those beyond the sequences are padding, which nothing attends to and no loss counts. */
  readonly rows: number
  readonly padding: number
  /** Greatest length of a sequence. */
  readonly most: number
  /** Sequences whose mean the loss is, these among them; these alone where it is left out. */
  readonly of?: number
  /** Length and supervised tokens, at least: for packs that are to be of one shape. */
  readonly least?: Pick<PackShape, "length" | "supervised"> | undefined
  /** Predict the token after every token, for losses over whole sequences. */
  readonly all: boolean
}

/** The sequences side by side, one a row, filled up to a bucket of lengths. */
export const pack = (
  sequences: ReadonlyArray<Sequence>,
  { all, least, most, of, padding, rows }: PackOptions
): Pack => {
  const length = Math.max(bucket(longest(sequences.map((s) => s.ids.length)), most), least?.length ?? 0)
  const starts = sequences.map((_, r) => sequences.slice(0, r).reduce((n, s) => n + s.supervised.length, 0))
  const count = sequences.reduce((n, s) => n + s.supervised.length, 0)
  const few = Math.max(64, powerOfTwo(count), least?.supervised ?? 0)
  const every = all || few >= rows * length
  const supervised = every ? rows * length : few
  const [ids, positions, branches] = [
    new Int32Array(rows * length).fill(padding),
    new Int32Array(rows * length),
    new Int32Array(rows * length).fill(-1)
  ]
  const [at, targets, weights] = [new Int32Array(supervised), new Int32Array(supervised), new Float32Array(supervised)]
  const places = sequences.map((s, r) => {
    ids.set(s.ids, r * length)
    positions.set(s.positions, r * length)
    branches.set(s.branches, r * length)
    return Int32Array.from(s.supervised, ({ row, target, weight }, i) => {
      const place = every ? r * length + row : starts[r]! + i
      at[place] = r * length + row
      targets[place] = target
      weights[place] = weight / (of ?? sequences.length)
      return place
    })
  })
  const data = { ids, positions, branches, rows: at, targets, weights }
  return { shape: { rows, length, supervised }, data, places }
}
