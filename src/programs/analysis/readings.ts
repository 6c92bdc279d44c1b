/** What a run's reader answers given each of a question's passages alone, kept line by line. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Batches from "../../datasets/batches.ts"
import { isCorrect, normalise } from "../../domain/answers/correct.ts"
import * as Frame from "../../domain/Frame.ts"
import * as Key from "../../domain/Key.ts"
import type { QuestionRecord } from "../../domain/records/Records.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { Candidates } from "../../domain/tables.ts"
import * as LineFile from "../../runtime/files/lineFile.ts"
import { Corpus } from "../../runtime/ports/Corpus.ts"
import { modeOf } from "../../systems/all.ts"
import { rowsOf } from "../training/course.ts"

const Right = Schema.Array(Schema.Literals([0, 1]))
const Reading = Schema.Struct({
  /** Passages by id, in the order in which they were found, or drawn. */
  passages: Schema.Array(Schema.String),
  /** What each leads to: the option's index; of free answers, equal ones have equal numbers; -1 is no answer. */
  verdicts: Schema.Array(Schema.Int),
  right: Right,
  /** The answer's words. */
  said: Schema.Array(Schema.String),
  /** Negative log-likelihoods of the options, in nats; empty where they were not scored. */
  optionNll: Schema.Array(Schema.Array(Schema.Finite))
})

/** Readings of a question. */
export const Readings = Schema.Struct({
  id: Schema.String,
  /** Given each passage that the system found first. */
  found: Reading,
  /** Given each of as many random passages; empty if none were drawn. */
  random: Reading
})
/** A line of the file. */
export type Readings = typeof Readings.Type
type Reading = typeof Reading.Type

/** A question to read, with the rows of its passages. */
export interface ToRead {
  readonly record: QuestionRecord
  readonly found: ReadonlyArray<number>
  readonly random: ReadonlyArray<number>
}

/** `count` different rows of a corpus, drawn under a seed for a question; all of them if there are no more. */
export const drawnRows = (seed: number, id: string, count: number, size: number): ReadonlyArray<number> => {
  const key = Key.fold(Key.make(seed), "chance", id)
  const rows = new Set<number>()
  for (let i = 0; rows.size < Math.min(count, size); i++) rows.add(Key.integer(key, i, size))
  return [...rows]
}

/** Numbers for answers: the option's index, or of free answers a number for each that differs; -1 for none. */
const verdictsOf = ({ options }: QuestionRecord, said: ReadonlyArray<string>, indices: ReadonlyArray<number>) => {
  if (options.length > 0) return indices
  const words = said.map((text) => normalise(text) || text.trim().toLowerCase())
  const distinct = [...new Set(words.filter((own) => own !== ""))]
  return words.map((own) => distinct.indexOf(own))
}

/** The answers to questions given each of their passages alone, by the run's way of answering. */
const answersTo = Effect.fnUntraced(function*(c: RunConfig, pairs: ReadonlyArray<readonly [QuestionRecord, number]>) {
  const rows = Batches.frame(pairs.map(([record]) => record), 0, rowsOf(c, yield* Corpus))
  const docs = Int32Array.from(pairs, ([, row]) => row)
  const asked = Frame.append(rows, Candidates(1), { docs, docScore: new Float32Array(docs.length) })
  const answered = yield* modeOf(c).answering(1).alone.run(asked)
  const [said, indices] = [Frame.column(answered, "prediction"), Frame.column(answered, "predictionIndex")]
  const nll = Frame.column(answered, "optionNll")
  return pairs.map((_, i) => ({
    said: said[i]!,
    index: indices[i]!,
    nll: nll[i]!.every(Number.isFinite) ? Array.from(nll[i]!) : []
  }))
})
type Answers = Effect.Success<ReturnType<typeof answersTo>>

const readingOf = (record: QuestionRecord, passages: ReadonlyArray<string>, answers: Answers): Reading => {
  const said = answers.map((own) => own.said)
  return {
    passages,
    verdicts: verdictsOf(record, said, answers.map(({ index }) => index)),
    right: answers.map(({ index, said }) => isCorrect(record, said, index) ? 1 : 0),
    said,
    optionNll: answers.map(({ nll }) => nll)
  }
}

/** Reads a few questions. */
const readSome = Effect.fnUntraced(function*(c: RunConfig, questions: ReadonlyArray<ToRead>) {
  const { id } = yield* Corpus
  const pairs = questions.flatMap(({ found, random, record }) =>
    [...found, ...random].map((row) => [record, row] as const)
  )
  const answers = pairs.length === 0 ? [] : yield* answersTo(c, pairs)
  let at = 0
  const next = (record: QuestionRecord, rows: ReadonlyArray<number>) =>
    readingOf(record, rows.map(id), answers.slice(at, at += rows.length))
  return questions.map(({ found, random, record }): Readings => ({
    id: record.id,
    found: next(record, found),
    random: next(record, random)
  }))
})

/** Consecutive questions of at most `most` passages together, and of at least one question. */
const batchesOf = (questions: ReadonlyArray<ToRead>, most: number): ReadonlyArray<ReadonlyArray<ToRead>> => {
  const batches: Array<Array<ToRead>> = []
  let held = Infinity
  for (const own of questions) {
    const passages = own.found.length + own.random.length
    if (held + passages > most) {
      batches.push([])
      held = 0
    }
    batches.at(-1)!.push(own)
    held += passages
  }
  return batches
}

const decode = Schema.decodeUnknownSync(Readings)

/**
 * Reads the questions that a file does not have yet, about `most` passages at a time, and adds them to it; gives all
 * in the order of the questions. `told` is called with the number of questions done.
 */
export const readInto = Effect.fn("readInto")(function*<E = never, R = never>(
  path: string,
  c: RunConfig,
  questions: ReadonlyArray<ToRead>,
  most: number,
  told: (done: number) => Effect.Effect<void, E, R> = () => Effect.void
) {
  const kept = new Map<string, Readings>()
  const file = yield* LineFile.growingJson(path, {
    decode,
    see: (line) => void kept.set(line.id, line),
    reason: "is no line of readings; remove the file, and they are read again"
  })
  const missing = questions.filter(({ record }) => !kept.has(record.id))
  yield* Stream.fromIterable(batchesOf(missing, most)).pipe(
    Stream.runForEach(Effect.fnUntraced(function*(batch) {
      const lines = yield* readSome(c, batch)
      yield* file.add(lines.map((line) => JSON.stringify(line)))
      for (const line of lines) kept.set(line.id, line)
      yield* told(kept.size)
    }))
  )
  return questions.map(({ record }) => kept.get(record.id)!)
}, Effect.scoped)
