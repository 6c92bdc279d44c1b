/** Pictures of a run: where they are had from, and which of them the reader's prompts leave out. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { pictureLeaks, type Shown } from "../domain/pictures/leaks.ts"
import { fingerprint } from "../domain/pictures/likeness.ts"
import { opaque } from "../domain/pictures/Picture.ts"
import type { QuestionRecord } from "../domain/records/Records.ts"
import { ConfigError } from "../domain/settings/configure.ts"
import { IMAGE, showsImage } from "../domain/settings/placeholders.ts"
import type { RunConfig } from "../domain/settings/RunConfig.ts"
import { exists } from "../runtime/files/disk.ts"
import { layer as imagesLayer } from "../runtime/pictures/images.ts"
import { fileOf } from "../runtime/pictures/reference.ts"
import { Corpus } from "../runtime/ports/Corpus.ts"
import { Images } from "../runtime/ports/Images.ts"

/** The pictures that records name. */
export const imagesOf = (c: RunConfig) => imagesLayer({ memory: c.images_in_memory * 2 ** 20 })

/** The corpus, and the pictures that it and the questions name. */
export const around = (c: RunConfig, passages: Corpus["Service"]) =>
  Layer.merge(Layer.succeed(Corpus, passages), imagesOf(c))

/** The pictures of records that have one, each decoded. */
const shownIn = Effect.fnUntraced(function*(records: ReadonlyArray<{ readonly id: string; readonly image?: string }>) {
  const images = yield* Images
  const pictured = records.filter(({ image = "" }) => image !== "")
  return yield* Effect.forEach(
    pictured,
    ({ id, image }) =>
      Effect.map(images.read(image!), ({ hash, picture }): Shown => ({
        id,
        hash,
        fingerprint: fingerprint(opaque(picture, "drop"))
      }))
  )
})

/** Of each split but training, the questions whose pictures passages or training have; every picture is decoded for it. */
export const leaksOfPictures = Effect.fnUntraced(function*(
  _: RunConfig,
  passages: Corpus["Service"],
  records: ReadonlyMap<string, ReadonlyArray<QuestionRecord>>
) {
  const stored: Array<Shown> = []
  yield* Stream.runForEach(passages.all, (passage) => Effect.map(shownIn([passage]), (own) => void stored.push(...own)))
  const train = yield* shownIn(records.get("train") ?? [])
  const found = yield* Effect.forEach(
    [...records].filter(([split]) => split !== "train"),
    ([split, test]) =>
      Effect.map(shownIn(test), (own) => {
        const [inPassages, inTraining] = [pictureLeaks(own, stored), pictureLeaks(own, train)]
        return [split, {
          picture_in_passages: inPassages.same,
          picture_in_training: inTraining.same,
          picture_like_passages: inPassages.alike,
          picture_like_training: inTraining.alike
        }] as const
      })
  )
  return Object.fromEntries(found)
}, (effect, c) => Effect.provide(effect, imagesOf(c)))

/** That so many passages or questions have pictures which the reader's prompts do not show, in a sentence. */
export const unseen = (
  c: RunConfig,
  part: "document_prompt" | "question_prompt",
  pictures: number
): string | undefined => {
  if (pictures === 0 || showsImage(c, part)) return undefined
  const what = part === "document_prompt" ? "passages" : "questions"
  return `${pictures} ${what} have pictures that the reader is not shown: ${part} has no ${IMAGE}`
}

/** What of a passage or a question a reader is shown. */
interface Showable {
  readonly id: string
  readonly image?: string | undefined
  readonly texts: ReadonlyArray<string>
}

/** Records, and the prompt that shows them. */
interface Showing {
  readonly source: string
  readonly what: "passages" | "questions"
  readonly part: "document_prompt" | "question_prompt"
  /** The token that stands for pictures; none for a reader of texts. */
  readonly prompts: { readonly pictures: { readonly token: string } | undefined }
}

/**
 * Refuses records that a reader of pictures cannot be shown: words that it takes for a picture, and pictures in files that are
 * not there. One pass over them; nothing for a reader of texts.
 */
export const showable = Effect.fnUntraced(function*<E, R>(
  c: RunConfig,
  { part, prompts, source, what }: Showing,
  records: Stream.Stream<Showable, E, R>
) {
  if (!prompts.pictures) return
  const { token } = prompts.pictures
  const worded: Array<string> = []
  const files = new Map<string, string>()
  yield* Stream.runForEach(records, ({ id, image = "", texts }) =>
    Effect.sync(() => {
      if (texts.some((text) => text.includes(token))) worded.push(id)
      const file = image === "" || !showsImage(c, part) ? undefined : fileOf(image)
      if (file !== undefined && !files.has(file)) files.set(file, id)
    }))
  const lost = yield* Effect.filter([...files], ([file]) => Effect.map(exists(file), (is) => !is), { concurrency: 16 })
  const problems = [
    worded.length > 0
    && `${worded.length} ${what} have the words ${token}, which the reader takes for a picture (first: ${worded[0]!})`,
    lost.length > 0 && `${lost.length} pictures of ${what} are not there (first: ${lost[0]![0]}, of ${lost[0]![1]})`
  ].filter((problem) => problem !== false)
  if (problems.length > 0) return yield* new ConfigError({ source, problems })
})
