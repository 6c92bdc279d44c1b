/** A model that writes, in memory: what it was asked, and what it says of it. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Writer } from "../../src/runtime/ports/Writer.ts"

/** A judge that answers a request's last message. */
export const judgeOf = (mind: (asked: string) => string) => {
  const asked: Array<string> = []
  const layer = Layer.succeed(Writer, {
    name: "fake",
    seed: 0,
    concurrency: 1,
    kept: "",
    isKept: () => Effect.succeed(false),
    spent: Effect.succeed({ calls: 0, cached: 0, input_tokens: 0, output_tokens: 0, retries: 0 }),
    write: ({ turns }) =>
      Effect.sync(() => {
        const last = turns.at(-1)!.text
        asked.push(last)
        return {
          text: mind(last),
          end: "stop" as const,
          refusal: "",
          model: "fake",
          fingerprint: null,
          usage: { input: 0, output: 0 },
          request_key: ""
        }
      })
  })
  return { asked, judge: { layer, identity: { model: "fake" } } }
}
