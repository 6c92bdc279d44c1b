/** Program: linear classifiers on an encoder's vectors of pictures, to stand beside what is retrieved and read. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Keyed } from "../../domain/Metric.ts"
import type { QuestionRecord } from "../../domain/records/Records.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import { type Classifier, classify, fitted } from "../../domain/statistics/logistic.ts"
import { labelOf } from "../../domain/verdicts/labels.ts"
import { Images } from "../../runtime/ports/Images.ts"
import type { Frozen } from "../../runtime/retrieval/pictures/frozen.ts"
import { modeOf } from "../../systems/all.ts"
import { imagesOf } from "../pictures.ts"
import { questions } from "../prepare.ts"
import type { Opened } from "./system.ts"

/** A classifier with its answers to a run's questions. */
export interface Classified {
  readonly name: string
  readonly examples: number
  /** The penalty's strength that cross-validation chose. */
  readonly C: number
  readonly answers: ReadonlyArray<Keyed>
}

interface Pictured {
  readonly reference: string
  readonly label: number
}

/** The classes of questions that all have the same options and a picture; refuses others. */
const classesOf = Effect.fnUntraced(function*(run: Opened, train: ReadonlyArray<QuestionRecord>) {
  const all = [...train, ...run.records]
  const [first] = all
  const odd = all.find(({ answerIndex, image, options }) =>
    image === undefined || answerIndex < 0 || options.join("\n") !== first!.options.join("\n")
  )
  if (odd === undefined && first!.options.length > 1) return first!.options
  const problem =
    `--classifiers takes questions with a picture each, an answer, and the same options (first that is none: ${
      (odd ?? first!).id
    })`
  return yield* new ConfigError({ source: run.folder, problems: [problem] })
})

/** The encoder's unit vectors of pictures, [pictures, size]; each is encoded by itself. */
const vectorsOf = Effect.fnUntraced(function*(
  encoder: Frozen,
  references: ReadonlyArray<string>
) {
  const images = yield* Images
  const vectors = new Float32Array(references.length * encoder.size)
  for (const [i, name] of references.entries()) {
    const { picture } = yield* images.read(name)
    vectors.set(yield* encoder.pictures([{ name, picture }]), i * encoder.size)
  }
  return vectors
})

/** The pictures of the memory with the labels that their captions name. */
const memoryOf = Effect.fnUntraced(function*({ corpus }: Opened, options: ReadonlyArray<string>) {
  const passages = yield* Stream.runCollect(corpus.all)
  return passages.flatMap(({ image, text }): ReadonlyArray<Pictured> => {
    const label = labelOf(text, options)
    return image === undefined || label < 0 ? [] : [{ reference: image, label }]
  })
})

/** Pictures without those of these hashes. */
const without = Effect.fnUntraced(function*(asked: ReadonlySet<string>, pictures: ReadonlyArray<Pictured>) {
  const images = yield* Images
  return yield* Effect.filter(pictures, ({ reference }) => Effect.map(images.hash(reference), (own) => !asked.has(own)))
})

const answersOf = (
  records: ReadonlyArray<QuestionRecord>,
  own: Classifier,
  vectors: Float32Array,
  seeds: number
): ReadonlyArray<Keyed> => {
  const found = classify(own, vectors)
  return Array.from({ length: seeds }, (_, seed) =>
    records.map(({ answerIndex, group, id }, i) => ({
      key: `${seed + 1}, ${id}`,
      group,
      value: found[i] === answerIndex ? 1 : 0
    }))).flat()
}

/**
 * Classifiers on the vectors of a run's frozen encoder: one that learns from the pictures of its training questions, and one from these
 * and from the memory's, with captions as labels. Pictures that the questions ask about are left out of both. Answers are the same
 * for all seeds, and are given once for each.
 */
export const classifiersOf = Effect.fn("classifiers")(function*(run: Opened, seeds: number) {
  const { config, folder, records } = run
  const opening = modeOf(config).encoder
  if (!opening) {
    const problem = "--classifiers takes a run that asks with pictures"
    return yield* new ConfigError({ source: folder, problems: [problem] })
  }
  const train = yield* questions(config, "train")
  const options = yield* classesOf(run, train)
  const encoder = yield* opening
  const images = yield* Images
  const pictured = records.map(({ image }) => image!)
  const hashes = new Set(yield* Effect.forEach(pictured, (image) => images.hash(image)))
  const asked = yield* vectorsOf(encoder, pictured)
  const given = train.map(({ answerIndex, image }) => ({ reference: image!, label: answerIndex }))
  const memory = yield* memoryOf(run, options)
  const labelled = yield* without(hashes, given)
  const all = labelled.concat(yield* without(hashes, memory))
  const vectors = yield* vectorsOf(encoder, all.map(({ reference }) => reference))
  /** The classifier on the first `count` of them, where `left` are left out. */
  const learn = Effect.fnUntraced(function*(of: string, count: number, left: number) {
    if (left > 0) {
      yield* Effect.logWarning(
        `${folder}: ${left} pictures that questions ask about are left out of the classifier on ${of}`
      )
    }
    const labels = all.slice(0, count).map(({ label }) => label)
    const own = { vectors: vectors.subarray(0, count * encoder.size), size: encoder.size, labels }
    const made = fitted(own, options.length, config.seed)
    const answers = answersOf(records, made, asked, seeds)
    return { name: `linear, ${of}`, examples: count, C: made.C, answers } satisfies Classified as Classified
  })
  return [
    yield* learn("labelled questions", labelled.length, given.length - labelled.length),
    yield* learn("these and captions", all.length, given.length + memory.length - all.length)
  ]
}, (effect, run) => Effect.provide(effect, imagesOf(run.config)))
