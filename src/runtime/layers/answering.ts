/** From what a reader can do, score options and write, to answers. */
import * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import { optionOf } from "../../domain/extract.ts"
import type { RunConfig } from "../../domain/RunConfig.ts"
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

export interface Answering<E> {
  /** The place of the likeliest option of each question, which has some. */
  readonly likeliest: (asked: Contextual) => Effect.Effect<ReadonlyArray<number>, E>
  readonly write: (asked: ToWrite) => Stream.Stream<Token, E>
}

export const answering = <E>({ likeliest, write }: Answering<E>, by: RunConfig["answer_by"]) =>
  Effect.fnUntraced(function*(asked: Contextual) {
    const places = [...asked.questions.keys()]
    const scored = places.filter((q) => by === "likelihood" && asked.options[q]!.length > 0)
    const spoken = places.filter((q) => !scored.includes(q))
    const chosen = yield* likeliest(pick(asked, scored))
    const said = yield* textsOf(write(pick(asked, spoken)), spoken.length)
    const [best, own] = [new Map(scored.map((q, i) => [q, chosen[i]!])), new Map(spoken.map((q, i) => [q, said[i]!]))]
    const indices = Int32Array.from(places, (q) => best.get(q) ?? optionOf(own.get(q)!, asked.options[q]!))
    return {
      texts: places.map((q) => asked.options[q]![indices[q]!] ?? own.get(q)!),
      indices,
      written: places.map((q) => asked.options[q]!.length > 0 ? own.get(q) ?? "" : "")
    } satisfies Chosen
  })
