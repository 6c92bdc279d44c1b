/** Pictures of a run: where they are had from, and which of them the reader's prompts leave out. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { ConfigError } from "../domain/settings/configure.ts"
import { IMAGE, showsImage } from "../domain/settings/placeholders.ts"
import type { RunConfig } from "../domain/settings/RunConfig.ts"
import { exists } from "../runtime/files/disk.ts"
import * as Images from "../runtime/pictures/images.ts"
import { fileOf } from "../runtime/pictures/reference.ts"
import { Corpus } from "../runtime/ports/Corpus.ts"

/** The pictures that records name. */
export const imagesOf = (c: RunConfig) => Images.layer({ memory: c.images_in_memory * 2 ** 20 })

/** The corpus, and the pictures that it and the questions name. */
export const around = (c: RunConfig, passages: Corpus["Service"]) =>
  Layer.merge(Layer.succeed(Corpus, passages), imagesOf(c))

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
interface Shown {
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
  records: Stream.Stream<Shown, E, R>
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
