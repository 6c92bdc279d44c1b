/** Contextual vectors of texts' tokens by a layer of an encoder's folder, and BERTScore with them. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { modelFiles } from "../../domain/fileNames.ts"
import {
  type BertScore,
  bertScore,
  bestOf,
  type Embedded,
  inverseFrequencies,
  usualLayer
} from "../../domain/textMetrics/bertScore.ts"
import type { BertConfig, EncoderInput } from "../../kernels/nn/bert.ts"
import type { DebertaConfig } from "../../kernels/nn/deberta.ts"
import { encoder } from "../../kernels/nn/encoders.ts"
import { entering, module } from "../../kernels/nn/Module.ts"
import type { Graph } from "../../kernels/onnx/encode.ts"
import { l2Normalise } from "../../kernels/op/normalise.ts"
import { names } from "../../kernels/Step.ts"
import { input } from "../../kernels/Tensor.ts"
import * as Halving from "../engine/halving.ts"
import { bucket, cached, powerOfTwo } from "../engine/Programs.ts"
import { decodeEncoder } from "../files/config/encoder.ts"
import { FileError } from "../files/disk.ts"
import { ofEncoder } from "../files/stateDict.ts"
import type { Naming } from "../files/weights.ts"
import * as ModelFolder from "../models/folder.ts"
import * as Model from "../models/load.ts"
import { special, type Tokenizer } from "../tokenizers/tokenizer.ts"

/** Which encoder, and which of its layers: by default bert-score's choice for its name, else ⌈¾ of its layers⌉. */
export interface EncoderOptions {
  readonly model: string
  readonly layers: number | undefined
}

/** Encoders that bert-score knows. */
type Known = BertConfig | DebertaConfig

/** Hidden states of the last layer: [b, n] -> [b, n, hidden], of unit length. */
const encoderOf = (c: Known) => {
  const body = encoder(c)
  return module(body.params, (p, read: EncoderInput) => l2Normalise(body.apply(p, read)))
}
type Encoder = ReturnType<typeof encoderOf>

const graph = (encoder: Encoder, rows: number, length: number): Graph => {
  const { bound, inputs } = entering(encoder.params, names.param)
  const [ids, mask] = [input("ids", [rows, length], "int32"), input("mask", [rows, length], "bool")]
  const vectors = encoder.apply(bound, { ids, mask })
  return { name: `bertscore.encode ${rows}x${length}`, inputs: { ...inputs, ids, mask }, outputs: { vectors } }
}

/** Without the layers above: those that are not computed. */
const below = (type: Known["model_type"], layers: number): Naming => (stored) => {
  const name = ofEncoder(type)(stored)
  const [, index] = /\.layer\.(\d+)\./.exec(name ?? "") ?? []
  return index !== undefined && Number(index) >= layers ? undefined : name
}

/** The number of layers to compute, and whether it is a guess. */
const layersOf = Effect.fnUntraced(function*({ layers, model }: EncoderOptions, of: number, path: string) {
  const usual = usualLayer(model)
  const known = layers ?? (usual !== undefined && usual <= of ? usual : undefined)
  if (known !== undefined && (known > of || known < 1)) {
    const reason = `has ${of} layers, and no layer ${known} (num_layers)`
    return yield* new FileError({ path, place: "num_hidden_layers", reason })
  }
  const chosen = known ?? Math.ceil(0.75 * of)
  if (known === undefined) {
    yield* Effect.logWarning(
      `${model}: bert-score names no layer for it; layer ${chosen} of ${of} is taken (num_layers chooses)`
    )
  }
  return chosen
})

/** The greatest length that a tokenizer states; a huge one stands for none. */
const mostOf = ({ config }: Tokenizer, positions: number): number => {
  const most = config["model_max_length"]
  return typeof most === "number" && most > 0 ? Math.min(Math.floor(most), positions) : positions
}

/**
 * Texts as ids between the tokenizer's markers, cut to the model's length, and how many were cut. Before RoBERTa's texts
 * stands a space, as bert-score has it: their first words are words within a text to it.
 */
const tokensOf = (
  tokenizer: Tokenizer,
  { most, type }: { readonly most: number; readonly type: Known["model_type"] }
) => {
  const before = type === "roberta" ? " " : ""
  const { encode, end, start = [] } = tokenizer
  const markers = new Set(
    ["cls_token", "sep_token"].flatMap((name) => tokenizer.id(special(tokenizer, name) ?? "") ?? [])
  )
  return (texts: ReadonlyArray<string>) => {
    let cut = 0
    const all = texts.map((text) => {
      const own = text.trim()
      const words = encode(own === "" ? "" : before + own)
      const room = most - start.length - end.length
      if (words.length > room) cut++
      return [...start, ...words.slice(0, room), ...end]
    })
    return { all, cut, weighs: (ids: ReadonlyArray<number>) => ids.map((id) => markers.has(id) ? 0 : 1) }
  }
}

