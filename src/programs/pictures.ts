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
import { type ImageError, Images, together } from "../runtime/ports/Images.ts"

/** The pictures that records name. */
export const imagesOf = (c: RunConfig) => imagesLayer({ memory: c.images_in_memory * 2 ** 20 })

/** The corpus, and the pictures that it and the questions name. */
export const around = (c: RunConfig, passages: Corpus["Service"]) =>
  Layer.merge(Layer.succeed(Corpus, passages), imagesOf(c))

/** A record that may have a picture. */
type Pictured = Pick<QuestionRecord, "id" | "image">

/** Pictures that were decoded, and what is wrong with the others. */
interface Seen {
  readonly shown: Array<Shown>
  readonly broken: Array<ImageError>
}

/** Adds the pictures of records that have one, each decoded. */
const see = Effect.fnUntraced(function*(records: ReadonlyArray<Pictured>, { broken, shown }: Seen) {
  const images = yield* Images
  for (const { id, image = "" } of records) {
    const read = image === "" ? undefined : yield* Effect.result(images.read(image))
    if (read?._tag === "Failure") broken.push(read.failure)
    if (read?._tag !== "Success") continue
    const { hash, picture } = read.success
    shown.push({ id, hash, fingerprint: fingerprint(opaque(picture, "drop")) })
  }
})

/** That so many of a file's pictures cannot be read, and which are the first; nothing if all can. */
const problemIn = ({ broken: [first, ...others], shown }: Seen, what: string): ReadonlyArray<string> =>
  first ? [together([first, ...others], 1 + others.length + shown.length, what).message] : []

/**
 * Of each split but training, the questions whose pictures passages or training have; every picture is decoded for it. Fails with all that cannot
 * be.
 */
export const leaksOfPictures = Effect.fnUntraced(function*(
  _: RunConfig,
  passages: Corpus["Service"],
  records: ReadonlyMap<string, ReadonlyArray<QuestionRecord>>
) {
  const stored: Seen = { shown: [], broken: [] }
  yield* Stream.runForEach(passages.all, (passage) => see([passage], stored))
  const asked = new Map<string, Seen>([["train", { shown: [], broken: [] }]])
  for (const [split, own] of records) {
    const seen: Seen = { shown: [], broken: [] }
    yield* see(own, seen)
    asked.set(split, seen)
  }
  const ofQuestions = [...asked].flatMap(([split, seen]) => problemIn(seen, `${split} questions`))
  const problems = [...problemIn(stored, "passages"), ...ofQuestions]
  if (problems.length > 0) return yield* new ConfigError({ source: "pictures", problems })
  const train = asked.get("train")!.shown
  return Object.fromEntries(
    [...asked].filter(([split]) => split !== "train").map(([split, { shown }]) => {
      const [inPassages, inTraining] = [pictureLeaks(shown, stored.shown), pictureLeaks(shown, train)]
      return [split, {
        picture_in_passages: inPassages.same,
        picture_in_training: inTraining.same,
        picture_like_passages: inPassages.alike,
        picture_like_training: inTraining.alike
      }] as const
    })
  )
}, (effect, c) => Effect.provide(effect, imagesOf(c)))

/** References of pictures that were decoded before: several parts of a command look at the same questions. */
const decoded = new Set<string>()

/** Fails with all pictures of questions that cannot be decoded: each would end a run at the step that asks about it. */
export const decodable = Effect.fnUntraced(function*(
  _: RunConfig,
  source: string,
  records: ReadonlyArray<Pictured>
) {
  const images = yield* Images
  const given = new Set(records.flatMap(({ image = "" }) => image === "" ? [] : [image]))
  const broken: Array<ImageError> = []
  for (const reference of given) {
    if (decoded.has(reference)) continue
    const hash = yield* Effect.result(images.hash(reference))
    if (hash._tag === "Failure") broken.push(hash.failure)
    else decoded.add(reference)
  }
  const [first, ...others] = broken
  if (first === undefined) return
  return yield* new ConfigError({ source, problems: [together([first, ...others], given.size, "questions").message] })
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
