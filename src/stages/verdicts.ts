/** Verdicts: what the reader says of each option given each passage alone, and one answer fused from them. */
import * as Effect from "effect/Effect"
import * as Frame from "../domain/Frame.ts"
import type { Generation } from "../domain/settings/generation.ts"
import { Answer, Candidates, ClassScores, Draw, Fused, Question, Weighted } from "../domain/tables.ts"
import { fused, fusionWeights } from "../domain/verdicts/fusion.ts"
import { labelScores } from "../domain/verdicts/labels.ts"
import { NO_CLASS, verdictOf } from "../domain/verdicts/utility.ts"
import { type Fusion, LanguageModel } from "../runtime/ports/LanguageModel.ts"
import type { AnswerOptions } from "./answer.ts"
import { writeFused } from "./fusedText.ts"
import { answerOf, answersOf, ask, type Asked, type PromptOptions, readPassages } from "./prompt.ts"
import * as Stage from "./Stage.ts"

/** How options are put to the reader, and how their tokens' likelihoods are reduced. */
export type VerdictOptions = PromptOptions & Pick<Generation, "option_end" | "option_score">

/** A question to be read with passages; `answer` is what is scored where there are no options. */
interface Read extends Required<Asked> {
  readonly answer: string
}

/**
 * Class scores of a question given a passage, kept while the reader does not change; make another when it has. At most `most`
 * pairs, those of the questions that were asked for last. It saves readings and changes no result.
 */
export class VerdictCache {
  private readonly kept = new Map<string, Map<number, Float32Array>>()
  private pairs = 0
  private readonly most: number

  constructor(most = 500_000) {
    this.most = most
  }

  /** Pairs at hand. */
  get size(): number {
    return this.pairs
  }

  /** The scores known of a question by passage, to which its others may be added by `keep`. */
  readonly of = (question: string): ReadonlyMap<number, Float32Array> => {
    const own = this.kept.get(question) ?? new Map<number, Float32Array>()
    this.kept.delete(question)
    this.kept.set(question, own)
    return own
  }

  readonly keep = (question: string, doc: number, scores: Float32Array): void => {
    const own = this.of(question) as Map<number, Float32Array>
    if (!own.has(doc)) this.pairs++
    own.set(doc, scores)
    for (const [oldest, { size }] of this.kept) {
      if (this.pairs <= this.most || oldest === question) return
      this.kept.delete(oldest)
      this.pairs -= size
    }
  }
}

/** What a question's class scores depend on besides the passage. */
const keyOf = ({ answer, image, options, question }: Read): string =>
  JSON.stringify([question, image, options, options.length === 0 ? answer : ""])

type Reader = LanguageModel["Service"]

interface Pair {
  readonly read: Read
  readonly key: string
  readonly doc: number
}

/** The class scores of each pair: minus what `option_score` makes of its negative log-likelihoods. */
const scored = Effect.fnUntraced(function*(reader: Reader, o: VerdictOptions, pairs: ReadonlyArray<Pair>) {
  const passages = yield* readPassages(Int32Array.from(pairs, ({ doc }) => doc))
  const prompts = pairs.map(({ doc, read }) => ask(o, passages(Int32Array.of(doc)), read))
  const said = pairs.map(({ read }) => read.options.length > 0 ? answersOf(o, read) : [answerOf(o, read, read.answer)])
  const nll = yield* reader.rank(prompts, said, o.option_score, o.option_end)
  return nll.map((own) => own.map((one) => -one))
})

