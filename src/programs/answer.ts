/** Program: questions answered, with the passages that the answers rest on. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Batches from "../datasets/batches.ts"
import { freeAnswer, optionOf } from "../domain/answers/chosenOption.ts"
import * as Frame from "../domain/Frame.ts"
import type { QuestionRecord } from "../domain/records/Records.ts"
import { ConfigError } from "../domain/settings/configure.ts"
import type { RunConfig } from "../domain/settings/RunConfig.ts"
import { Passages } from "../runtime/ports/Passages.ts"
import { Reader, type Token } from "../runtime/ports/Reader.ts"
import { supportOf } from "../stages/answer.ts"
import { retrieve } from "../stages/retrieve.ts"
import { modeOf } from "../systems/all.ts"
import { rowsOf } from "./course.ts"
import { fitting } from "./preflight.ts"

/** A question with its answer. */
export interface Answered {
  readonly id: string
  readonly question: string
  readonly options: ReadonlyArray<string>
  readonly answer: string
  /** What the reader wrote beside: the text that an option was taken from, an explanation. */
  readonly written: string
  /** Best first. */
  readonly passages: ReadonlyArray<{ readonly id: string; readonly text: string }>
}

/** A question as users ask it: nothing is known but its words and, maybe, its options. */
export const asked = (id: string, question: string, options: ReadonlyArray<string>): QuestionRecord => ({
  id,
  question,
  options,
  answer: "",
  answerIndex: -1,
  gold: [],
  group: id,
  type: ""
})

/** The questions of a command, as many of them as can be asked; refuses those that are none. */
export const answerable = Effect.fnUntraced(function*(c: RunConfig, records: ReadonlyArray<QuestionRecord>) {
  const fail = (problem: string) => new ConfigError({ source: "answer", problems: [problem] })
  if (records.length === 0) return yield* fail("a question, or --questions FILE, is needed")
  const blank = records.find(({ options, question }) => [question, ...options].some((text) => text.trim() === ""))
  if (blank) return yield* fail(`question ${blank.id} or one of its options is blank`)
  return yield* fitting(c, "answer", "answer", records)
})

type Found = Answered["passages"]

/** The passages of row `r`, best first, of a block that has them best last. */
const passagesOf = (support: Int32Array, r: number, c: number, { ids, texts }: Passages["Service"]): Found =>
  Array.from(support.subarray(r * c, (r + 1) * c)).toReversed()
    .filter((doc) => doc >= 0)
    .map((doc) => ({ id: ids[doc]!, text: texts[doc]! }))

/** Passages that are ranked for an answer. */
const ranked = (c: RunConfig, passages: number): number => Math.min(modeOf(c).candidates, passages)

/** Answers in the order of the questions, `per_device_eval_batch_size` of them made at a time. */
export const answerAll = (c: RunConfig, records: ReadonlyArray<QuestionRecord>) =>
  Stream.unwrap(Effect.gen(function*() {
    const passages = yield* Passages
    const stage = modeOf(c).answering(ranked(c, passages.ids.length))
    const size = c.per_device_eval_batch_size
    const answered = Effect.fnUntraced(function*(questions: Batches.QuestionFrame, batch: number) {
      const rows = yield* stage.run(questions)
      const [predictions, support] = [Frame.column(rows, "prediction"), Frame.column(rows, "support")]
      const written = Frame.column(rows, "written")
      return records.slice(batch * size, (batch + 1) * size).map(({ id, options, question }, r): Answered => ({
        id,
        question,
        options,
        answer: predictions[r]!,
        written: written[r]!,
        passages: passagesOf(support, r, support.length / rows.rows, passages)
      }))
    })
    return Batches.once(records, size, rowsOf(c, passages)).pipe(
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

/** An answer for people to read. */
export const show = ({ answer, options, passages, question, written }: Answered): string =>
  [
    question,
    ...(options.length === 0 ? [`  → ${answer}`] : choice(options, answer)),
    ...(written === "" ? [] : [`  ${written}`]),
    ...sources(passages)
  ].join("\n")

/** What was written, as an answer; where it names no option, all of it. */
const understood = (said: string, options: ReadonlyArray<string>, { answer_format }: RunConfig): string =>
  options.length === 0 ? freeAnswer(said) : options[optionOf(said, options, answer_format)] ?? said

/** A text on a line of its own, as it is written. */
const line = <E>(start: string, tokens: Stream.Stream<Token, E>, seen: (text: string) => void = () => undefined) => {
  let begun = false
  const fresh = Stream.map(tokens, ({ text }) => {
    const own = begun ? text : text.trimStart()
    begun ||= own !== ""
    seen(own)
    return own
  })
  return Stream.make(start).pipe(Stream.concat(fresh), Stream.concat(Stream.make("\n")))
}

/** What `show` shows of one question, as the reader writes it. */
export const telling = (c: RunConfig, { id, options, question }: QuestionRecord) =>
  Stream.unwrap(Effect.gen(function*() {
    const [passages, reader] = [yield* Passages, yield* Reader]
    const n = ranked(c, passages.ids.length)
    const width = Math.max(1, modeOf(c).context)
    const frame = Batches.frame([asked(id, question, options)], 0, rowsOf(c, passages))
    const context = supportOf(Frame.column(yield* retrieve({ n, rerank: false }).run(frame), "docs"), n, width)
    const one = { questions: [question], options: [options], context }
    const spoken = c.answer_by === "generation" || options.length === 0
    let said = ""
    const rest = Effect.gen(function*() {
      const answer = spoken ? understood(said.trim(), options, c) : (yield* reader.answer(one)).texts[0]!
      const chosen = choice(options, answer).map((text) => `${text}\n`)
      const reasons = c.rationale_prompt !== "" ? line("  ", reader.write({ ...one, explain: [answer] })) : Stream.empty
      const below = sources(passagesOf(context, 0, width, passages)).map((text) => `${text}\n`)
      return Stream.fromIterable(chosen).pipe(Stream.concat(reasons), Stream.concat(Stream.fromIterable(below)))
    })
    const start = options.length === 0 ? "  → " : "  "
    const writes = spoken ? line(start, reader.write(one), (text) => said += text) : Stream.empty
    return Stream.make(`${question}\n`).pipe(Stream.concat(writes), Stream.concat(Stream.unwrap(rest)))
  }))
