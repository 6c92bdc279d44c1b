/** From what a reader can do, score options and write, to answers. */
import * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import { freeAnswer, optionOf } from "../../domain/answers/chosenOption.ts"
import type { Generation } from "../../domain/settings/generation.ts"
import type { Prompting } from "../../domain/settings/prompting.ts"
import { type Asked, type Chosen, textsOf, type Token, type ToWrite } from "../ports/Reader.ts"

type Contextual = Asked & { readonly context: Int32Array }

/** The passages of question `q` in a block of those of all. */
export const contextOf = ({ context, questions }: Contextual, q: number): Int32Array => {
  const width = context.length / questions.length
  return context.subarray(q * width, (q + 1) * width)
}

/** Some of the questions, by place. */
const pick = (asked: Contextual, places: ReadonlyArray<number>): Contextual => ({
  questions: places.map((q) => asked.questions[q]!),
  options: places.map((q) => asked.options[q]!),
  context: Int32Array.from(places.flatMap((q) => [...contextOf(asked, q)]))
})

/** What a reader can do. */
export interface Answering<E> {
  /** The place of the likeliest option of each question, which has some; -1 where it was not asked. */
  readonly likeliest: (asked: Contextual) => Effect.Effect<ReadonlyArray<number>, E>
  readonly write: (asked: ToWrite) => Stream.Stream<Token, E>
}

/** What was written, as an answer: the option that it names, or the words that are the answer. */
const understood = (said: string, options: ReadonlyArray<string>, format: Prompting["answer_format"]) => {
  const index = optionOf(said, options, format)
  const text = options[index] ?? (options.length === 0 ? freeAnswer(said) : said)
  return { index, text, written: options.length > 0 || text !== said ? said : "" }
}

/** Answers by the likeliest option or by what is written, as the settings say. */
export const answering = <E>(
  { likeliest, write }: Answering<E>,
  { answer_by, answer_format }: Pick<Generation, "answer_by"> & Pick<Prompting, "answer_format">
) =>
  Effect.fnUntraced(function*(asked: Contextual) {
    const places = [...asked.questions.keys()]
    const isScored = (q: number) => answer_by === "likelihood" && asked.options[q]!.length > 0
    const scored = places.filter(isScored)
    const spoken = places.filter((q) => !isScored(q))
    const chosen = yield* likeliest(pick(asked, scored))
    const said = yield* textsOf(write(pick(asked, spoken)), spoken.length)
    const answers = new Map([
      ...scored.map((q, i) =>
        [q, { index: chosen[i]!, text: asked.options[q]![chosen[i]!] ?? "", written: "" }] as const
      ),
      ...spoken.map((q, i) => [q, understood(said[i]!, asked.options[q]!, answer_format)] as const)
    ])
    return {
      texts: places.map((q) => answers.get(q)!.text),
      indices: Int32Array.from(places, (q) => answers.get(q)!.index),
      written: places.map((q) => answers.get(q)!.written)
    } satisfies Chosen
  })
