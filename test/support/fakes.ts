/**
 * Ports in memory, with behaviour of their own: a retriever that scores a passage by the words it shares with the
 * question, each word by a weight it learns; a language model that is the less surprised by a text the more of it it has read.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { fromRecords } from "../../src/datasets/dataset.ts"
import { type Chat, type Content, textOf, textsIn } from "../../src/domain/Content.ts"
import { TopK } from "../../src/domain/topK.ts"
import { checkRow, Corpus } from "../../src/runtime/ports/Corpus.ts"
import { LanguageModel, LanguageModelLearner, type LanguageModelLesson } from "../../src/runtime/ports/LanguageModel.ts"
import { type Objective, Retriever, RetrieverLearner, type RetrieverLesson } from "../../src/runtime/ports/Retriever.ts"

const words = (text: string): ReadonlySet<string> => new Set(text.toLowerCase().match(/[a-z0-9]+/g) ?? [])
const shared = (a: string, b: string): ReadonlyArray<string> => [...words(a)].filter((word) => words(b).has(word))

/** What was asked of the ports, in order. */
export interface Calls {
  readonly searched: Array<ReadonlyArray<string>>
  readonly retrieverLessons: Array<RetrieverLesson>
  readonly readerLessons: Array<LanguageModelLesson>
  /** The passages of each prompt whose attention was asked for. */
  readonly attended: Array<ReadonlyArray<string>>
}

const rowOf = (block: Int32Array, rows: number, r: number): Int32Array =>
  block.subarray(r * block.length / rows, (r + 1) * block.length / rows)

/** By how much the first outranks each of the others beyond what it should. */
const excess = (wanted: Float32Array, scores: ReadonlyArray<number>, q: number): ReadonlyArray<number> =>
  scores.slice(1).map((score, i) => {
    const [first, other] = [wanted[q * scores.length]!, wanted[q * scores.length + i + 1]!]
    return scores[0]! - score - (first - other)
  })

/** Σ over pairs of softplus(s_j - s_i), the cross-entropy with the target, or the square of margins: the objectives' losses. */
const lossOf = (objective: Objective, scores: ReadonlyArray<number>, q: number): number => {
  if (objective._tag === "Listwise") {
    const total = Math.log(scores.reduce((sum, s) => sum + Math.exp(s), 0))
    return scores.reduce((sum, s, i) => sum - objective.target[q * scores.length + i]! * (s - total), 0)
  }
  if (objective._tag === "Margins") {
    const off = excess(objective.scores, scores, q)
    return off.reduce((sum, x) => sum + x ** 2, 0) / off.length
  }
  if (objective._tag === "Reverse") {
    const total = Math.log(scores.reduce((sum, s) => sum + Math.exp(s), 0))
    return scores.reduce(
      (sum, s, i) => sum + Math.exp(s - total) * (s - total - objective.logTarget[q * scores.length + i]!),
      0
    )
  }
  const { m, weights } = objective
  let loss = 0
  for (let a = 0; a < m; a++) {
    for (let b = 0; b < m; b++) loss += weights[(q * m + a) * m + b]! * Math.log1p(Math.exp(scores[b]! - scores[a]!))
  }
  return loss
}

/** The downhill direction of that loss in the scores. */
const wishes = (objective: Objective, scores: ReadonlyArray<number>, q: number): ReadonlyArray<number> => {
  if (objective._tag === "Listwise") {
    const total = scores.reduce((sum, s) => sum + Math.exp(s), 0)
    return scores.map((s, i) => objective.target[q * scores.length + i]! - Math.exp(s) / total)
  }
  if (objective._tag === "Margins") {
    const off = excess(objective.scores, scores, q)
    return [-off.reduce((sum, x) => sum + x, 0), ...off]
  }
  if (objective._tag === "Reverse") {
    const total = Math.log(scores.reduce((sum, s) => sum + Math.exp(s), 0))
    const loss = lossOf(objective, scores, q)
    return scores.map((s, i) => -Math.exp(s - total) * (s - total - objective.logTarget[q * scores.length + i]! - loss))
  }
  const { m, weights } = objective
  const pull = (i: number, j: number) => weights[(q * m + i) * m + j]! / (1 + Math.exp(scores[i]! - scores[j]!))
  const judged = scores.map((_, i) => i).slice(0, m)
  return scores.map((_, i) => i < m ? judged.reduce((wish, j) => wish + pull(i, j) - pull(j, i), 0) : 0)
}

/** Weights of words as they were when the index was made. */
interface FakeIndex {
  readonly generation: number
  readonly weight: ReadonlyMap<string, number>
}

