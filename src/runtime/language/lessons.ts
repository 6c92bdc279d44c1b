/** Lessons as batches for the programs of training steps. */
import * as Effect from "effect/Effect"
import type { AnyLesson, LanguageModelLesson, PreferenceLesson, TokenLesson } from "../ports/LanguageModel.ts"
import type { PromptError } from "./chatTokens.ts"
import { pack, type PackOptions } from "./pack.ts"
import { ofRow, type Sequence, type Sequences } from "./sequences.ts"

/** Shape of a step: of tokens, or of pairs. */
export type StepKey =
  | readonly [kind: "tokens", rows: number, length: number, supervised: number]
  | readonly [kind: "pairs", rows: number, length: number, supervised: number, pairs: number]

/** A micro-batch: its shape, and the program's inputs besides the weights and the dropout key. */
export interface Batch {
  readonly key: StepKey
  readonly batch: Readonly<Record<string, Int32Array | Float32Array>>
  readonly own: ReadonlyArray<Sequence>
  readonly places: ReadonlyArray<Int32Array>
}

/** How lessons become batches. */
export interface LessonOptions extends Pick<PackOptions, "padding" | "most"> {
  readonly sequences: Pick<Sequences, "one">
  /** Weight of the prompt's own loss. */
  readonly lm: number
}

/** Which of a lesson's items a micro-batch has. */
export type Range = readonly [from: number, to: number]

/** A lesson's items with their sequences: prompts, rows or pairs. */
export interface Sequenced {
  readonly items: number
  readonly batch: (range: Range, least?: PackOptions["least"]) => Batch
}

const plain = (
  all: ReadonlyArray<Sequence>,
  o: LessonOptions,
  { every, of }: { readonly every: boolean; readonly of: number }
): Sequenced => ({
  items: all.length,
  batch: ([from, to], least) => {
    const own = all.slice(from, to)
    const { data, places, shape } = pack(own, {
      rows: own.length,
      all: every,
      of,
      least,
      padding: o.padding,
      most: o.most
    })
    return { key: ["tokens", shape.rows, shape.length, shape.supervised], batch: data, own, places }
  }
})

const ofPrompts = ({ continuations, prompts }: LanguageModelLesson, o: LessonOptions) =>
  Effect.map(
    Effect.forEach(prompts, (prompt, p) => o.sequences.one(prompt, continuations[p]!, o.lm)),
    (all) => plain(all, o, { every: o.lm > 0, of: all.length })
  )

const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((total, one) => total + one, 0)

/** Weights sum to 1 over the update: those of all learned tokens, or of examples with equal weights. */
const ofTokens = ({ average, rows }: TokenLesson, o: LessonOptions): Sequenced => {
  const tokens = rows.reduce((n, { learned }) => n + sum(learned), 0)
  const examples = rows.reduce((n, { starts }) => n + starts.length, 0)
  const weigh = average === "token" ? () => 1 / tokens : (learned: number) => 1 / (examples * Math.max(1, learned))
  return plain(rows.map((row) => ofRow(row, weigh)), o, { every: false, of: 1 })
}

/** One of the two matrices that sum likelihoods by pair: [pairs, supervised]. */
const membership = (places: ReadonlyArray<Int32Array>, supervised: number): Float32Array => {
  const matrix = new Float32Array(places.length * supervised)
  places.forEach((own, pair) => own.forEach((place) => matrix[pair * supervised + place] = 1))
  return matrix
}

const ofPairs = ({ pairs, reference }: PreferenceLesson, o: LessonOptions): Sequenced => {
  const all = pairs.map((pair) => pair.map((row) => ofRow(row, () => 0)))
  const chosenTokens = all.reduce((n, [chosen]) => n + chosen!.supervised.length, 0)
  return {
    items: pairs.length,
    batch: ([from, to], least) => {
      const own = all.slice(from, to)
      const rows = own.flat()
      const { data, places, shape } = pack(rows, {
        rows: rows.length,
        all: false,
        least,
        padding: o.padding,
        most: o.most
      })
      const side = (which: number) => membership(places.filter((_, r) => r % 2 === which), shape.supervised)
      const { branches, ids, positions, rows: at, targets } = data
      const batch = {
        ids,
        positions,
        branches,
        rows: at,
        targets,
        ofChosen: side(0),
        ofRejected: side(1),
        reference: reference.slice(2 * from, 2 * to),
        counts: Float32Array.from(rows, ({ supervised }) => supervised.length),
        shares: Float32Array.of(1 / pairs.length, 1 / chosenTokens)
      }
      return { key: ["pairs", shape.rows, shape.length, shape.supervised, own.length], batch, own: rows, places }
    }
  }
}

/** The sequences of a lesson; fails if a prompt does not fit. */
export const sequenced = (lesson: AnyLesson, o: LessonOptions): Effect.Effect<Sequenced, PromptError> => {
  if ("prompts" in lesson) return ofPrompts(lesson, o)
  return Effect.sync(() => "rows" in lesson ? ofTokens(lesson, o) : ofPairs(lesson, o))
}
