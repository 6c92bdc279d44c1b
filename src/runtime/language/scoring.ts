/** Likelihoods of sequences under a decoder, in batches that memory holds. */
import * as Effect from "effect/Effect"
import type { Decoder } from "../../kernels/nn/decoder.ts"
import * as Halving from "../engine/halving.ts"
import { cached, finitely, lazily, powerOfTwo, type Run } from "../engine/Programs.ts"
import { Session } from "../engine/Session.ts"
import { isQuantised, type Weights } from "../engine/Weights.ts"
import type { Reduction } from "../ports/LanguageModel.ts"
import * as Graphs from "./graphs.ts"
import type { LessonOptions } from "./lessons.ts"
import { pack, type PackOptions } from "./pack.ts"
import type { Sequence } from "./sequences.ts"

/** Approximate number of tokens per run. */
export const TOKENS = 4096

/** Consecutive groups of at most `size`. */
export const groupsOf = <A>(items: ReadonlyArray<A>, size: number): ReadonlyArray<ReadonlyArray<A>> =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size))

/** Sum or mean of the tokens' negative log-likelihoods for each part of a sequence. */
export const byPart = (
  sequence: Sequence,
  nll: (i: number) => number,
  parts: number,
  reduction: Reduction
): Float32Array => {
  const [sums, counts] = [new Float64Array(parts), new Float64Array(parts)]
  sequence.supervised.forEach(({ part }, i) => {
    if (part < 0) return
    sums[part]! += nll(i)
    counts[part]! += 1
  })
  return Float32Array.from(sums, (sum, part) => reduction === "sum" ? sum : sum / counts[part]!)
}

/** A decoder with its weights, and how sequences are padded. */
export interface ScoringOptions extends Pick<PackOptions, "padding" | "most">, Partial<Pick<LessonOptions, "look">> {
  /** The model's name. */
  readonly model: string
  readonly decoder: Decoder
  readonly weights: Weights
  /** Size of a row of pictures' features; 0, as by default, for a model that reads none. */
  readonly width?: number
}

type Shape = [rows: number, length: number, supervised: number, features: number]

/** The shape of a batch whose rows of features have this width. */
export const shapeOf = ([rows, length, supervised, features]: Shape, width: number): Graphs.PackShape => ({
  rows,
  length,
  supervised,
  features: features > 0 ? { rows: features, width } : undefined
})

/** Outputs of a program by name, each a value for every place. */
type Outputs = Readonly<Record<string, ArrayLike<number>>>
/** What is read of a sequence: its i-th supervised token's value of an output. */
type Told = (name: string, i: number) => number

/**
 * The program of each shape: compiled for it and fed the weights. But quantised weights on the host are constants of one
 * program of all shapes, which packs them once; only more logits than it may hold at a time are left to the others.
 */
const programs = Effect.fnUntraced(function*({ decoder, model, weights, width = 0 }: ScoringOptions) {
  const session = yield* Session
  const compiled = yield* cached(
    (shape: Shape) => Graphs.score(decoder, shapeOf(shape, width), model),
    { fixed: weights.frozen }
  )
  if (session.device || !isQuantised(weights)) return compiled
  const family = Graphs.scoring(decoder, model, width)
  const opened = yield* lazily(Effect.suspend(() => session.open(family, weights.frozen())))
  const run: Run<Shape> = ([rows, length, supervised, features], feeds, into) =>
    supervised > Graphs.LOGITS
      ? compiled([rows, length, supervised, features], feeds, into)
      : Effect.flatMap(opened, (at) => finitely(at({ rows, quarter: length / 4, supervised, features }), feeds, into))
  return run
})

/** Judges sequences under a decoder's weights. */
export type Scoring = Effect.Success<ReturnType<typeof make>>

/** What is told of a supervised token besides its negative log-likelihood. */
export const figureNames = ["correct", "entropy", "logits"] as const

/** Judges sequences, in batches that memory holds: what is told of each, in their order. */
export const make = Effect.fnUntraced(function*(options: ScoringOptions) {
  const { decoder, look, model, most, padding, weights, width = 0 } = options
  const score = yield* programs(options)
  const describe = yield* cached(
    (shape: Shape) => Graphs.describe(decoder, shapeOf(shape, width), model),
    { fixed: weights.frozen }
  )
  const scoring = Halving.make(`${model}.score`, "tokens")

  /** What is told of each sequence; in one run. */
  const scored = Effect.fnUntraced(function*(own: ReadonlyArray<Sequence>, program: Run<Shape>) {
    const seen = look && (yield* look(own))
    const { data, places, shape } = pack(own, { rows: powerOfTwo(own.length), all: false, padding, most, look: seen })
    const { features, length, rows, supervised } = shape
    const feeds = { ...weights.values(), ...data }
    const told: Outputs = yield* program([rows, length, supervised, features?.rows ?? 0], feeds)
    return places.map((place): Told => (name, i) => told[name]![place[i]!]!)
  })

  /** Sequences are sorted by descending length, so that those in a batch have similar lengths. */
  const judged = Effect.fnUntraced(function*(
    all: ReadonlyArray<Sequence>,
    program: Run<Shape>,
    see: (sequence: number, told: Told) => void
  ) {
    const order = [...all.keys()].toSorted((a, b) => all[b]!.ids.length - all[a]!.ids.length || a - b)
    const most = Math.max(1, Math.floor(TOKENS / (all[order[0]!]?.ids.length ?? 1)))
    for (const group of groupsOf(order, 2 ** Math.floor(Math.log2(most)))) {
      const own = group.map((i) => all[i]!)
      const tokens = ([from, to]: Halving.Range) => powerOfTwo(to - from) * own[from]!.ids.length
      const found = yield* scoring.each(own.length, tokens, (range) => scored(own.slice(...range), program))
      found.flat().forEach((told, r) => see(group[r]!, told))
    }
  })
  return {
    /** Negative log-likelihoods of the parts of sequences; `parts` are the numbers of parts. */
    likelihoods: Effect.fnUntraced(function*(
      all: ReadonlyArray<Sequence>,
      parts: ReadonlyArray<number>,
      reduction: Reduction
    ) {
      const results: Array<Float32Array> = []
      yield* judged(all, score, (s, told) => results[s] = byPart(all[s]!, (i) => told("nll", i), parts[s]!, reduction))
      return results
    }),
    /** Sums over the supervised tokens of each sequence: `nll` and the figures. */
    described: Effect.fnUntraced(function*(all: ReadonlyArray<Sequence>) {
      const names = ["nll", ...figureNames] as const
      const sums = names.map((name) => [name, new Float32Array(all.length)] as const)
      yield* judged(all, describe, (s, told) => {
        for (const [name, own] of sums) own[s] = byPart(all[s]!, (i) => told(name, i), 1, "sum")[0]!
      })
      return Object.fromEntries(sums) as Record<typeof names[number], Float32Array>
    })
  }
})