/** The class scores of `width` passages of each question, by key and passage; pairs that the cache has are not read. */
const readAll = Effect.fnUntraced(function*(
  reader: Reader,
  o: VerdictOptions,
  reads: ReadonlyArray<Read>,
  docs: Int32Array,
  cache: VerdictCache | undefined
) {
  const width = docs.length / reads.length
  const found = new Map<string, Map<number, Float32Array>>()
  const wanted: Array<Pair> = []
  for (const [q, read] of reads.entries()) {
    const key = keyOf(read)
    const [own, known] = [found.get(key) ?? new Map<number, Float32Array>(), cache?.of(key)]
    found.set(key, own)
    for (const doc of docs.subarray(q * width, (q + 1) * width)) {
      if (doc < 0 || own.has(doc)) continue
      const scores = known?.get(doc)
      own.set(doc, scores ?? new Float32Array(0))
      if (scores === undefined) wanted.push({ read, key, doc })
    }
  }
  const scores = yield* scored(reader, o, wanted)
  wanted.forEach(({ doc, key }, i) => {
    found.get(key)!.set(doc, scores[i]!)
    cache?.keep(key, doc, scores[i]!)
  })
  return (q: number, doc: number) => found.get(keyOf(reads[q]!))!.get(doc) ?? new Float32Array(0)
})

/** [rows, width, k] class scores, padded; a question with more than k options is a bug. */
const classScores = (o: VerdictOptions, width: number, k: number, cache?: VerdictCache) =>
  Effect.fnUntraced(function*(reader: Reader, rows: Frame.Frame<typeof Question>, docs: Int32Array) {
    const [questions, answers] = [Frame.column(rows, "question"), Frame.column(rows, "answer")]
    const [options, images] = [Frame.column(rows, "options"), Frame.column(rows, "image")]
    const most = Math.max(...options.map(({ length }) => length))
    if (most > k) {
      return yield* Effect.die(new RangeError(`a question has ${most} options; verdicts have room for ${k}`))
    }
    const reads = questions.map((question, q): Read => ({
      question,
      image: images[q]!,
      options: options[q]!,
      answer: answers[q]!
    }))
    const of = yield* readAll(reader, o, reads, docs, cache)
    const scores = new Float32Array(docs.length * k).fill(NO_CLASS)
    docs.forEach((doc, i) => scores.set(of(Math.floor(i / width), doc), i * k))
    return scores
  })

/**
 * Reads each of the m drawn passages alone: the score of each option, at most `k` of them; of a question without options the
 * score of its answer. A forward pass without gradients. A cache is for a reader that does not change.
 */
export const readVerdicts = (m: number, k: number, o: VerdictOptions, cache?: VerdictCache) => {
  const of = classScores(o, m, k, cache)
  return Stage.make("readVerdicts", {
    needs: { ...Question, drawn: Draw(m, 1).drawn },
    adds: ClassScores(m, k),
    run: Effect.fnUntraced(function*(rows) {
      const reader = yield* LanguageModel
      return { scores: yield* of(reader, rows, Frame.column(rows, "drawn")) }
    })
  })
}

/**
 * What passages say in place of a reader: of each of the m drawn ones, 1 for the option that its text names, 0 for the others. For
 * questions with options, at most `k`.
 */
export const labelVerdicts = (m: number, k: number) =>
  Stage.make("labelVerdicts", {
    needs: { options: Question.options, drawn: Draw(m, 1).drawn },
    adds: ClassScores(m, k),
    run: Effect.fnUntraced(function*(rows) {
      const [options, drawn] = [Frame.column(rows, "options"), Frame.column(rows, "drawn")]
      const passages = yield* readPassages(drawn)
      const scores = new Float32Array(drawn.length * k).fill(NO_CLASS)
      drawn.forEach((doc, i) => {
        const [own] = passages(Int32Array.of(doc))
        if (own) scores.set(labelScores(own.text, options[Math.floor(i / m)]!), i * k)
      })
      return { scores }
    })
  })

/** Weights of the passages by their scores, of one retriever or of several, of which each found so many (in this order). */
export const weigh = (heads: ReadonlyArray<number>) => {
  const n = heads.reduce((sum, own) => sum + own, 0)
  const starts = heads.map((_, h) => heads.slice(0, h).reduce((sum, own) => sum + own, 0))
  return Stage.make("weigh", {
    needs: Candidates(n),
    adds: Weighted(n),
    run: (rows) =>
      Effect.sync(() => {
        const [docs, docScore] = [Frame.column(rows, "docs"), Frame.column(rows, "docScore")]
        const known = docScore.map((score, i) => docs[i]! < 0 ? NO_CLASS : score)
        const docWeight = new Float32Array(known.length)
        for (let at = 0; at < known.length; at += n) {
          docWeight.set(fusionWeights(starts.map((from, h) => known.subarray(at + from, at + from + heads[h]!))), at)
        }
        return { docWeight }
      })
  })
}

