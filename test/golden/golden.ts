/** Reference files, the system they describe, and how near to them a float32 program must come. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { join } from "node:path"
import { fromRecords } from "../../src/datasets/dataset.ts"
import type { QuestionRecord } from "../../src/domain/records/Records.ts"
import type { Raw } from "../../src/domain/settings/RunConfig.ts"
import { cpu, reference } from "../../src/runtime/engine/providers.ts"
import type { Session } from "../../src/runtime/engine/Session.ts"
import * as Safetensors from "../../src/runtime/files/safetensors/write.ts"
import { Corpus } from "../../src/runtime/ports/Corpus.ts"
import * as Reporter from "../../src/runtime/ports/Reporter.ts"
import { tokenizerJson } from "../../src/runtime/tokenizers/train.ts"
import { decode } from "../../src/systems/jmlr/settings.ts"

export interface Provider {
  readonly name: string
  readonly session: Layer.Layer<Session>
  /** How far from the reference, relative to the greatest element of a tensor. */
  readonly tolerance: number
}

/**
 * float32 rounds each term of a sum to 6e-8 of itself: 1e-5 leaves room for the few hundred roundings on the longest
 * path through these models. The interpreter rounds only what it stores between steps and hands out.
 */
export const providers: ReadonlyArray<Provider> = [
  { name: "cpu", session: cpu({ threads: 1 }), tolerance: 1e-5 },
  { name: "reference", session: reference, tolerance: 1e-6 }
]

interface Model {
  readonly config: Readonly<Record<string, unknown>>
  readonly vocabulary: ReadonlyArray<string>
  readonly special: ReadonlyArray<string>
}

export interface Asked {
  readonly question: string
  readonly answer: string
}

/** What a reference file was made from. */
export interface Described {
  readonly settings: Raw
  readonly passages: ReadonlyArray<string>
  readonly questions: ReadonlyArray<Asked>
  readonly retriever?: Model
  readonly reader: Model
}

export interface Golden<D> {
  readonly described: D
  readonly tensors: Safetensors.StoredTensors
  /** The tensors whose names start with a prefix, without it. */
  readonly under: (prefix: string) => Safetensors.StoredTensors
}

/** The tensors of `name`.safetensors of this folder. */
export const readTensors = Effect.fnUntraced(function*(name: string) {
  const tensors = yield* Safetensors.read(join(import.meta.dirname, `${name}.safetensors`))
  const under = (prefix: string): Safetensors.StoredTensors =>
    new Map([...tensors].filter(([key]) => key.startsWith(prefix)).map(([key, t]) => [key.slice(prefix.length), t]))
  return { tensors, under }
})

/** The reference `name`.json and `name`.safetensors of this folder. */
export const read = Effect.fnUntraced(function*<D>(name: string) {
  const fs = yield* FileSystem.FileSystem
  const text = yield* fs.readFileString(join(import.meta.dirname, `${name}.json`))
  const golden: Golden<D> = { described: JSON.parse(text) as D, ...yield* readTensors(name) }
  return golden
})

/** A model folder as users have them: sizes, vocabulary and the reference's first weights. */
const writeModel = Effect.fnUntraced(function*(folder: string, model: Model, weights: Safetensors.StoredTensors) {
  const fs = yield* FileSystem.FileSystem
  const { config, special, vocabulary } = model
  const unknown = special.find((token) => /unk/i.test(token))!
  yield* fs.makeDirectory(folder, { recursive: true })
  yield* fs.writeFileString(join(folder, "config.json"), JSON.stringify(config))
  yield* fs.writeFileString(
    join(folder, "tokenizer.json"),
    JSON.stringify(tokenizerJson(vocabulary, special, unknown))
  )
  yield* fs.writeFile(join(folder, "model.safetensors"), Safetensors.encode(weights))
})

/** Model folders of a reference, in a folder that goes with the scope, and the settings of its run. */
export const prepare = Effect.fnUntraced(function*({ described, under }: Golden<Described>, overrides: Raw = {}) {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "golden-" })
  const path = (name: string) => join(folder, name)
  for (const name of ["retriever", "reader"] as const) {
    const model = described[name]
    if (model) yield* writeModel(path(name), model, under(`initial/${name}/`))
  }
  return yield* decode("golden", {
    output_dir: path("run"),
    passages_file: "passages.jsonl",
    retriever_name_or_path: path("retriever"),
    reader_name_or_path: path("reader"),
    ...described.settings,
    ...overrides
  })
})

/** All that the models need around them. */
export const surroundings = <E>(texts: ReadonlyArray<string>, session: Layer.Layer<Session, E>) =>
  Layer.mergeAll(
    Layer.succeed(Corpus, fromRecords(texts.map((text, i) => ({ id: `p${i}`, text })))),
    session,
    Reporter.silent,
    NodeFileSystem.layer
  )

/** Questions with free answers, as records of a file. */
export const records = (asked: ReadonlyArray<Asked>): ReadonlyArray<QuestionRecord> =>
  asked.map(({ answer, question }, i) => ({
    id: `q${i}`,
    question,
    options: [],
    answer,
    answerIndex: -1,
    gold: [],
    group: `q${i}`,
    type: ""
  }))

const greatest = (values: ArrayLike<number>): number => Array.from(values).reduce((m, x) => Math.max(m, Math.abs(x)), 0)

export interface Closeness {
  readonly tolerance: number
  /** Added to the bound, for tensors that are nothing but the rounding of much greater terms. */
  readonly tiny?: number
}

/**
 * Holds where no element is farther from the reference than the tolerance times the tensor's greatest. By tensor and
 * not by element: an element near zero is what is left of a sum of terms as great as the greatest.
 */
export const close = (
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  what: string,
  { tiny = 0, tolerance }: Closeness
): void => {
  assert.strictEqual(got.length, want.length, what)
  const bound = tolerance * greatest(want) + tiny
  const off = Array.from(want, (x, i) => Math.abs(got[i]! - x))
  const worst = off.reduce((at, x, i) => x > off[at]! || Number.isNaN(x) ? i : at, 0)
  const told = `${what}[${worst}] is ${got[worst]}, not ${want[worst]}: off by ${off[worst]}, at most ${bound}`
  assert.isTrue(off[worst]! <= bound, told)
}
