/** A retriever of vectors, of one for each token or of one for each text: weights, programs and index. */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { ModelSettings } from "../../../domain/settings/model.ts"
import type { Retrieval } from "../../../domain/settings/retrieval.ts"
import type { Training } from "../../../domain/settings/training.ts"
import type { Encoder } from "../../../kernels/nn/colbert.ts"
import * as Halving from "../../engine/halving.ts"
import { cached, powerOfTwo } from "../../engine/Programs.ts"
import { about, partFrom } from "../../engine/Session.ts"
import { type Arrays, asInputs, type Weights } from "../../engine/Weights.ts"
import type * as Model from "../../models/load.ts"
import { isLora } from "../../models/lora.ts"
import { optimizerOf } from "../../models/training.ts"
import { Corpus } from "../../ports/Corpus.ts"
import { PassageIndex } from "../../ports/PassageIndex.ts"
import * as RetrieverFolder from "../folder.ts"
import { hashOf } from "../indexes/origin.ts"
import { assemble } from "./batch.ts"
import { currentIndex } from "./currentIndex.ts"
import * as Graphs from "./graphs.ts"
import * as PassageTokens from "./passageTokens.ts"
import { passageVectors } from "./passageVectors.ts"
import { readingOf, sharedVectors } from "./sharing.ts"
import type { TokenRows } from "./texts.ts"

type Inputs = ReturnType<typeof asInputs>

type ScoreKey = [questions: number, queryLength: number, passages: number, passageLength: number]

const programs = Effect.fnUntraced(function*(encoder: Encoder, pools: boolean, { frozen }: Weights) {
  const fixed = { fixed: frozen }
  return {
    encode: yield* cached(([rows, length]: [number, number]) => Graphs.encode(encoder, rows, length, pools), fixed),
    score: yield* cached(
      ([questions, queryLength, passages, passageLength]: ScoreKey) =>
        Graphs.score(encoder, { questions, queryLength, passages, passageLength }, pools),
      fixed
    )
  }
})

/** The settings of a retriever. */
export interface RetrieverSettings {
  readonly model: ModelSettings
  readonly training: Training
  readonly retrieval: Retrieval
}

/** How the model is loaded and run. */
export interface Options extends Pick<Partial<Model.LoadOptions>, "draws" | "lora" | "stored"> {
  /**
   * Encode each question separately. ONNX Runtime partitions a matrix product by rows, so a question's vectors depend
   * on the batch: in the last bit, with narrow layers or many threads.
   */
  readonly apart?: boolean
}

/**
 * `learns`: the trainable parameters, by path, unless there is an adapter; `stored`: storage dtype of the others;
 * `draws`: initialise a folder that declares it has no weights yet.
 */