/** Of each row, its passages by rising weight; of equal ones the first comes last. */
const byWeight = (docs: Int32Array, weights: Float32Array, n: number): Int32Array =>
  Int32Array.from(docs, (_, i) => {
    const from = i - i % n
    const order = Array.from({ length: n }, (_, p) => p).toSorted((a, b) =>
      weights[from + a]! - weights[from + b]! || b - a
    )
    return docs[from + order[i % n]!]!
  })

/** How questions are answered from readings of single passages; `fusion` is how free answers are. */
export type FusedOptions = VerdictOptions & AnswerOptions & { readonly fusion: Fusion["by"] }

/** Passages of questions with options, -1 in place of those of others. */
const closedOnly = (docs: Int32Array, options: ReadonlyArray<ReadonlyArray<string>>, n: number): Int32Array =>
  docs.map((doc, i) => options[Math.floor(i / n)]!.length === 0 ? -1 : doc)

/** Free answers by the row of their question. */
const freeAnswers = Effect.fnUntraced(function*(
  rows: Frame.Frame<typeof Question & ReturnType<typeof Weighted> & Pick<ReturnType<typeof Candidates>, "docs">>,
  n: number,
  o: FusedOptions
) {
  const [questions, images] = [Frame.column(rows, "question"), Frame.column(rows, "image")]
  const [docs, docWeight] = [Frame.column(rows, "docs"), Frame.column(rows, "docWeight")]
  const open = Frame.column(rows, "options").flatMap(({ length }, r) => length === 0 ? [r] : [])
  const found = yield* writeFused(
    open.map((r) => ({
      asked: { question: questions[r]!, options: [], image: images[r]! },
      docs: docs.subarray(r * n, (r + 1) * n),
      weights: docWeight.subarray(r * n, (r + 1) * n)
    })),
    o.fusion,
    o
  )
  return new Map(open.map((r, i) => [r, found[i]!]))
})

/**
 * The option of greatest Σ weight · score over readings of single passages (JOMED's fused answer); of a question without options
 * the text that these readings write together. A passage that two retrievers found is read once and counts twice.
 */
export const answerFused = (n: number, k: number, o: FusedOptions, cache?: VerdictCache) => {
  const of = classScores(o, n, k, cache)
  return Stage.make("answerFused", {
    needs: { ...Question, docs: Candidates(n).docs, ...Weighted(n) },
    adds: { ...Answer(n), ...Fused(n, k) },
    run: Effect.fnUntraced(function*(rows) {
      const reader = yield* LanguageModel
      const [docs, docWeight] = [Frame.column(rows, "docs"), Frame.column(rows, "docWeight")]
      const options = Frame.column(rows, "options")
      const scores = yield* of(reader, rows, closedOnly(docs, options, n))
      const free = yield* freeAnswers(rows, n, o)
      const single = Array.from(docs, (_, i) => scores.subarray(i * k, (i + 1) * k))
      const sums = options.map((own, r) =>
        fused(
          docWeight.subarray(r * n, (r + 1) * n),
          single.slice(r * n, (r + 1) * n).map((one) => one.slice(0, own.length))
        )
      )
      const predictionIndex = Int32Array.from(sums, verdictOf)
      const fusedScores = new Float32Array(rows.rows * k).fill(NO_CLASS)
      sums.forEach((own, r) => fusedScores.set(own, r * k))
      return {
        prediction: options.map((own, r) => free.get(r)?.text ?? own[predictionIndex[r]!] ?? ""),
        predictionIndex,
        support: byWeight(docs, docWeight, n),
        written: options.map((_, r) => free.get(r)?.written ?? ""),
        optionNll: sums.map((own) => Float32Array.from(own, (score) => -score)),
        verdicts: Int32Array.from(single, verdictOf),
        fusedScores
      }
    })
  })
}
