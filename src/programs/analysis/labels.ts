/** Captions of the passages found for a run's questions, as labels. */
import * as Effect from "effect/Effect"
import { labelOf, voted } from "../../domain/verdicts/labels.ts"
import type { Labelled } from "./kept.ts"
import type { Opened } from "./system.ts"

/**
 * What the captions of the first passages say of each question with options, of a corpus of pictures. Captions that name no option
 * count as other labels; how many do is told. Nothing where none names one.
 */
export const labelsOf = Effect.fn("labelsOf")(function*({ corpus, folder, judged, records }: Opened, passages: number) {
  const found = new Map<string, Labelled>()
  if (corpus.pictures === 0) return found as ReadonlyMap<string, Labelled>
  let [captions, unnamed] = [0, 0]
  for (const { answerIndex, id, options } of records) {
    if (answerIndex < 0) continue
    const first = judged.get(id)!.found.slice(0, passages)
    if (first.length === 0) continue
    const labels = (yield* corpus.read(first.map(([passage]) => corpus.row(passage)))).map(({ text }) =>
      labelOf(text, options)
    )
    captions += labels.length
    unnamed += labels.filter((label) => label < 0).length
    const copied = voted(labels, first.map(([, score]) => score)) === answerIndex ? 1 : 0
    found.set(id, { labelled: labels.map((label) => label === answerIndex ? 1 : 0), copied })
  }
  if (unnamed === captions) return new Map<string, Labelled>() as ReadonlyMap<string, Labelled>
  if (unnamed > 0) {
    yield* Effect.logWarning(`${folder}: ${unnamed} of ${captions} captions name no option, and count as other labels`)
  }
  return found as ReadonlyMap<string, Labelled>
})
