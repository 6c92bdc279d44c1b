/** Self-supervised warm-ups from the corpus alone: for a retriever, and for a reader that learns to copy. */
import type { Epochs } from "../../datasets/batches.ts"
import * as Key from "../../domain/Key.ts"
import type { Passage } from "../../domain/records/Records.ts"

/** For each word, the log of the number of passages over the number that contain the word. */
const rarity = (passages: ReadonlyArray<Passage>): ReadonlyMap<string, number> => {
  const holders = new Map<string, number>()
  for (const { text } of passages) {
    for (const word of new Set(text.split(/\s+/))) holders.set(word, (holders.get(word) ?? 0) + 1)
  }
  return new Map([...holders].map(([word, count]) => [word, Math.log(passages.length / count)]))
}

/** Weighted draw without replacement: the `count` places of greatest log weight + Gumbel noise, in rising order. */
const drawPlaces = (weights: ReadonlyArray<number>, count: number, key: Key.Key): ReadonlyArray<number> => {
  const noisy = weights.map((weight, i) => Math.log(weight) + Key.gumbel(key, i))
  return [...weights.keys()].toSorted((a, b) => noisy[b]! - noisy[a]!).slice(0, count).toSorted((a, b) => a - b)
}

/**
 * Retriever warm-up: each passage's query is 2 to 6 of its own words, drawn by rarity and kept in order, after 0 to 6
 * random words; redrawn every epoch.
 */
export const lexical = (passages: ReadonlyArray<Passage>, seed: number): Epochs => {
  const rare = rarity(passages)
  const all = passages.flatMap(({ text }) => text.split(/\s+/))
  return (epoch) =>
    passages.map(({ id, text }) => {
      const key = Key.fold(Key.make(seed), "lexical", epoch, id)
      const words = text.split(/\s+/)
      const own = drawPlaces(words.map((word) => rare.get(word)!), 2 + Key.integer(key, 0, 5), Key.fold(key, "own"))
      const foreign = Array.from(
        { length: Key.integer(key, 1, 7) },
        (_, i) => all[Key.integer(key, i + 2, all.length)]!
      )
      const question = [...foreign, ...own.map((i) => words[i]!)].join(" ")
      return { id, question, options: [], answer: "", answerIndex: -1, gold: [id], group: id, type: "lexical" }
    })
}

/**
 * Passages of words drawn from the corpus by key, one for each original: only the passage itself tells how a span
 * continues, so a reader can continue the span only by copying.
 */
export const scrambled = (passages: ReadonlyArray<Passage>, length: number, seed: number): ReadonlyArray<Passage> => {
  const words = [...new Set(passages.flatMap(({ text }) => text.split(/\s+/)))]
  return passages.map(({ id }) => {
    const key = Key.fold(Key.make(seed), "scrambled", id)
    return { id, text: Array.from({ length }, (_, i) => words[Key.integer(key, i, words.length)]).join(" ") }
  })
}

/**
 * Reader warm-up: continue a span of 2 to 5 of a passage's own words with the next 1 to 6; redrawn every epoch. Short
 * passages keep at least one word to predict.
 */
export const cloze = (passages: ReadonlyArray<Passage>, seed: number): Epochs => (epoch) =>
  passages.map(({ id, text }) => {
    const key = Key.fold(Key.make(seed), "cloze", epoch, id)
    const words = text.split(/\s+/)
    const before = Math.max(1, Math.min(2 + Key.integer(key, 0, 4), words.length - 1))
    const after = 1 + Key.integer(key, 1, 6)
    const start = Key.integer(key, 2, Math.max(1, words.length - before - after + 1))
    const question = words.slice(start, start + before).join(" ")
    const answer = words.slice(start + before, start + before + after).join(" ")
    return { id, question, options: [], answer, answerIndex: -1, gold: [id], group: id, type: "cloze" }
  })