/** Approximate number of tokens per run. */
const TOKENS = 4096

/** The encoder's vectors of texts, loaded until the scope ends. */
const embedding = Effect.fnUntraced(function*(options: EncoderOptions) {
  const opened = yield* ModelFolder.open(options.model, decodeEncoder)
  const path = join(opened.folder, modelFiles.config)
  const { config: found } = opened
  if (found.model_type === "modernbert") {
    return yield* new FileError({
      path,
      place: "model_type",
      reason: "modernbert is none of bert-score's encoders here"
    })
  }
  const layers = yield* layersOf(options, found.num_hidden_layers, path)
  const config: Known = { ...found, num_hidden_layers: layers }
  const loading = { naming: below(config.model_type, layers), dispensable: () => false }
  const { module: encoder, weights } = yield* Model.load({ ...opened, config, loading }, encoderOf, {
    seed: 0,
    lora: undefined,
    learns: () => false,
    slots: [],
    task: "FEATURE_EXTRACTION"
  })
  const most = mostOf(opened.tokenizer, config.max_position_embeddings)
  const tokens = tokensOf(opened.tokenizer, { most, type: config.model_type })
  const encode = yield* cached(([rows, length]: [number, number]) => graph(encoder, rows, length), {
    fixed: weights.frozen
  })
  const encoding = Halving.make("bertscore.encode", "texts")
  const run = Effect.fnUntraced(function*(own: ReadonlyArray<ReadonlyArray<number>>) {
    const length = bucket(Math.max(...own.map((ids) => ids.length)), most)
    const rows = powerOfTwo(own.length)
    const [ids, mask] = [new Int32Array(rows * length), new Uint8Array(rows * length)]
    for (let r = 0; r < rows; r++) {
      const row = own[r] ?? own[0]!
      ids.set(row, r * length)
      mask.fill(1, r * length, r * length + row.length)
    }
    const { vectors } = yield* encode([rows, length], { ...weights.values(), ids, mask })
    const { hidden_size: size } = config
    return own.map((row, r) => (vectors as Float32Array).slice(r * length * size, (r * length + row.length) * size))
  })
  /** Vectors of texts, those of similar length together. */
  const embedded = Effect.fnUntraced(function*(texts: ReadonlyArray<string>) {
    const { all, cut, weighs } = tokens(texts)
    const order = [...all.keys()].toSorted((a, b) => all[b]!.length - all[a]!.length || a - b)
    const found: Array<Embedded> = []
    for (let from = 0; from < order.length;) {
      const size = Math.max(1, Math.floor(TOKENS / all[order[from]!]!.length))
      const group = order.slice(from, from + size)
      const vectors = yield* encoding.each(
        group.length,
        ([a, b]) => b - a,
        ([a, b]) => run(group.slice(a, b).map((i) => all[i]!))
      )
      vectors.flat().forEach((own, g) => {
        const ids = all[group[g]!]!
        found[group[g]!] = { ids, weighs: weighs(ids), vectors: own }
      })
      from += size
    }
    return { cut, found, size: config.hidden_size }
  })
  return { embedded, layers, most, tokens }
})

/** A text, with the references of which each figure's best counts. */
export interface Pair {
  readonly text: string
  readonly references: ReadonlyArray<string>
}

/** Pairs whose vectors are in memory at a time. */
const TOGETHER = 256

/**
 * Scores pairs with an encoder that is loaded until the scope ends. `idf` weighs tokens by how rare they are in the pairs'
 * references. Texts beyond the model's length are cut, and counted.
 */
export const make = Effect.fnUntraced(function*(options: EncoderOptions & { readonly idf: boolean }) {
  const { embedded, layers, most, tokens } = yield* embedding(options)
  const score = Effect.fnUntraced(function*(pairs: ReadonlyArray<Pair>) {
    const weight = options.idf
      ? inverseFrequencies(tokens(pairs.flatMap(({ references }) => references)).all)
      : () => 1
    const scores: Array<BertScore> = []
    let cut = 0
    for (let from = 0; from < pairs.length; from += TOGETHER) {
      const some = pairs.slice(from, from + TOGETHER)
      const texts = [...new Set(some.flatMap(({ references, text }) => [text, ...references]))]
      const own = yield* embedded(texts)
      const at = new Map(texts.map((text, i) => [text, own.found[i]!]))
      cut += own.cut
      for (const { references, text } of some) {
        scores.push(bestOf(references.map((one) => bertScore(at.get(text)!, at.get(one)!, own.size, weight))))
      }
    }
    return { scores: scores as ReadonlyArray<BertScore>, cut }
  })
  return { layers, most, score }
})
