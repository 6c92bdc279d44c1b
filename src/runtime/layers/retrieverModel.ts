/** A ColBERT retriever: its weights, the programs over them and the index they made. */
import * as Effect from "effect/Effect"
import { Settings } from "../../domain/RunConfig.ts"
import { colbert, type Encoder, vectorSize } from "../../kernels/nn/colbert.ts"
import { cached, powerOfTwo } from "../engine/Programs.ts"
import { type Arrays, asInputs } from "../engine/Weights.ts"
import { Passages } from "../ports/Passages.ts"
import { isLora } from "./adapters.ts"
import * as ColbertText from "./colbertText.ts"
import { optimizerOf } from "./learning.ts"
import * as Model from "./model.ts"
import { assemble } from "./retrieverBatch.ts"
import * as RetrieverFolder from "./retrieverFolder.ts"
import * as Graphs from "./retrieverGraphs.ts"
import * as StoredIndex from "./storedIndex.ts"
import * as VectorIndex from "./vectorIndex.ts"

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

/**
 * `learns` tells which parameters learn, by path, where no adapter does; `stored`, how the others are; `draws`, whether a
 * folder that says it has no weights yet is given some.
 */
export const make = Effect.fnUntraced(function*(
  learns: (path: string) => boolean,
  { draws, lora, stored }: Pick<Partial<Model.LoadOptions>, "draws" | "lora" | "stored"> = {}
) {
  const settings = yield* Settings
  const passages = yield* Passages
  const opened = yield* RetrieverFolder.open(settings)
  const { files, lengths, marks, tokenizer } = opened
  const { based, config, module: encoder, weights } = yield* Model.load(opened, colbert, {
    seed: settings.seed,
    lora,
    learns,
    stored,
    draws: draws ?? false,
    slots: optimizerOf(settings).slots,
    task: "FEATURE_EXTRACTION"
  })
  const text = ColbertText.make(tokenizer, marks, lengths)
  const tokens = passages.texts.map(text.passage)
  const { encode, score, search } = yield* programs(encoder, vectorSize(config), lengths.query)
  const batch = assemble(text, tokens, lengths)

  const vectors = Effect.fnUntraced(function*(values: Inputs, ids: Int32Array, mask: Uint8Array, length: number) {
    const program = yield* encode([ids.length / length, length])
    return (yield* program.run({ ...values, ids, mask }))["vectors"] as Float32Array
  })

  let indexed: Arrays = new Map()
  let index: VectorIndex.VectorIndex | undefined
  if (settings.index_path !== "") {
    indexed = weights.parameters()
    /** New adapters add nothing: the index is that of the weights they rest on. */
    const made = based && !opened.adapter ? new Map([...indexed].filter(([path]) => !isLora(path))) : indexed
    index = yield* StoredIndex.read(settings.index_path, { corpus: passages.hash, weights: made })
  }
  /** The index of the given weights: a function of them and the corpus. */
  const build = Effect.fnUntraced(function*(generation: number, from: Arrays) {
    const values = asInputs(from)
    index = yield* VectorIndex.build(text, tokens, lengths.passage, (...row) => vectors(values, ...row), generation)
    indexed = from
    return index
  })
  /** Weights that cannot learn keep the index they have. */
  const refresh = Effect.suspend(() =>
    index && weights.trainable.length === 0
      ? Effect.succeed(index)
      : build((index?.generation ?? 0) + 1, weights.parameters())
  )

  return {
    encoder,
    dim: vectorSize(config),
    lengths,
    weights,
    based,
    batch,
    files,
    refresh: Effect.map(refresh, (fresh) => fresh.generation),
    search: Effect.fnUntraced(function*(questions: ReadonlyArray<string>, k: number) {
      const current = index ?? (yield* refresh)
      const b = powerOfTwo(questions.length)
      const rows = text.queries(Array.from({ length: b }, (_, i) => questions[i] ?? ""))
      const queries = yield* vectors(weights.values(), rows.ids, rows.mask, rows.length)
      const all = yield* VectorIndex.scores(current, queries, b, search)
      return VectorIndex.topK(all.subarray(0, questions.length * current.passages), questions.length, k)
    }),
    score: Effect.fnUntraced(function*(questions: ReadonlyArray<string>, docs: Int32Array) {
      const { data, places, shape } = batch(questions, docs)
      const program = yield* score([shape.questions, shape.passages, shape.passageLength])
      const { scores } = yield* program.run({ ...weights.values(), ...data })
      const n = docs.length / questions.length
      return Float32Array.from(places, (at, i) => scores![Math.floor(i / n) * shape.passages + at]!)
    }),
    indexState: () => ({ generation: index?.generation ?? 0, weights: indexed }),
    build
  }
})
export type RetrieverModel = Effect.Success<ReturnType<typeof make>>
