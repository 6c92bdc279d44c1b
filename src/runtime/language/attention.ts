/** How much the parts of prompts are attended to by a decoder, in batches that memory holds. */
import * as Effect from "effect/Effect"
import type { DecoderConfig } from "../../kernels/nn/decoder.ts"
import * as Halving from "../engine/halving.ts"
import { cached, powerOfTwo } from "../engine/Programs.ts"
import type { Parted } from "./chatTokens.ts"
import * as Graphs from "./graphs.ts"
import { pack } from "./pack.ts"
import { groupsOf, type ScoringOptions, TOKENS } from "./scoring.ts"
import type { Sequence } from "./sequences.ts"

/** A prompt with one continuation, and the part of each token. */
export type PartedSequence = Sequence & Pick<Parted, "parts">

/** A decoder with its weights and config, and how sequences are padded. */
export interface AttentionOptions extends ScoringOptions {
  readonly config: DecoderConfig
}

type Shape = [rows: number, length: number, watched: number, parts: number]

/** Which tokens of each sequence predict its continuation, with equal weights, and which part its tokens are of. */
const watchedOf = (own: ReadonlyArray<PartedSequence>, [rows, length, watched]: Shape) => {
  const parts = new Int32Array(rows * length).fill(-1)
  const [at, weights] = [new Int32Array(rows * watched), new Float32Array(rows * watched)]
  own.forEach((sequence, r) => {
    parts.set(sequence.parts, r * length)
    at.set(sequence.supervised.map(({ row }) => row), r * watched)
    weights.fill(1 / sequence.supervised.length, r * watched, r * watched + sequence.supervised.length)
  })
  return { parts, at, weights }
}

/** Counts attention under a decoder's weights. */
export type Attending = Effect.Success<ReturnType<typeof make>>

/** The masses of the parts of sequences, in their order; `counts` are the numbers of parts. */
export const make = Effect.fnUntraced(function*({ config, decoder, model, most, padding, weights }: AttentionOptions) {
  const program = yield* cached(
    ([rows, length, watched, parts]: Shape) =>
      Graphs.attention(decoder, config, { rows, length, watched, parts }, model),
    { fixed: weights.frozen }
  )
  const halving = Halving.make(`${model}.attention`, "tokens")

  const counted = Effect.fnUntraced(function*(own: ReadonlyArray<PartedSequence>, parts: number) {
    const { data: { branches, ids, positions }, shape: { length, rows } } = pack(own, {
      rows: powerOfTwo(own.length),
      all: false,
      padding,
      most
    })
    const watched = powerOfTwo(Math.max(...own.map(({ supervised }) => supervised.length)))
    const shape: Shape = [rows, length, watched, parts]
    const feeds = { ids, positions, branches, ...watchedOf(own, shape) }
    const { mass } = yield* program(shape, { ...weights.values(), ...feeds })
    return own.map((_, r) => Float32Array.from({ length: parts }, (_, k) => mass![r * parts + k]!))
  })

  return Effect.fnUntraced(function*(all: ReadonlyArray<PartedSequence>, counts: ReadonlyArray<number>) {
    const found: Array<Float32Array> = all.map(() => new Float32Array(0))
    const order = [...all.keys()].filter((i) => counts[i]! > 0)
      .toSorted((a, b) => counts[a]! - counts[b]! || all[b]!.ids.length - all[a]!.ids.length || a - b)
    for (const parts of new Set(order.map((i) => counts[i]!))) {
      const alike = order.filter((i) => counts[i] === parts)
      const size = Math.max(1, Math.floor(TOKENS / all[alike[0]!]!.ids.length))
      for (const group of groupsOf(alike, 2 ** Math.floor(Math.log2(size)))) {
        const own = group.map((i) => all[i]!)
        const tokens = ([from, to]: Halving.Range) => powerOfTwo(to - from) * own[from]!.ids.length
        const masses = yield* halving.each(own.length, tokens, (range) => counted(own.slice(...range), parts))
        masses.flat().forEach((mass, r) => found[group[r]!] = mass)
      }
    }
    return found
  })
})
