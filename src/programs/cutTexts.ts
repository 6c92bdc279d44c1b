/** Estimates how many texts exceed a token limit, without tokenising all of them. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Corpus, CorpusError } from "../runtime/ports/Corpus.ts"

/** An upper bound on a text's tokens for any tokenizer: one per character for ASCII, otherwise one per byte. */
export const mostTokens = (text: string): number => 4 + text.length * (/^\p{ASCII}*$/u.test(text) ? 1 : 4)

/** Texts by index, with an upper bound on the tokens of each. */
export interface Texts<E> {
  readonly most: Int32Array
  readonly read: (places: ReadonlyArray<number>) => Effect.Effect<ReadonlyArray<string>, E>
}

/** Texts in memory. */
export const listed = (texts: ReadonlyArray<string>): Texts<never> => ({
  most: Int32Array.from(texts, mostTokens),
  read: (places) => Effect.succeed(places.map((place) => texts[place]!))
})

/** The passages of a corpus, in one pass. */
export const passagesOf = Effect.fnUntraced(function*({ all, read, size }: Corpus["Service"]) {
  const most = new Int32Array(size)
  let row = 0
  yield* Stream.runForEachArray(all, (some) =>
    Effect.sync(() => {
      for (const { text } of some) most[row++] = mostTokens(text)
    }))
  return {
    most,
    read: (rows) => Effect.map(read(rows), (passages) => passages.map(({ text }) => text))
  } satisfies Texts<CorpusError> as Texts<CorpusError>
})

/** Maximum number of texts to tokenise. */
const SAMPLE = 2000

/** At most `most` of `places` indices, evenly spaced. */
export const spread = (places: number, most: number): ReadonlyArray<number> => {
  const count = Math.min(places, most)
  return Array.from({ length: count }, (_, i) => Math.floor(i * places / count))
}

/** The share of texts that are truncated, according to `beyond`; estimated from a sample if there are many. */
export const share = Effect.fnUntraced(function*<E>(
  texts: Texts<E>,
  length: number,
  beyond: (text: string) => boolean
) {
  const long = texts.most.map((_, place) => place).filter((place) => texts.most[place]! > length)
  const looked = yield* texts.read(spread(long.length, SAMPLE).map((i) => long[i]!))
  const cut = looked.filter(beyond).length
  return {
    about: long.length > SAMPLE,
    cut: cut === 0 ? 0 : cut / looked.length * long.length / texts.most.length
  }
})
/** The share of texts that are truncated, and whether it is an estimate from a sample. */
export type Share = Effect.Success<ReturnType<typeof share>>
