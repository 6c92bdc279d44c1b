/** Another model's choice of one passage for a question. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { withOptions } from "../../domain/records/options.ts"
import type { QuestionRecord } from "../../domain/records/Records.ts"
import { shapeOf } from "../../runtime/language/structured.ts"
import { ofOneRequest, Writer } from "../../runtime/ports/Writer.ts"
import { asking, type Fields, writeFields } from "../synthesize/forms.ts"
import { load } from "../writing/template.ts"

const fields: Fields<{ readonly passage: number }> = {
  shape: shapeOf("choice", Schema.Struct({ passage: Schema.Int })),
  labels: [{ name: "Passage", key: "passage", about: "its number", number: true }]
}
/** Greatest length of the judge's answer in tokens. */
const MOST = 256

/** The prompt that comes with the package. */
export const prompt = load(undefined, "judge-passage", { question: "needed", passages: "needed", count: "possible" })

/** A question whose passages a judge is to choose from, as texts, best first. */
export interface Choice {
  readonly record: QuestionRecord
  readonly passages: ReadonlyArray<string>
}

/** The place of the passage that the judge chooses for each question; -1 where it refuses or says nothing that can be read. */
export const chosen = Effect.fn("choosePassages")(function*(choices: ReadonlyArray<Choice>) {
  const template = yield* prompt
  const { concurrency } = yield* Writer
  const turns = ({ passages, record }: Choice) =>
    template.turns({
      question: withOptions(record.question, record.options),
      passages: passages.map((text, i) => `${i + 1}. ${text}`).join("\n\n"),
      count: String(passages.length)
    })
  const ask = (own: Choice) =>
    writeFields(fields, "auto")(asking(fields, "auto")({ turns: turns(own), max_tokens: MOST })).pipe(
      Effect.map(({ value }) => {
        const place = (value?.passage ?? 0) - 1
        return place >= 0 && place < own.passages.length ? place : -1
      }),
      Effect.catchIf((error) => ofOneRequest(error) !== undefined, () => Effect.succeed(-1))
    )
  return yield* Effect.forEach(choices, ask, { concurrency })
})
