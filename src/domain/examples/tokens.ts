/** Examples as tokens: what a language model learns from, and their rows. */
import { bfd, bfdSplit, type Bin, wrapped } from "./packing.ts"

/** Token ids of a text, and which of them are learned. */
export interface Tokens {
  readonly ids: ReadonlyArray<number>
  /** 1 where the token is to be predicted from those before it, else 0; the first has none before it, and is 0. */
  readonly learned: ReadonlyArray<number>
}

/** A training row of tokens: one example, several that do not attend to each other, or an answer and a worse one. */
export interface TokenRecord extends Tokens {
  readonly id: string
  /** The places at which examples begin; the first is 0. */
  readonly starts: ReadonlyArray<number>
  /** Of a preference: log-likelihoods of the chosen and the rejected answer before training, in nats. */
  readonly reference?: readonly [chosen: number, rejected: number]
}

/** Number of tokens that are learned. */
export const learnedOf = ({ learned }: Pick<Tokens, "learned">): number => learned.reduce((sum, one) => sum + one, 0)

/** An example on its own. */
export interface Example extends Tokens {
  readonly id: string
}

/** How examples share rows. */
export type Packing = "none" | "bfd" | "bfd_split" | "wrapped"

const alone = ({ id, ids, learned }: Example): TokenRecord => ({ id, ids, learned, starts: [0] })

/** Tokens of pieces in a row: each begins an example of its own unless they are `joined`, and attend to each other. */
const rowOf = (examples: ReadonlyArray<Example>, bin: Bin, joined: boolean): TokenRecord => {
  const starts: Array<number> = []
  const [ids, learned] = [new Array<number>(), new Array<number>()]
  for (const { example, from, to } of bin) {
    const own = examples[example]!
    const first = ids.length === 0 || !joined
    if (first) starts.push(ids.length)
    for (let i = from; i < to; i++) {
      ids.push(own.ids[i]!)
      learned.push(first && i === from ? 0 : own.learned[i]!)
    }
  }
  return { id: examples[bin[0]!.example]!.id, ids, learned, starts }
}

/** Names rows after their first example, and those that begin with a later piece of it with a number. */
const named = (rows: ReadonlyArray<TokenRecord>): ReadonlyArray<TokenRecord> => {
  const times = new Map<string, number>()
  return rows.map((row) => {
    const n = (times.get(row.id) ?? 0) + 1
    times.set(row.id, n)
    return n === 1 ? row : { ...row, id: `${row.id}#${n}` }
  })
}

/**
 * Examples as rows of at most `most` tokens. `wrapped` joins them: each token is then predicted from all before it in the
 * row, so it too is learned where an example begins within a row.
 */
export const packed = (
  examples: ReadonlyArray<Example>,
  packing: Packing,
  most: number
): ReadonlyArray<TokenRecord> => {
  if (packing === "none") return examples.map(alone)
  const lengths = examples.map(({ ids }) => ids.length)
  if (packing === "bfd") return named(bfd(lengths, most).map((bin) => rowOf(examples, bin, false)))
  if (packing === "bfd_split") return named(bfdSplit(lengths, most).map((bin) => rowOf(examples, bin, false)))
  const whole = examples.map((own) => ({ ...own, learned: own.learned.map((one, i) => i === 0 ? 1 : one) }))
  return named(wrapped(lengths, most).map((bin) => rowOf(whole, bin, true)))
}
