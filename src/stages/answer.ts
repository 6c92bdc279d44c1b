/** Answer: the reader's choice given the best passages. Nothing is sampled, nothing is trained. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { freeAnswer, optionOf } from "../domain/answers/chosenOption.ts"
import type { Chat } from "../domain/Content.ts"
import * as Frame from "../domain/Frame.ts"
import type { Generation } from "../domain/settings/generation.ts"
import { Answer, Candidates, Question } from "../domain/tables.ts"
import { LanguageModel } from "../runtime/ports/LanguageModel.ts"
import { answersOf, ask, type Asked, type PromptOptions, readPassages, toAnswer, toExplain } from "./prompt.ts"
import * as Stage from "./Stage.ts"

/** How questions are answered. */
export type AnswerOptions =
  & PromptOptions
  & Pick<Generation, "answer_by" | "max_new_tokens" | "option_end" | "option_score" | "rationale_max_new_tokens">

/** Of `n` candidates per row, best first, the `c` best, best last; padded with -1 in front if there are fewer. */
export const supportOf = (docs: Int32Array, n: number, c: number): Int32Array =>
  Int32Array.from({ length: docs.length / n * c }, (_, i) => {
    const place = c - 1 - i % c
    return place < n ? docs[Math.floor(i / c) * n + place]! : -1
  })

/**
 * An answer: its text, the index of its option, and the generated text it was read from, which is empty if nothing was
 * generated or it equals the answer. The index is -1 if the answer is free text or if the generated text names no
 * option. If the question was too long to ask (`excess_length: skip`), it is -1 and the text is empty.
 */
export interface Chosen {
  readonly index: number
  readonly text: string
  readonly written: string
  /** Of each option, if they were scored. */
  readonly nll?: Float32Array
}

/**
 * Progress of questions, in this order: answers are written, chosen, explained. Events of several questions may
 * interleave.
 */
export type Event =
  & { readonly row: number }
  & (
    | { readonly _tag: "Written" | "Explained"; readonly text: string }
    | { readonly _tag: "Chosen"; readonly chosen: Chosen }
  )

/** Reads generated text as an answer: the option it names, or its free answer. */
export const understood = (said: string, options: ReadonlyArray<string>, o: PromptOptions): Chosen => {
  const index = optionOf(said, options, o.answer_format)
  const text = options[index] ?? (options.length === 0 ? freeAnswer(said) : said)
  return { index, text, written: options.length > 0 || text !== said ? said : "" }
}

/** The most likely option; none if the question was not asked. */
const likeliest = (nll: Float32Array, options: ReadonlyArray<string>): Chosen => {
  const index = nll.indexOf(Math.min(...nll))
  return { index, text: options[index] ?? "", written: "", nll }
}

interface Prompted extends Asked {
  readonly row: number
  readonly prompt: Chat
}

/** Whether to generate the answer; otherwise the most likely option is chosen. */
const isWritten = (o: AnswerOptions, { options }: Asked): boolean =>
  o.answer_by === "generation" || options.length === 0

const chosen = (row: number, chosen: Chosen): Event => ({ _tag: "Chosen", row, chosen })

const byLikelihood = (o: AnswerOptions, asked: ReadonlyArray<Prompted>) =>
  Effect.gen(function*() {
    const reader = yield* LanguageModel
    const answers = asked.map((own) => answersOf(o, own))
    const scores = yield* reader.rank(asked.map(({ prompt }) => prompt), answers, o.option_score, o.option_end)
    return asked.map(({ options, row }, i) => chosen(row, likeliest(scores[i]!, options)))
  })

const write = (
  tag: "Written" | "Explained",
  prompts: ReadonlyArray<readonly [row: number, Chat]>,
  max_new_tokens: number
) =>
  Stream.unwrap(
    Effect.map(LanguageModel, (reader) =>
      Stream.map(
        reader.write(prompts.map(([, prompt]) => prompt), { max_new_tokens }),
        ({ row, text }): Event => ({
          _tag: tag,
          row: prompts[row]![0],
          text
        })
      ))
  )

