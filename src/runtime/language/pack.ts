/** Packs sequences of different lengths into the rectangular arrays of a program. */
import { bucket, powerOfTwo } from "../engine/Programs.ts"
import { type Look, packFeatures } from "./features.ts"
import type { PackShape } from "./graphs.ts"
import type { Sequence } from "./sequences.ts"

/** Program inputs: tokens [rows, length], and the positions at which the next token is predicted. */
export interface Pack {
  readonly shape: PackShape
  readonly data: {
    readonly ids: Int32Array
    readonly positions: Int32Array
    readonly branches: Int32Array
    readonly rows: Int32Array
    readonly targets: Int32Array
    readonly weights: Float32Array
    readonly features?: Float32Array
    readonly places?: Int32Array
  }
  /** For each sequence, the indices of its predictions among the supervised tokens. */
  readonly places: ReadonlyArray<Int32Array>
}

const longest = (lengths: ReadonlyArray<number>): number => lengths.reduce((a, b) => Math.max(a, b), 1)

/** Options of packing. */
export interface PackOptions {
  /** Number of rows; rows beyond the sequences are padding, masked in attention and loss. */
  readonly rows: number
  readonly padding: number
  /** Maximum length of a sequence. */
  readonly most: number
  /** Number of sequences over which the loss is averaged; by default those of this batch. */
  readonly of?: number
  /** Minimum length, number of supervised tokens and of rows of features, so that batches can have the same shape. */
  readonly least?: Pick<PackShape, "length" | "supervised"> & { readonly features: number } | undefined
  /** Features of the pictures; needed of a model that reads pictures. */
  readonly look?: Look | undefined
  /** Predict at every position, for losses over whole sequences. */
  readonly all: boolean
}

/** Whether several tokens are predicted at one position, as the first ones of branches are. */
const forks = ({ supervised }: Sequence): boolean => new Set(supervised.map(({ row }) => row)).size < supervised.length

/** One sequence per row, padded to a bucket of lengths. */
export const pack = (
  sequences: ReadonlyArray<Sequence>,
  { all, least, look, most, of, padding, rows }: PackOptions
): Pack => {
  const length = Math.max(bucket(longest(sequences.map((s) => s.ids.length)), most), least?.length ?? 0)
  const starts = sequences.map((_, r) => sequences.slice(0, r).reduce((n, s) => n + s.supervised.length, 0))
  const count = sequences.reduce((n, s) => n + s.supervised.length, 0)
  const few = Math.max(64, powerOfTwo(count), least?.supervised ?? 0)
  const every = all || (few >= rows * length && !sequences.some(forks))
  /** As many as all positions would mean each of them. */
  const supervised = every ? rows * length : few === rows * length ? 2 * few : few
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
  const seen = look && packFeatures(sequences, { rows, length, least: least?.features ?? 0 }, look)
  const data = { ids, positions, branches, rows: at, targets, weights, ...seen?.data }
  return { shape: { rows, length, supervised, features: seen?.shape }, data, places }
}
