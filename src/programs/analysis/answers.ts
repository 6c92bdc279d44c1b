/** Answers of a run as people read them, and the passages that they were given from. */
import * as Effect from "effect/Effect"
import type { Judged } from "../../domain/judge.ts"
import { modeOf } from "../../systems/all.ts"
import type { Opened } from "./system.ts"

/** An answer as it was written: an explanation, the text that an option was read from, or a free answer; "" of an option alone. */
export const writtenOf = ({ options, prediction, written }: Judged): string =>
  written !== "" ? written : options.length === 0 ? prediction : ""

/** The answer and, on a line of its own, what was written besides; "" if there is none. */
export const answerGiven = ({ prediction, written }: Judged): string =>
  written === "" || written === prediction ? prediction : `${prediction}\n${written}`.trim()

/** The texts of the passages that the reader was given, best first. */
export const passagesOf = Effect.fnUntraced(function*({ config, corpus }: Opened, judged: Judged) {
  const { answering, traits: { passages: given } } = modeOf(config)
  const { width } = answering(1).stage.adds.support
  const ids = given === "none" ? [] : given === "gold" ? judged.gold : judged.found.map(([id]) => id)
  const passages = yield* corpus.read(ids.slice(0, width).map(corpus.row))
  return passages.map(({ text }) => text)
})