export const make = Effect.fnUntraced(function*(
  { model, retrieval, training }: RetrieverSettings,
  learns: (path: string) => boolean,
  { apart = false, draws, lora, stored }: Options = {}
) {
  const [corpus, indexes, current] = [yield* Corpus, yield* PassageIndex, yield* currentIndex]
  const opened = yield* RetrieverFolder.open(model.name_or_path, retrieval)
  const { dim, files, lengths, pools, text } = opened
  const { based, module: encoder, weights } = yield* opened.load({
    seed: training.seed,
    lora,
    learns,
    stored,
    draws: draws ?? false,
    slots: optimizerOf(training).slots,
    task: "FEATURE_EXTRACTION"
  })
  const tokens = PassageTokens.make(corpus, text.passage)
  const { encode, score } = yield* programs(encoder, pools, weights)
  const batch = assemble(text, tokens, lengths)
  const encoding = Halving.make("retriever.encode", "tokens")
  const scoring = Halving.make("retriever.score", "questions")
  const scoringOne = Halving.make("retriever.score", "passages of a question")

  /** Numbers of a text's vectors, whose tokens are padded to a length. */
  const size = (length: number) => (pools ? 1 : length) * dim
  const vectors = Effect.fnUntraced(function*(values: Inputs, { ids, keep, length, mask }: TokenRows) {
    const parts = yield* encoding.each(ids.length / length, ([from, to]) => (to - from) * length, ([from, to]) => {
      const own = <A extends Int32Array | Uint8Array>(all: A) => all.subarray(from * length, to * length) as A
      const feeds = { ids: own(ids), mask: own(mask), ...(pools ? { keep: own(keep) } : {}) }
      return encode([to - from, length], { ...values, ...feeds }).pipe(
        partFrom(from * size(length)),
        Effect.map(({ vectors }) => vectors as Float32Array)
      )
    })
    return Halving.joined(parts)
  })

  /** Vectors of `b` questions, padded with the empty question: [b, length, dim]. */
  const asked = Effect.fnUntraced(function*(questions: ReadonlyArray<string>, b: number) {
    const rows = text.queries(Array.from({ length: b }, (_, i) => questions[i] ?? ""))
    const each = size(rows.length)
    const question = (element: number) => `question "${questions[Math.floor(element / each)] ?? ""}"`
    return { length: each / dim, vectors: yield* about(question)(vectors(weights.values(), rows)) }
  })
  const askedApart = Effect.fnUntraced(function*(questions: ReadonlyArray<string>, b: number) {
    const found = yield* Effect.forEach(questions, (question) => asked([question], 1))
    const { length } = found[0]!
    const queries = new Float32Array(b * length * dim)
    found.forEach((own, i) => queries.set(own.vectors, i * length * dim))
    return { length, vectors: queries }
  })

  /** Scores of the questions with their own passages, in one run. */
  const scored = Effect.fnUntraced(function*(questions: ReadonlyArray<string>, docs: Int32Array) {
    const known = docs.find((doc) => doc !== -1)
    if (known === undefined) return new Float32Array(docs.length).fill(-Infinity)
    const { data, places, shape } = yield* batch(questions, docs.map((doc) => doc === -1 ? known : doc))
    const key: ScoreKey = [shape.questions, shape.queryLength, shape.passages, shape.passageLength]
    const { scores } = yield* score(key, { ...weights.values(), ...data })
    const n = docs.length / questions.length
    return Float32Array.from(
      places,
      (at, i) => docs[i] === -1 ? -Infinity : scores![Math.floor(i / n) * shape.passages + at]!
    )
  })

  /** All that vectors of these weights depend on, besides the texts. */
  const identityOf = (from: Arrays) => [corpus.hash, hashOf(from), readingOf(retrieval), files]
  const originOf = (from: () => Arrays) => ({ corpus: corpus.hash, weights: () => hashOf(from()) })
  /** New adapters change nothing, so an existing index of the base weights is still valid. */
  const given = () => {
    const all = weights.parameters()
    return based && !opened.adapted ? new Map([...all].filter(([path]) => !isLora(path))) : all
  }
  const made = yield* indexes.open(originOf(given))
  if (made) yield* current.put(Effect.succeed(made))
  let indexed: Arrays = made ? weights.parameters() : new Map()
  /** Builds the index from the given weights; deterministic in weights and corpus. */
  const build = Effect.fnUntraced(function*(generation: number, from: Arrays) {
    const values = asInputs(from)
    const encode = (rows: TokenRows) => vectors(values, rows)
    const source = { text, tokens, id: corpus.id, longest: lengths.passage, dim, pools, encode }
    const own = yield* passageVectors(source)
    /** Others have other weights once they have learned. */
    const all = generation === 1 ? yield* sharedVectors(own, () => identityOf(from)) : own
    const index = yield* current.put(indexes.build(generation, originOf(() => from), all))
    indexed = from
    return index
  })
  /** Only one index is built at a time, across fibers. */
  const alone = Semaphore.withPermit(yield* Semaphore.make(1))
  /** Without trainable weights, an existing index is kept. */
  const refresh = alone(Effect.suspend(() => {
    const index = current.get()
    return index && weights.trainable.length === 0
      ? Effect.succeed(index)
      : build((index?.generation ?? 0) + 1, weights.parameters())
  }))
  const first = alone(Effect.suspend(() => current.get() ? Effect.void : build(1, weights.parameters())))

  return {
    encoder,
    pools,
    dim,
    lengths,
    weights,
    based,
    batch,
    files,
    first: Effect.suspend(() => current.get() ? Effect.void : first),
    identity: () => identityOf(weights.parameters()),
    refresh: Effect.map(refresh, (fresh) => fresh.generation),
    search: Effect.fnUntraced(function*(questions: ReadonlyArray<string>, k: number) {
      if (!current.get()) yield* first
      const count = questions.length
      const queries = count === 0
        ? { length: 1, vectors: new Float32Array(0) }
        : yield* (apart ? askedApart : asked)(questions, powerOfTwo(count))
      return yield* current.use((index) => index.search({ count, ...queries }, k))
    }),
    score: Effect.fnUntraced(function*(questions: ReadonlyArray<string>, docs: Int32Array) {
      const n = docs.length / questions.length
      const rows = ([from, to]: Halving.Range) => to - from
      return Halving.joined(
        yield* scoring.each(questions.length, rows, ([from, to]) => {
          const own = docs.subarray(from * n, to * n)
          if (to - from > 1) return scored(questions.slice(from, to), own)
          const one = scoringOne.each(n, rows, (part) => scored([questions[from]!], own.subarray(...part)))
          return Effect.map(one, Halving.joined)
        })
      )
    }),
    indexState: () => ({ generation: current.get()?.generation ?? 0, weights: indexed }),
    build: (generation: number, from: Arrays) => alone(build(generation, from))
  }
})
/** A retriever with its weights, programs and index. */
export type RetrieverModel = Effect.Success<ReturnType<typeof make>>
