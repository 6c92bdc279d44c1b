/** Likelihoods of sequences under a decoder, in batches that memory holds. */
import * as Effect from "effect/Effect"
import type { Decoder } from "../../kernels/nn/decoder.ts"
import * as Halving from "../engine/halving.ts"
import { cached, finitely, lazily, powerOfTwo, type Run } from "../engine/Programs.ts"
import { Session } from "../engine/Session.ts"
import { isQuantised, type Weights } from "../engine/Weights.ts"
import type { Reduction } from "../ports/LanguageModel.ts"
import * as Graphs from "./graphs.ts"
import { pack, type PackOptions } from "./pack.ts"
import type { Sequence } from "./sequences.ts"

/** Approximate number of tokens per run. */
const TOKENS = 4096

/** Consecutive groups of at most `size`. */
const groupsOf = <A>(items: ReadonlyArray<A>, size: number): ReadonlyArray<ReadonlyArray<A>> =>
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
export interface ScoringOptions extends Pick<PackOptions, "padding" | "most"> {
  /** The model's name. */
  readonly model: string
  readonly decoder: Decoder
  readonly weights: Weights
}

type Shape = [rows: number, length: number, supervised: number]

/**
 * The program of each shape: compiled for it and fed the weights. But quantised weights on the host are constants of one
 * program of all shapes, which packs them once; only more logits than it may hold at a time are left to the others.
 */
const programs = Effect.fnUntraced(function*({ decoder, model, weights }: ScoringOptions) {
  const session = yield* Session
  const compiled = yield* cached(
    ([rows, length, supervised]: Shape) => Graphs.score(decoder, { rows, length, supervised }, model),
    { fixed: weights.frozen }
  )
  if (session.device || !isQuantised(weights)) return compiled
  const opened = yield* lazily(Effect.suspend(() => session.open(Graphs.scoring(decoder, model), weights.frozen())))
  const run: Run<Shape> = ([rows, length, supervised], feeds, into) =>
    supervised > Graphs.LOGITS
      ? compiled([rows, length, supervised], feeds, into)
      : Effect.flatMap(opened, (at) => finitely(at({ rows, quarter: length / 4, supervised }), feeds, into))
  return run
})

/** Negative log-likelihoods of the parts of sequences; `parts` are the numbers of parts. */
export const make = Effect.fnUntraced(function*(options: ScoringOptions) {
  const { model, most, padding, weights } = options
  const score = yield* programs(options)
  const scoring = Halving.make(`${model}.score`, "tokens")

  /** For each sequence, the negative log-likelihood of its i-th supervised token; in one run. */
  const scored = Effect.fnUntraced(function*(own: ReadonlyArray<Sequence>) {
    const { data, places, shape } = pack(own, { rows: powerOfTwo(own.length), all: false, padding, most })
    const { nll } = yield* score([shape.rows, shape.length, shape.supervised], { ...weights.values(), ...data })
    return places.map((place) => (i: number) => nll![place[i]!]!)
  })

  /** Sequences are sorted by descending length, so that those in a batch have similar lengths. */
  return Effect.fnUntraced(function*(
    all: ReadonlyArray<Sequence>,
    parts: ReadonlyArray<number>,
    reduction: Reduction
  ) {
    const results: Array<Float32Array> = []
    const order = [...all.keys()].toSorted((a, b) => all[b]!.ids.length - all[a]!.ids.length || a - b)
    const most = Math.max(1, Math.floor(TOKENS / (all[order[0]!]?.ids.length ?? 1)))
    for (const group of groupsOf(order, 2 ** Math.floor(Math.log2(most)))) {
      const own = group.map((i) => all[i]!)
      const tokens = ([from, to]: Halving.Range) => powerOfTwo(to - from) * own[from]!.ids.length
      const found = yield* scoring.each(own.length, tokens, (range) => scored(own.slice(...range)))
      const nlls = found.flatMap((rows) => rows)
      group.forEach((i, r) => results[i] = byPart(own[r]!, nlls[r]!, parts[i]!, reduction))
    }
    return results
  })
})