const inWriting = (o: AnswerOptions, asked: ReadonlyArray<Prompted>) => {
  const said = new Map(asked.map(({ row }) => [row, ""]))
  const prompts = asked.map(({ prompt, row }) => [row, toAnswer(o, prompt)] as const)
  return write("Written", prompts, o.max_new_tokens).pipe(
    Stream.tap((event) =>
      Effect.sync(() => void (event._tag === "Written" && said.set(event.row, said.get(event.row)! + event.text)))
    ),
    Stream.concat(
      Stream.suspend(() =>
        Stream.fromIterable(asked.map(({ options, row }) => chosen(row, understood(said.get(row)!.trim(), options, o))))
      )
    )
  )
}

/** Generates explanations of the answers, if the settings ask for them; unanswered questions get none. */
const explained = (o: AnswerOptions, asked: ReadonlyArray<Prompted>, answers: ReadonlyMap<number, string>) => {
  if (o.rationale_prompt === "") return Stream.empty
  const prompts = asked.flatMap((own) => {
    const answer = answers.get(own.row) ?? ""
    return answer === "" ? [] : [[own.row, toExplain(o, own.prompt, own, answer)] as const]
  })
  return write("Explained", prompts, o.rationale_max_new_tokens)
}

/** Questions with the passages to answer them from, [rows, c], best last. */
export interface ToAnswer {
  readonly questions: ReadonlyArray<string>
  /** References of their pictures, "" for none. */
  readonly images: ReadonlyArray<string>
  readonly options: ReadonlyArray<ReadonlyArray<string>>
  readonly support: Int32Array
}

/** Answers questions as a stream of events. */
export const answering = (o: AnswerOptions) => ({ images, options, questions, support }: ToAnswer) =>
  Stream.unwrap(Effect.gen(function*() {
    const passages = yield* readPassages(support)
    const c = support.length / questions.length
    const asked = questions.map((question, row): Prompted => {
      const own = { question, options: options[row]!, image: images[row]! }
      return { row, ...own, prompt: ask(o, passages(support.subarray(row * c, (row + 1) * c)), own) }
    })
    const answers = new Map<number, string>()
    const scored = yield* byLikelihood(o, asked.filter((own) => !isWritten(o, own)))
    return Stream.fromIterable(scored).pipe(
      Stream.concat(inWriting(o, asked.filter((own) => isWritten(o, own)))),
      Stream.tap((event) =>
        Effect.sync(() => void (event._tag === "Chosen" && answers.set(event.row, event.chosen.text)))
      ),
      Stream.concat(Stream.suspend(() => explained(o, asked, answers)))
    )
  }))

const answersOfEvents = (events: Iterable<Event>, rows: number) => {
  const [picked, reasons] = [Array<Chosen>(rows), Array<string>(rows).fill("")]
  for (const event of events) {
    if (event._tag === "Chosen") picked[event.row] = event.chosen
    else if (event._tag === "Explained") reasons[event.row] += event.text
  }
  return {
    prediction: picked.map(({ text }) => text),
    predictionIndex: Int32Array.from(picked, ({ index }) => index),
    written: picked.map(({ written }, r) => [written, reasons[r]!.trim()].filter(Boolean).join("\n")),
    optionNll: picked.map(({ nll }) => nll ?? new Float32Array(0))
  }
}

/** Answers from the `c` best of `n` candidates, which are ordered best first; the reader gets the best last. */
export const answer = (n: number, c: number, o: AnswerOptions) =>
  Stage.make("answer", {
    needs: { ...Question, docs: Candidates(n).docs },
    adds: Answer(c),
    run: Effect.fnUntraced(function*(rows) {
      const support = supportOf(Frame.column(rows, "docs"), n, c)
      const [questions, options] = [Frame.column(rows, "question"), Frame.column(rows, "options")]
      const images = Frame.column(rows, "image")
      const events = yield* Stream.runCollect(answering(o)({ questions, images, options, support }))
      return { ...answersOfEvents(events, rows.rows), support }
    })
  })
