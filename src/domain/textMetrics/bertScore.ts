/**
 * BERTScore (Zhang et al. 2020): each token of a text is matched with the most similar token of the other, by contextual
 * vectors. Definitions are those of bert-score 0.3.13.
 */

/** A text as tokens: ids, whether each weighs (markers put around a text do not), and vectors of unit length. */
export interface Embedded {
  readonly ids: ArrayLike<number>
  readonly weighs: ArrayLike<number>
  /** [tokens, size] */
  readonly vectors: Float32Array
}

/** Precision, recall and F1. */
export interface BertScore {
  readonly precision: number
  readonly recall: number
  readonly f1: number
}

/** Weights of tokens by id; 1 each, or inverse document frequencies. */
export type TokenWeight = (id: number) => number

/** ln((N + 1) / (df + 1)) over N texts, of which df have the token. */
export const inverseFrequencies = (texts: ReadonlyArray<ArrayLike<number>>): TokenWeight => {
  const counts = new Map<number, number>()
  for (const ids of texts) for (const id of new Set(Array.from(ids))) counts.set(id, (counts.get(id) ?? 0) + 1)
  return (id) => Math.log((texts.length + 1) / ((counts.get(id) ?? 0) + 1))
}

/** For each token of one text, the greatest dot product with a token of the other. */
const nearest = (from: Float32Array, to: Float32Array, size: number): Float64Array => {
  const found = new Float64Array(from.length / size)
  for (let i = 0; i < found.length; i++) {
    let most = -Infinity
    for (let j = 0; j < to.length; j += size) {
      let dot = 0
      for (let k = 0; k < size; k++) dot += from[i * size + k]! * to[j + k]!
      if (dot > most) most = dot
    }
    found[i] = most
  }
  return found
}

const weighted = ({ ids, weighs }: Embedded, values: Float64Array, weight: TokenWeight): number => {
  let [sum, total] = [0, 0]
  values.forEach((value, i) => {
    const own = weighs[i] === 1 ? weight(ids[i]!) : 0
    sum += own * value
    total += own
  })
  return sum / total
}

const none: BertScore = { precision: 0, recall: 0, f1: 0 }
const hasWords = ({ weighs }: Embedded): boolean => Array.from(weighs).includes(1)

/** The score of a text against a reference, with vectors of `size` numbers; 0 if one of them has no words. */
export const bertScore = (text: Embedded, reference: Embedded, size: number, weight: TokenWeight): BertScore => {
  if (!hasWords(text) || !hasWords(reference)) return none
  const precision = weighted(text, nearest(text.vectors, reference.vectors, size), weight)
  const recall = weighted(reference, nearest(reference.vectors, text.vectors, size), weight)
  const f1 = 2 * precision * recall / (precision + recall)
  return { precision, recall, f1: Number.isNaN(f1) ? 0 : f1 }
}

const parts = ["precision", "recall", "f1"] as const
const each = (f: (part: typeof parts[number]) => number): BertScore => ({
  precision: f("precision"),
  recall: f("recall"),
  f1: f("f1")
})

/** The best of several references', of each of the three figures by itself, as bert-score has it. */
export const bestOf = (scores: ReadonlyArray<BertScore>): BertScore =>
  each((part) => Math.max(...scores.map((own) => own[part])))

/** (x - b) / (1 - b), with baselines of unrelated texts. */
export const rescaled = (score: BertScore, baseline: BertScore): BertScore =>
  each((part) => (score[part] - baseline[part]) / (1 - baseline[part]))

/** The baseline of a layer in a file of bert-score's: `LAYER,P,R,F`; `undefined` if it has no such row. */
export const baselineOf = (csv: string, layer: number): BertScore | undefined => {
  const rows = csv.split(/\r?\n/).map((line) => line.split(",").map(Number))
  const found = rows.find((row) => row.length === 4 && row.every(Number.isFinite) && row[0] === layer)
  return found && { precision: found[1]!, recall: found[2]!, f1: found[3]! }
}

const BASE = { 2: 1, 4: 3, 6: 5, 8: 7, 10: 8, 12: 10 } as Readonly<Record<number, number>>
/** Of Google's small BERTs, those whose best layer is another than the others' of as many layers. */
const others: Readonly<Record<string, number>> = {
  "bert_uncased_L-2_H-768_A-12": 2,
  "bert_uncased_L-8_H-512_A-8": 6,
  "bert_uncased_L-10_H-512_A-8": 9,
  "bert_uncased_L-12_H-256_A-4": 11,
  "bert_uncased_L-12_H-768_A-12": 9
}
const named: Readonly<Record<string, number>> = {
  "bert-base-uncased": 9,
  "bert-large-uncased": 18,
  "bert-base-cased-finetuned-mrpc": 9,
  "bert-base-multilingual-cased": 9,
  "bert-base-chinese": 8,
  "scibert_scivocab_uncased": 8,
  "scibert_scivocab_cased": 9,
  "scibert_basevocab_uncased": 9,
  "roberta-base": 10,
  "roberta-large": 17,
  "roberta-large-mnli": 19,
  "distilroberta-base": 5,
  "xlm-roberta-base": 9,
  "xlm-roberta-large": 17,
  "distilbert-base-uncased": 5,
  "distilbert-base-uncased-distilled-squad": 4,
  "distilbert-base-multilingual-cased": 5,
  "mpnet-base": 8,
  "deberta-base": 9,
  "deberta-base-mnli": 9,
  "deberta-large": 16,
  "deberta-large-mnli": 18,
  "deberta-xlarge": 18,
  "deberta-xlarge-mnli": 40,
  "deberta-v2-xlarge": 10,
  "deberta-v2-xlarge-mnli": 17,
  "deberta-v2-xxlarge": 21,
  "deberta-v2-xxlarge-mnli": 22,
  "deberta-v3-xsmall": 10,
  "deberta-v3-small": 4,
  "deberta-v3-base": 9,
  "deberta-v3-large": 12,
  "mdeberta-v3-base": 10,
  ...others
}

/** The layer that bert-score takes of a model of this name, the last part of its path or id; `undefined` of others. */
export const usualLayer = (name: string): number | undefined => {
  const last = name.replace(/[\\/]+$/, "").split(/[\\/]/).at(-1)!
  if (Object.hasOwn(named, last)) return named[last]
  const [, layers] = /^bert_uncased_L-(\d+)_H-(?:128|256|512|768)_A-\d+$/.exec(last) ?? []
  return layers === undefined ? undefined : BASE[Number(layers)]
}
