/** Lessons as batches for the programs of training steps. */
import * as Effect from "effect/Effect"
import type { SessionError } from "../engine/Session.ts"
import type { AnyLesson, LanguageModelLesson, PreferenceLesson, TokenLesson } from "../ports/LanguageModel.ts"
import type { PromptError } from "./chatTokens.ts"
import type { Look } from "./features.ts"
import { pack, type PackOptions } from "./pack.ts"
import type { Sequence, Sequences } from "./sequences.ts"

/** Shape of a step: of tokens, or of pairs. */
export type StepKey =
  | readonly [kind: "tokens", rows: number, length: number, supervised: number, features: number]
  | readonly [kind: "pairs", rows: number, length: number, supervised: number, features: number, pairs: number]

/** A micro-batch: its shape, and the program's inputs besides the weights and the dropout key. */
export interface Batch {
  readonly key: StepKey
  readonly batch: Readonly<Record<string, Int32Array | Float32Array>>
  readonly own: ReadonlyArray<Sequence>
  readonly places: ReadonlyArray<Int32Array>
}

/** How lessons become batches. */
export interface LessonOptions extends Pick<PackOptions, "padding" | "most"> {
  readonly sequences: Pick<Sequences, "one" | "row">
  /** Has the features of sequences' pictures at hand. */
  readonly look: (sequences: ReadonlyArray<Sequence>) => Effect.Effect<Look | undefined, PromptError | SessionError>
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
) =>
  Effect.map(o.look(all), (look): Sequenced => ({
    items: all.length,
    batch: ([from, to], least) => {
      const own = all.slice(from, to)
      const { padding, most } = o
      const { data, places, shape } = pack(own, { rows: own.length, all: every, of, least, padding, most, look })
      const { features, length, rows, supervised } = shape
      return { key: ["tokens", rows, length, supervised, features?.rows ?? 0], batch: data, own, places }
    }
  }))

const ofPrompts = ({ continuations, prompts }: LanguageModelLesson, o: LessonOptions) =>
  Effect.flatMap(
    Effect.forEach(prompts, (prompt, p) => o.sequences.one(prompt, continuations[p]!, o.lm)),
    (all) => plain(all, o, { every: o.lm > 0, of: all.length })
  )

const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((total, one) => total + one, 0)

/** Weights sum to 1 over the update: those of all learned tokens, or of examples with equal weights. */
const ofTokens = ({ average, rows }: TokenLesson, o: LessonOptions) => {
  const tokens = rows.reduce((n, { learned }) => n + sum(learned), 0)
  const examples = rows.reduce((n, { starts }) => n + starts.length, 0)
  const weigh = average === "token" ? () => 1 / tokens : (learned: number) => 1 / (examples * Math.max(1, learned))
  return Effect.flatMap(
    Effect.forEach(rows, (row) => o.sequences.row(row, weigh)),
    (all) => plain(all, o, { every: false, of: 1 })
  )
}

/** One of the two matrices that sum likelihoods by pair: [pairs, supervised]. */
const membership = (places: ReadonlyArray<Int32Array>, supervised: number): Float32Array => {
  const matrix = new Float32Array(places.length * supervised)
  places.forEach((own, pair) => own.forEach((place) => matrix[pair * supervised + place] = 1))
  return matrix
}

const ofPairs = Effect.fnUntraced(function*({ pairs, reference }: PreferenceLesson, o: LessonOptions) {
  const all = yield* Effect.forEach(pairs, (pair) => Effect.forEach(pair, (row) => o.sequences.row(row, () => 0)))
  const look = yield* o.look(all.flat())
  const chosenTokens = all.reduce((n, [chosen]) => n + chosen!.supervised.length, 0)
  return {
    items: pairs.length,
    batch: ([from, to], least) => {
      const own = all.slice(from, to)
      const rows = own.flat()
      const { padding, most } = o
      const { data, places, shape } = pack(rows, { rows: rows.length, all: false, least, padding, most, look })
      const side = (which: number) => membership(places.filter((_, r) => r % 2 === which), shape.supervised)
      const { branches, ids, positions, rows: at, targets } = data
      const batch = {
        ids,
        positions,
        branches,
        rows: at,
        targets,
        ...(data.features && data.places ? { features: data.features, places: data.places } : {}),
        ofChosen: side(0),
        ofRejected: side(1),
        reference: reference.slice(2 * from, 2 * to),
        counts: Float32Array.from(rows, ({ supervised }) => supervised.length),
        shares: Float32Array.of(1 / pairs.length, 1 / chosenTokens)
      }
      const { features, length, supervised } = shape
      const key = ["pairs", shape.rows, length, supervised, features?.rows ?? 0, own.length] as const
      return { key, batch, own: rows, places }
    }
  } satisfies Sequenced as Sequenced
})

/** The sequences of a lesson; fails if a prompt does not fit, or a picture cannot be read. */
export const sequenced = (
  lesson: AnyLesson,
  o: LessonOptions
): Effect.Effect<Sequenced, PromptError | SessionError> => {
  if ("prompts" in lesson) return ofPrompts(lesson, o)
  return "rows" in lesson ? ofTokens(lesson, o) : ofPairs(lesson, o)
}
