/** Pictures of a run: where they are had from, and which of them the reader's prompts leave out. */
import * as Layer from "effect/Layer"
import { IMAGE, showsImage } from "../domain/settings/placeholders.ts"
import type { RunConfig } from "../domain/settings/RunConfig.ts"
import * as Images from "../runtime/pictures/images.ts"
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
