/** Questions as the stream of batches a run studies: which, in what order, from which step on. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Frame from "../domain/Frame.ts"
import * as Key from "../domain/Key.ts"
import { isAnswered, type Passage, type QuestionRecord, rightAnswers } from "../domain/records/Records.ts"
import { Question } from "../domain/tables.ts"

export type QuestionFrame = Frame.Frame<typeof Question>

/** The questions of an epoch, in a fixed order. */
export type Epochs = (epoch: number) => ReadonlyArray<QuestionRecord>

/** A batch of records as rows; `row` finds a passage by id. */
export const frame = (
  records: ReadonlyArray<QuestionRecord>,
  step: number,
  row: (id: string) => number
): QuestionFrame =>
  Frame.make(records.length, Question, {
    step: new Int32Array(records.length).fill(step),
    qid: records.map((q) => q.id),
    question: records.map((q) => q.question),
    answer: records.map((q) => q.answer),
    options: records.map((q) => q.options),
    answerIndex: Int32Array.from(records, (q) => q.answerIndex),
    gold: records.map((q) => Int32Array.from(q.gold, row).filter((doc) => doc >= 0))
  })

/**
 * Batches of steps from..to-1, each of `size` questions. Epochs follow each other in one sequence, each in an order of
 * its own drawn under the seed, so that every batch is full and depends on its step alone.
 */
export const batches = (
  epochs: Epochs,
  options: { readonly from: number; readonly to: number; readonly size: number; readonly seed: number },
  row: (id: string) => number
): Stream.Stream<QuestionFrame> => {
  const { from, seed, size, to } = options
  const count = epochs(0).length
  let cached = { epoch: -1, records: epochs(0), order: Int32Array.of() as Int32Array }
  const at = (position: number): QuestionRecord => {
    const epoch = Math.floor(position / count)
    if (cached.epoch !== epoch) {
      const order = Key.permutation(Key.fold(Key.make(seed), "epoch", epoch), count)
      cached = { epoch, records: epochs(epoch), order }
    }
    return cached.records[cached.order[position % count]!]!
  }
  const batch = (step: number) => frame(Array.from({ length: size }, (_, i) => at(step * size + i)), step, row)
  return Stream.range(from, to - 1).pipe(Stream.rechunk(1), Stream.mapEffect((step) => Effect.sync(() => batch(step))))
}

/** Every question once, in order, `size` at a time. */
export const once = (
  records: ReadonlyArray<QuestionRecord>,
  size: number,
  row: (id: string) => number
): Stream.Stream<QuestionFrame> =>
  Stream.range(0, Math.ceil(records.length / size) - 1).pipe(
    Stream.rechunk(1),
    Stream.mapEffect((i) => Effect.sync(() => frame(records.slice(i * size, (i + 1) * size), i, row)))
  )

/** The questions of those groups that a key draws with probability `share`, or of all others. */
export const heldOut = (
  records: ReadonlyArray<QuestionRecord>,
  share: number,
  seed: number,
  held: boolean
): ReadonlyArray<QuestionRecord> =>
  records.filter(({ group }) => Key.uniform(Key.fold(Key.make(seed), "holdout", group), 0) < share === held)

/**
 * Wrong options drawn by key from the right answers of other questions of the same type, then, where those do not
 * suffice, the given ones; the right one stays in its place.
 */
export const withRandomOptions = (
  records: ReadonlyArray<QuestionRecord>,
  seed: number
): ReadonlyArray<QuestionRecord> => {
  const answers = Map.groupBy(records.filter(isAnswered), (q) => q.type)
  return records.map((q) => {
    if (!isAnswered(q)) return q
    const right = new Set(rightAnswers(q))
    const pool = [...new Set(answers.get(q.type)!.map((other) => other.answer))].filter((answer) => !right.has(answer))
    const order = Key.permutation(Key.fold(Key.make(seed), "options", q.id), pool.length)
    const drawn = [...order.subarray(0, q.options.length)].map((i) => pool[i]!)
    const wrong = [...new Set([...drawn, ...q.options.filter((option) => !right.has(option))])]
    /** The one in the right answer's place is spare. */
    const instead = (option: string, i: number) => wrong[i] ?? wrong[q.answerIndex] ?? option
    return { ...q, options: q.options.map((option, i) => i === q.answerIndex ? option : instead(option, i)) }
  })
}

/** For each word, the log of how many times fewer passages hold it than there are. */
const rarity = (passages: ReadonlyArray<Passage>): ReadonlyMap<string, number> => {
  const holders = new Map<string, number>()
  for (const { text } of passages) {
    for (const word of new Set(text.split(/\s+/))) holders.set(word, (holders.get(word) ?? 0) + 1)
  }
  return new Map([...holders].map(([word, count]) => [word, Math.log(passages.length / count)]))
}

/** The `count` places of greatest log weight + Gumbel noise, in rising order: a weighted draw without replacement. */
const drawPlaces = (weights: ReadonlyArray<number>, count: number, key: Key.Key): ReadonlyArray<number> => {
  const noisy = weights.map((weight, i) => Math.log(weight) + Key.gumbel(key, i))
  return [...weights.keys()].toSorted((a, b) => noisy[b]! - noisy[a]!).slice(0, count).toSorted((a, b) => a - b)
}

/**
 * Self-supervision for a retriever: each passage asked for by 2 to 6 of its own words, drawn by their rarity and in
 * their order, among 0 to 6 that it need not contain; other ones every epoch.
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
 * Passages of words drawn from the corpus by key, one for each of its own: nothing but the passage itself tells how a
 * part of it goes on, so a reader that is to continue it has to learn to copy.
 */
export const scrambled = (passages: ReadonlyArray<Passage>, length: number, seed: number): ReadonlyArray<Passage> => {
  const words = [...new Set(passages.flatMap(({ text }) => text.split(/\s+/)))]
  return passages.map(({ id }) => {
    const key = Key.fold(Key.make(seed), "scrambled", id)
    return { id, text: Array.from({ length }, (_, i) => words[Key.integer(key, i, words.length)]).join(" ") }
  })
}

/**
 * Self-supervision for a reader: each passage asked to go on after some of its own words, 2 to 5 of them, with the next
 * 1 to 6; other ones every epoch. Short passages leave at least a word to go on with.
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
