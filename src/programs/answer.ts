/** Program: answers questions, with their supporting passages. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Batches from "../datasets/batches.ts"
import * as Frame from "../domain/Frame.ts"
import type { QuestionRecord } from "../domain/records/Records.ts"
import { ConfigError } from "../domain/settings/configure.ts"
import type { RunConfig } from "../domain/settings/RunConfig.ts"
import { Corpus, distinct } from "../runtime/ports/Corpus.ts"
import type { Event } from "../stages/answer.ts"
import { modeOf } from "../systems/all.ts"
import { evalBatch } from "./costs/evalBatch.ts"
import { fitting } from "./preflight.ts"
import { rowsOf } from "./training/course.ts"

/** A question with its answer. */
export interface Answered {
  readonly id: string
  readonly question: string
  readonly options: ReadonlyArray<string>
  readonly answer: string
  /** Generated text besides the answer: the text an option was read from, or an explanation. */
  readonly written: string
  /** The supporting passages, best first. */
  readonly passages: ReadonlyArray<{ readonly id: string; readonly text: string }>
}

/** A question as users ask it: only its text and, optionally, its options and its picture are known. */
export const asked = (
  id: string,
  question: string,
  options: ReadonlyArray<string>,
  image?: string | undefined
): QuestionRecord => ({
  id,
  question,
  options,
  answer: "",
  answerIndex: -1,
  gold: [],
  group: id,
  type: "",
  ...(image === undefined ? {} : { image })
})

/** The questions of a command that can be asked; fails if there are none. */
export const answerable = Effect.fnUntraced(function*(c: RunConfig, records: ReadonlyArray<QuestionRecord>) {
  const fail = (problem: string) => new ConfigError({ source: "answer", problems: [problem] })
  if (records.length === 0) return yield* fail("a question, or --questions FILE, is needed")
  const blank = records.find(({ options, question }) => [question, ...options].some((text) => text.trim() === ""))
  if (blank) return yield* fail(`question ${blank.id} or one of its options is blank`)
  return yield* fitting(c, "answer", "answer", records)
})

type Found = Answered["passages"]

/** The passages of each row, best first, from a block with `c` per row, best last. */
const passagesOf = Effect.fnUntraced(function*(support: Int32Array, c: number) {
  const found = yield* distinct(support)
  return Array.from(
    { length: support.length / c },
    (_, r): Found =>
      Array.from(support.subarray(r * c, (r + 1) * c)).toReversed().flatMap((doc) => found.get(doc) ?? [])
  )
})

/** Number of passages to rank for an answer. */
const ranked = (c: RunConfig, passages: number): number => Math.min(modeOf(c).candidates, passages)

/** Answers in question order, computed `per_device_eval_batch_size` at a time. */
export const answerAll = (c: RunConfig, records: ReadonlyArray<QuestionRecord>) =>
  Stream.unwrap(Effect.gen(function*() {
    const corpus = yield* Corpus
    const stage = modeOf(c).answering(ranked(c, corpus.size)).stage
    const size = yield* evalBatch(c)
    const answered = Effect.fnUntraced(function*(questions: Batches.QuestionFrame, batch: number) {
      const rows = yield* stage.run(questions)
      const [predictions, support] = [Frame.column(rows, "prediction"), Frame.column(rows, "support")]
      const written = Frame.column(rows, "written")
      const passages = yield* passagesOf(support, support.length / rows.rows)
      return records.slice(batch * size, (batch + 1) * size).map(({ id, options, question }, r): Answered => ({
        id,
        question,
        options,
        answer: predictions[r]!,
        written: written[r]!,
        passages: passages[r]!
      }))
    })
    return Batches.once(records, size, rowsOf(c, corpus)).pipe(
      Stream.zipWithIndex,
      Stream.mapEffect(([questions, batch]) => answered(questions, batch)),
      Stream.flattenIterable
    )
  }))

const choice = (options: ReadonlyArray<string>, answer: string): ReadonlyArray<string> => [
  ...options.map((option) => `  ${option === answer ? "→" : " "} ${option}`),
  ...(options.length === 0 || options.includes(answer) ? [] : ["  → none of them can be told from this"])
]
const sources = (passages: Found): ReadonlyArray<string> => passages.map(({ id, text }) => `    [${id}] ${text}`)

/** An answer formatted for people. */
export const show = ({ answer, options, passages, question, written }: Answered): string =>
  [
    question,
    ...(options.length === 0 ? [`  → ${answer}`] : choice(options, answer)),
    ...(written === "" ? [] : [`  ${written}`]),
    ...sources(passages)
  ].join("\n")

/** Output for a question while it is answered, event by event; generated text is printed as it streams. */
const lines = (options: ReadonlyArray<string>) => {
  let writing: Event["_tag"] | undefined
  let line = ""
  const close = (): string => {
    const end = writing === undefined ? "" : "\n"
    writing = undefined
    line = ""
    return end
  }
  const open = (tag: Event["_tag"]): string => {
    if (writing === tag) return ""
    const end = close()
    writing = tag
    return `${end}${tag === "Written" && options.length === 0 ? "  → " : "  "}`
  }
  const event = (own: Event): string => {
    if (own._tag === "Chosen") {
      const nothing = options.length === 0 && writing === undefined ? open("Written") : ""
      return nothing + close() + choice(options, own.chosen.text).map((text) => `${text}\n`).join("")
    }
    const begun = open(own._tag)
    const text = line === "" ? own.text.trimStart() : own.text
    line += text
    return begun + text
  }
  return { event, close }
}

/** The output of `show` for one question, streamed as the reader generates it. */
export const telling = (c: RunConfig, { id, image, options, question }: QuestionRecord) =>
  Stream.unwrap(Effect.gen(function*() {
    const corpus = yield* Corpus
    const frame = Batches.frame([asked(id, question, options, image)], 0, rowsOf(c, corpus))
    const { events, support } = yield* modeOf(c).answering(ranked(c, corpus.size)).tell(frame)
    const [found] = yield* passagesOf(support, support.length)
    const below = sources(found!).map((text) => `${text}\n`)
    const { close, event } = lines(options)
    return Stream.make(`${question}\n`).pipe(
      Stream.concat(Stream.map(events, event)),
      Stream.concat(Stream.suspend(() => Stream.make(close(), ...below)))
    )
  }))
