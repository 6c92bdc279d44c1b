/** Queries for retrievers of texts. */
import * as Effect from "effect/Effect"
import { type Content, imagesIn, textOf } from "../../domain/Content.ts"

/** The texts of queries; that a retriever of texts does not look at their pictures is told once. */
export const queryTexts = () => {
  let told = false
  return (queries: ReadonlyArray<Content>) =>
    Effect.suspend(() => {
      const texts = queries.map(textOf)
      if (told || !queries.some((query) => imagesIn(query).length > 0)) return Effect.succeed(texts)
      told = true
      return Effect.as(Effect.logWarning("the retriever looks at no pictures: it is asked with texts alone"), texts)
    })
}
