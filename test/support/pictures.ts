/** Pictures for tests: drawn from their names, and a corpus and queries of them. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { join } from "node:path"
import { fromRecords } from "../../src/datasets/corpus/corpus.ts"
import { asked, type Content } from "../../src/domain/Content.ts"
import * as Key from "../../src/domain/Key.ts"
import type { Picture } from "../../src/domain/pictures/Picture.ts"
import type { Passage } from "../../src/domain/records/Records.ts"
import { type Retrieval, retrieval } from "../../src/domain/settings/retrieval.ts"
import { defaultsOf } from "../../src/domain/settings/setting.ts"
import { type Training, training } from "../../src/domain/settings/training.ts"
import { sha256 } from "../../src/runtime/files/disk.ts"
import { Corpus } from "../../src/runtime/ports/Corpus.ts"
import { Images } from "../../src/runtime/ports/Images.ts"
import type { LearningSettings } from "../../src/runtime/retrieval/pictures/retriever.ts"
import * as Tiny from "./tiny.ts"

/** A picture of 6 × 5 pixels by its name; names that differ in what follows a "#" have the same. */
export const pictureOf = (name: string): Picture => {
  const key = Key.fold(Key.make(7), name.split("#")[0]!)
  const data = Uint8Array.from({ length: 90 }, (_, i) => Key.integer(key, i, 256))
  return { width: 6, height: 5, channels: 3, data }
}

/** Every name has a picture. */
export const images = Layer.succeed(Images, {
  read: (name) => Effect.succeed({ picture: pictureOf(name), hash: sha256(pictureOf(name).data) }),
  hash: (name) => Effect.succeed(sha256(pictureOf(name).data))
})

/** A caption of letters that the encoders' small vocabularies have. */
const caption = (i: number): string => Array.from(i.toString(5), (digit) => "abcde"[Number(digit)]!).join(" ")

/** As many as the tiny passages, each with a picture and a caption of its own. */
export const passages: ReadonlyArray<Passage> = Tiny.passages.map(({ id }, i) => ({
  id,
  text: caption(i),
  image: `picture ${id}`
}))

export const corpusOf = (records: ReadonlyArray<Passage>) => Layer.succeed(Corpus, fromRecords(records))

/** A question, asked with a picture that no passage has. */
export const ask = (question: string): Content => asked(`asked ${question}`, question)

/** Folder of an encoder of pictures of 12 × 12 pixels and of texts. */
export const clip = join(import.meta.dirname, "../golden/vision/clip")

/** The same as open_clip publishes them: timm's ViT beside a BERT. */
export const biomed = join(import.meta.dirname, "../golden/openClip/biomed")

/** Settings of a retriever of pictures. */
export const settings = (changes: {
  readonly name?: string
  readonly heads?: Partial<LearningSettings["heads"]>
  readonly exclusion?: LearningSettings["exclusion"]
  readonly training?: Partial<Training>
  readonly retrieval?: Partial<Retrieval>
  readonly snapshotSteps?: number
} = {}): LearningSettings => ({
  name: changes.name ?? clip,
  heads: {
    used: ["image"],
    learns: "image",
    kind: { kind: "adapter", width: 4 },
    weight: 0.15,
    seed: 3,
    ...changes.heads
  },
  exclusion: changes.exclusion ?? { self: false, group: false },
  training: { ...defaultsOf(training) as Training, max_steps: 20, warmup_steps: 0, ...changes.training },
  retrieval: { ...defaultsOf(retrieval) as Retrieval, ...changes.retrieval },
  learningRate: 1e-2,
  snapshotSteps: changes.snapshotSteps ?? 10,
  temperature: 0.1
})
