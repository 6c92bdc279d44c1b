/** A ColBERT retriever: its weights, the programs over them and the index they made. */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { ModelSettings } from "../../../domain/settings/model.ts"
import type { Retrieval } from "../../../domain/settings/retrieval.ts"
import type { Training } from "../../../domain/settings/training.ts"
import { colbert, type Encoder, vectorSize } from "../../../kernels/nn/colbert.ts"
import { cached, powerOfTwo } from "../../engine/Programs.ts"
import { about } from "../../engine/Session.ts"
import { type Arrays, asInputs } from "../../engine/Weights.ts"
import * as Model from "../../models/load.ts"
import { isLora } from "../../models/lora.ts"
import { optimizerOf } from "../../models/training.ts"
import { Passages } from "../../ports/Passages.ts"
import * as VectorIndex from "../indexes/exact.ts"
import * as StoredIndex from "../indexes/stored.ts"
import { assemble } from "./batch.ts"
import * as RetrieverFolder from "./folder.ts"
import * as Graphs from "./graphs.ts"
import { PassageTokens } from "./passageTokens.ts"
import * as ColbertText from "./text.ts"

type Inputs = ReturnType<typeof asInputs>

const programs = Effect.fnUntraced(function*(encoder: Encoder, dim: number, query: number) {
  return {
    encode: yield* cached(([rows, length]: [number, number]) => Graphs.encode(encoder, rows, length)),
    search: yield* cached(([b, length]: [number, number]) => Graphs.search(b, query, VectorIndex.CHUNK, length, dim)),
    score: yield* cached(([questions, passages, passageLength]: [number, number, number]) =>
      Graphs.score(encoder, { questions, queryLength: query, passages, passageLength })
    )
  }
})

/** A retriever's share of the settings. */
export interface RetrieverSettings {
  readonly model: ModelSettings
  readonly training: Training
  readonly retrieval: Retrieval
}

/** How the model is loaded and runs. */
export interface Options extends Pick<Partial<Model.LoadOptions>, "draws" | "lora" | "stored"> {
  /**
   * Encode each question by itself. ONNX Runtime cuts a product by its number of rows, and so rounds a question's vectors
   * by what is asked beside it: in the last bit, where layers are narrow or threads many.
   */
  readonly apart?: boolean
}

/**
 * `learns` tells which parameters learn, by path, where no adapter does; `stored`, how the others are; `draws`, whether a
 * folder that says it has no weights yet is given some.
 */
export const make = Effect.fnUntraced(function*(
  { model, retrieval, training }: RetrieverSettings,
  learns: (path: string) => boolean,
  { apart = false, draws, lora, stored }: Options = {}
) {
  const passages = yield* Passages
  const opened = yield* RetrieverFolder.open(model.name_or_path, retrieval)
  const { files, lengths, marks, tokenizer } = opened
  const { based, config, module: encoder, weights } = yield* Model.load(opened, colbert, {
    seed: training.seed,
    lora,
    learns,
    stored,
    draws: draws ?? false,
    slots: optimizerOf(training).slots,
    task: "FEATURE_EXTRACTION"
  })
  const text = ColbertText.make(tokenizer, marks, lengths)
  const tokens = new PassageTokens(passages.texts, text.passage)
  const dim = vectorSize(config)
  const { encode, score, search } = yield* programs(encoder, dim, lengths.query)
  const batch = assemble(text, tokens, lengths)

  const vectors = Effect.fnUntraced(function*(values: Inputs, ids: Int32Array, mask: Uint8Array, length: number) {
    return (yield* encode([ids.length / length, length], { ...values, ids, mask }))["vectors"] as Float32Array
  })

  /** Vectors of questions [b, query length, dim]; what is asked beyond the questions is the empty one. */
  const asked = Effect.fnUntraced(function*(questions: ReadonlyArray<string>, b: number) {
    const rows = text.queries(Array.from({ length: b }, (_, i) => questions[i] ?? ""))
    const question = (element: number) => `question "${questions[Math.floor(element / rows.length / dim)] ?? ""}"`
    return yield* about(question)(vectors(weights.values(), rows.ids, rows.mask, rows.length))
  })
  const askedApart = Effect.fnUntraced(function*(questions: ReadonlyArray<string>, b: number) {
    const size = lengths.query * dim
    const queries = new Float32Array(b * size)
    for (const [i, question] of questions.entries()) queries.set(yield* asked([question], 1), i * size)
    return queries
  })

  let indexed: Arrays = new Map()
  let index: VectorIndex.VectorIndex | undefined
  if (retrieval.index_path !== "") {
    indexed = weights.parameters()
    /** New adapters add nothing: the index is that of the weights they rest on. */
    const made = based && !opened.adapter ? new Map([...indexed].filter(([path]) => !isLora(path))) : indexed
    index = yield* StoredIndex.read(retrieval.index_path, { corpus: passages.hash, weights: made })
  }
  const sourceOf = (from: Arrays): VectorIndex.Source => {
    const values = asInputs(from)
    const encode = (ids: Int32Array, mask: Uint8Array, length: number) => vectors(values, ids, mask, length)
    return { text, tokens, ids: passages.ids, longest: lengths.passage, dim, encode }
  }
  /** The index of the given weights: a function of them and the corpus. */
  const build = Effect.fnUntraced(function*(generation: number, from: Arrays, encoded?: VectorIndex.Encoded) {
    index = yield* VectorIndex.build(sourceOf(from), generation, encoded)
    indexed = from
    return index
  })
  /** One index is built at a time, whichever fibers ask for one. */
  const alone = Semaphore.withPermit(yield* Semaphore.make(1))
  /** Weights that cannot learn keep the index they have. */
  const refresh = alone(Effect.suspend(() =>
    index && weights.trainable.length === 0
      ? Effect.succeed(index)
      : build((index?.generation ?? 0) + 1, weights.parameters())
  ))
  const first = alone(Effect.suspend(() => index ? Effect.succeed(index) : build(1, weights.parameters())))

  return {
    encoder,
    dim,
    lengths,
    weights,
    based,
    batch,
    files,
    refresh: Effect.map(refresh, (fresh) => fresh.generation),
    search: Effect.fnUntraced(function*(questions: ReadonlyArray<string>, k: number) {
      const current = index ?? (yield* first)
      const b = powerOfTwo(questions.length)
      const queries = yield* (apart ? askedApart : asked)(questions, b)
      return yield* VectorIndex.search(current, { queries, b, questions: questions.length, k }, search)
    }),
    score: Effect.fnUntraced(function*(questions: ReadonlyArray<string>, docs: Int32Array) {
      const { data, places, shape } = batch(questions, docs)
      const key: [number, number, number] = [shape.questions, shape.passages, shape.passageLength]
      const { scores } = yield* score(key, { ...weights.values(), ...data })
      const n = docs.length / questions.length
      return Float32Array.from(places, (at, i) => scores![Math.floor(i / n) * shape.passages + at]!)
    }),
    indexState: () => ({ generation: index?.generation ?? 0, weights: indexed }),
    build
  }
})
/** A retriever with its weights, programs and index. */
export type RetrieverModel = Effect.Success<ReturnType<typeof make>>