export const retriever = (texts: ReadonlyArray<string>, calls: Calls) => {
  const weight = new Map<string, number>()
  let index: FakeIndex | undefined
  const refresh = () => index = { generation: (index?.generation ?? 0) + 1, weight: new Map(weight) }
  const known = (query: string, doc: number) => {
    checkRow(doc, texts.length)
    return shared(query, texts[doc]!)
  }
  const scored = (by: ReadonlyMap<string, number>) => (query: string, doc: number): number =>
    known(query, doc).reduce((sum, word) => sum + (by.get(word) ?? 1), 0)
  const score = (query: string, doc: number): number => doc === -1 ? -Infinity : scored(weight)(query, doc)
  const search = (queries: ReadonlyArray<Content>, k: number) => {
    calls.searched.push(queries.map(textOf))
    const indexed = scored((index ?? refresh()).weight)
    const best = new TopK(queries.length, k)
    queries.forEach((query, q) => texts.forEach((_, doc) => best.offer(q, doc, indexed(textOf(query), doc))))
    return { docs: best.docs, scores: best.scores }
  }
  const learn = (lesson: RetrieverLesson) => {
    calls.retrieverLessons.push(lesson)
    const { docs, objective } = lesson
    const queries = lesson.queries.map(textOf)
    const own = queries.map((_, q) => [...rowOf(docs, queries.length, q)])
    const scores = own.map((some, q) => some.map((doc) => score(queries[q]!, doc)))
    own.forEach((some, q) => {
      wishes(objective, scores[q]!, q).forEach((wish, i) => {
        for (const word of known(queries[q]!, some[i]!)) weight.set(word, (weight.get(word) ?? 1) + 0.5 * wish)
      })
    })
    return Float32Array.from(scores, (own, q) => lossOf(objective, own, q))
  }
  const port = Retriever.of({
    search: (queries, k) => Effect.sync(() => search(queries, k)),
    score: (queries, docs) =>
      Effect.sync(() =>
        Float32Array.from(docs, (doc, i) => score(textOf(queries[Math.floor(i * queries.length / docs.length)]!), doc))
      ),
    refresh: Effect.sync(() => refresh().generation)
  })
  const learner = RetrieverLearner.of({
    groups: [],
    learn: (lesson) => Effect.sync(() => learn(lesson)),
    gate: ({ objective }) =>
      Effect.succeed(new Map([["retriever words", objective._tag === "Pairwise" ? objective.m : 1]]))
  })
  return Layer.succeedContext(Context.make(Retriever, port).pipe(Context.add(RetrieverLearner, learner)))
}

/** The passages of a chat, which give way in it. */
const readIn = (chat: Chat): string =>
  chat.map(({ content }) => textOf(textsIn(content).filter((part) => part.yields))).join("\n")

/** It writes the last line of what it is asked. */
const echo = (chat: Chat): string => textOf(chat.at(-1)!.content).trim().split("\n").at(-1)!

export const languageModel = (calls: Calls) => {
  const surprise = (chat: Chat, text: string): number => 1 / (1 + shared(text, readIn(chat)).length)
  const surprises = (prompts: ReadonlyArray<Chat>, continuations: ReadonlyArray<string>): Float32Array =>
    Float32Array.from(prompts, (chat, p) => surprise(chat, continuations[p]!))
  const port = LanguageModel.of({
    nll: (prompts, continuations) => Effect.sync(() => surprises(prompts, continuations)),
    attention: (prompts, continuations) =>
      Effect.sync(() =>
        prompts.map((chat, p) => {
          const parts = chat.flatMap(({ content }) => textsIn(content)).filter((part) => part.yields)
            .map(({ text }) => text)
          calls.attended.push(parts)
          return Float32Array.from(parts, (part) => shared(continuations[p]!, part).length)
        })
      ),
    rank: (prompts, continuations) =>
      Effect.sync(() => prompts.map((chat, p) => Float32Array.from(continuations[p]!, (text) => surprise(chat, text)))),
    logLikelihood: (texts) =>
      Effect.succeed(
        Float32Array.from(texts, ({ learned }) => -Array.from(learned).reduce((sum, one) => sum + one, 0))
      ),
    describe: (texts) => {
      const counts = () =>
        Float32Array.from(texts, ({ learned }) => Array.from(learned).reduce((sum, one) => sum + one, 0))
      return Effect.succeed({
        logLikelihood: counts().map((count) => -count),
        correct: counts(),
        entropy: counts(),
        logits: new Float32Array(texts.length)
      })
    },
    write: (prompts) =>
      Stream.fromIterable(prompts.map((chat, row) => ({ row, id: 0, text: echo(chat), finish: "eos" as const })))
  })
  const learner = LanguageModelLearner.of({
    groups: [],
    learn: (lesson) =>
      Effect.sync(() => {
        calls.readerLessons.push(lesson)
        return surprises(lesson.prompts, lesson.continuations)
      }),
    learnTokens: ({ rows }) => Effect.succeed({ loss: new Float32Array(rows.length) }),
    prefer: () => Effect.die("it is asked for no preference"),
    gate: (lesson) => Effect.succeed(new Map([["reader pages", "prompts" in lesson ? lesson.prompts.length : 0]]))
  })
  return Layer.succeedContext(Context.make(LanguageModel, port).pipe(Context.add(LanguageModelLearner, learner)))
}

const corpusOf = (texts: ReadonlyArray<string>) =>
  Layer.succeed(Corpus, fromRecords(texts.map((text, i) => ({ id: `p${i}`, text }))))

/** All four ports over a corpus, and it, and the record of what they were asked. */
export const ports = (texts: ReadonlyArray<string>) => {
  const calls: Calls = { searched: [], retrieverLessons: [], readerLessons: [], attended: [] }
  return { calls, layer: Layer.mergeAll(retriever(texts, calls), languageModel(calls), corpusOf(texts)) }
}
