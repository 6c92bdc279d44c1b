/** Features of pictures in batches: each picture once, and which row stands in which token's place. */
import { powerOfTwo } from "../engine/Programs.ts"
import type { Shown } from "../pictures/reading.ts"
import type { FeatureShape } from "./graphs.ts"
import type { Sequence } from "./sequences.ts"

/** How features of pictures are had. */
export interface Look {
  /** Size of a row. */
  readonly width: number
  /** Rows of one picture, or of a part of one, in tokens' places: batches have room for a power of two of them. */
  readonly unit: number
  /** Rows that are fed for them: its patches, where the program's own tower makes its rows; by default as many. */
  readonly inputs?: number
  /** The features of a picture that was asked for before, [rows that are fed, width]. */
  readonly of: (picture: Shown) => Float32Array
}

/** Features of several pictures one after the other, each picture once; and where the rows of each begin, by its hash. */
export interface Joined {
  readonly shape: FeatureShape
  readonly features: Float32Array
  readonly starts: ReadonlyMap<string, number>
}

/** The features of pictures, padded with zeros: at least those of one unit, and `least` rows of them. */
export const join = (
  pictures: ReadonlyArray<Shown>,
  { inputs, of, unit, width }: Look,
  least = 0
): Joined => {
  const each = inputs ?? unit
  const starts = new Map<string, number>()
  const distinct: Array<Shown> = []
  let total = 0
  for (const picture of pictures) {
    if (starts.has(picture.hash)) continue
    starts.set(picture.hash, total)
    distinct.push(picture)
    total += picture.rows
  }
  const rows = Math.max(each * powerOfTwo(Math.max(1, Math.ceil(total / unit))), least)
  const features = new Float32Array(rows * width)
  for (const picture of distinct) features.set(of(picture), starts.get(picture.hash)! / unit * each * width)
  return { shape: { rows, width }, features, starts }
}

/** The row of joined features of each row of some pictures. */
const rowsOf = (pictures: ReadonlyArray<Shown>, starts: Joined["starts"]): ReadonlyArray<number> =>
  pictures.flatMap(({ hash, rows }) => Array.from({ length: rows }, (_, i) => starts.get(hash)! + i))

/** The places of a sequence's tokens in joined features; -1 for tokens that are words. */
export const placed = (
  { pictures = [], places = [] }: Pick<Sequence, "pictures" | "places">,
  { starts }: Joined
): ReadonlyArray<number> => {
  const own = rowsOf(pictures, starts)
  return places.map((place) => place < 0 ? -1 : own[place]!)
}

/** The features of a batch of sequences of at most `length` tokens, and their places [rows, length]. */
export const packFeatures = (
  sequences: ReadonlyArray<Pick<Sequence, "pictures" | "places">>,
  { least, length, rows }: { readonly rows: number; readonly length: number; readonly least: number },
  look: Look
) => {
  const joined = join(sequences.flatMap(({ pictures = [] }) => pictures), look, least)
  const places = new Int32Array(rows * length).fill(-1)
  sequences.forEach((sequence, r) => places.set(placed(sequence, joined), r * length))
  return { shape: joined.shape, data: { features: joined.features, places } }
}
