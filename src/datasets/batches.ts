/** Questions as streams of batches: their order, and the step to start from. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { TokenRecord } from "../domain/examples/tokens.ts"
import * as Frame from "../domain/Frame.ts"
import * as Key from "../domain/Key.ts"
import type { QuestionRecord } from "../domain/records/Records.ts"
import { Question, Reference, Row, Tokens } from "../domain/tables.ts"

/** Questions as rows, before any stage has run. */
export type QuestionFrame = Frame.Frame<typeof Question>

/** Training rows of any kind. */
export type RowFrame = Frame.Frame<typeof Row>

/** What is learned from: a question, or a row of tokens. */
export type TrainingRecord = QuestionRecord | TokenRecord

/** The questions of an epoch, in a fixed order. */
export type Epochs = (epoch: number) => ReadonlyArray<QuestionRecord>

/** The questions or the rows of tokens of an epoch, all of one kind, in a fixed order. */
export type RowEpochs = (epoch: number) => ReadonlyArray<TrainingRecord>

/** Options for turning records into rows. */
export interface Rows {
  /** Corpus row of a passage id; -1 if the id is unknown. */
  readonly row: (id: string) => number
  /** The retriever's query; the question itself, if omitted. */
  readonly query?: (record: QuestionRecord) => string
}

/** A batch of records as rows. */
export const frame = (
  records: ReadonlyArray<QuestionRecord>,
  step: number,
  { query = ({ question }) => question, row }: Rows
): QuestionFrame =>
  Frame.make(records.length, Question, {
    step: new Int32Array(records.length).fill(step),
    qid: records.map((q) => q.id),
    question: records.map((q) => q.question),
    query: records.map(query),
    image: records.map(({ image = "" }) => image),
    group: records.map((q) => q.group),
    answer: records.map((q) => q.answer),
    options: records.map((q) => q.options),
    answerIndex: Int32Array.from(records, (q) => q.answerIndex),
    explanation: records.map(({ explanation = "" }) => explanation),
    gold: records.map((q) => Int32Array.from(q.gold, row).filter((doc) => doc >= 0)),
    negatives: records.map(({ negatives = [] }) => Int32Array.from(negatives, row).filter((doc) => doc >= 0)),
    teacher: records.map(({ gold, negatives = [], scores }) => {
      const known = scores === undefined ? [] : [...gold, ...negatives].filter((id) => row(id) >= 0)
      return Float32Array.from(known, (id) => scores![id] ?? Number.NaN)
    })
  })

/** A batch of rows of tokens; of preferences, with their references. */
export const tokenFrame = (records: ReadonlyArray<TokenRecord>, step: number): RowFrame => {
  const lists = (name: "ids" | "starts" | "learned") => records.map((record) => Int32Array.from(record[name]))
  const rows = Frame.make(records.length, { ...Row, ...Tokens }, {
    step: new Int32Array(records.length).fill(step),
    qid: records.map(({ id }) => id),
    ids: lists("ids"),
    starts: lists("starts"),
    learned: lists("learned")
  })
  return records.some(({ reference }) => reference === undefined)
    ? rows
    : Frame.append(rows, Reference, { reference: Float32Array.from(records.flatMap(({ reference }) => reference!)) })
}

/** The batch of records that are all questions, or all rows of tokens. */
type FrameOf<R> = R extends QuestionRecord ? QuestionFrame : RowFrame

const isTokens = (record: TrainingRecord): record is TokenRecord => "ids" in record

const framed = <R extends TrainingRecord>(records: ReadonlyArray<R>, step: number, rows: Rows): FrameOf<R> =>
  ((records as ReadonlyArray<TrainingRecord>).every(isTokens)
    ? tokenFrame(records as ReadonlyArray<TokenRecord>, step)
    : frame(records as ReadonlyArray<QuestionRecord>, step, rows)) as FrameOf<R>

/** Which steps, how many questions a step, and how an epoch is ordered. */
interface BatchOptions {
  readonly from: number
  readonly to: number
  readonly size: number
  readonly seed: number
  /** Whether epochs stay in the order that they come in; by default it is drawn under the seed. */
  readonly ordered?: boolean
}

/**
 * Batches for steps from..to-1, `size` questions each. Epochs, of the same length, form one sequence, so every batch is full
 * and depends only on its step.
 */
export const batches = <R extends TrainingRecord>(
  epochs: (epoch: number) => ReadonlyArray<R>,
  options: BatchOptions,
  rows: Rows
): Stream.Stream<FrameOf<R>> => {
  const { from, ordered = false, seed, size, to } = options
  const count = epochs(0).length
  let cached = { epoch: -1, records: epochs(0), order: Int32Array.of() as Int32Array }
  const at = (position: number): R => {
    const epoch = Math.floor(position / count)
    if (cached.epoch !== epoch) {
      const order = ordered
        ? Int32Array.from({ length: count }, (_, i) => i)
        : Key.permutation(Key.fold(Key.make(seed), "epoch", epoch), count)
      cached = { epoch, records: epochs(epoch), order }
    }
    return cached.records[cached.order[position % count]!]!
  }
  const batch = (step: number) => framed(Array.from({ length: size }, (_, i) => at(step * size + i)), step, rows)
  return Stream.range(from, to - 1).pipe(Stream.rechunk(1), Stream.mapEffect((step) => Effect.sync(() => batch(step))))
}

/** All questions once, in order, `size` at a time. */
export const once = (
  records: ReadonlyArray<QuestionRecord>,
  size: number,
  rows: Rows
): Stream.Stream<QuestionFrame> =>
  Stream.range(0, Math.ceil(records.length / size) - 1).pipe(
    Stream.rechunk(1),
    Stream.mapEffect((i) => Effect.sync(() => frame(records.slice(i * size, (i + 1) * size), i, rows)))
  )
