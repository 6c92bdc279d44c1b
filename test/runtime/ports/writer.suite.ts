/** What every writer owes. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { shapeOf, writeValue } from "../../../src/runtime/language/structured.ts"
import { Writer, type WriteRequest } from "../../../src/runtime/ports/Writer.ts"

/** Runs an effect with a writer whose answers are kept in a new folder, or in that of `run` before. */
export interface Subject {
  readonly run: <A, E>(effect: Effect.Effect<A, E, Writer>) => Effect.Effect<A, unknown>
}

const asked = (text: string, sample = 0): WriteRequest => ({
  turns: [{ role: "system", text: "Answer." }, { role: "user", text }],
  max_tokens: 6,
  sample
})
const shape = shapeOf("verdict", Schema.Struct({ relevant: Schema.Boolean }))

/** `make` opens a new folder of kept answers; the subject may be run several times over the same folder. */
export const writerSuite = (
  name: string,
  make: <A, E>(use: (subject: Subject) => Effect.Effect<A, E>) => Effect.Effect<A, unknown>
) => {
  const on = (check: (subject: Subject) => Effect.Effect<void, unknown>) => Effect.asVoid(make(check))
  return describe(`a writer ${name}`, () => {
    it.live("answers equal requests alike, and calls the model once", () =>
      on(({ run }) =>
        run(Effect.gen(function*() {
          const { spent, write } = yield* Writer
          const all = yield* Effect.forEach(
            [asked("Long fingers?"), asked("Kinky hair?"), asked("Long fingers?")],
            write,
            {
              concurrency: "unbounded"
            }
          )
          assert.deepStrictEqual(all[2], all[0])
          assert.notStrictEqual(all[1]!.request_key, all[0]!.request_key)
          assert.match(all[0]!.request_key, /^[0-9a-f]{64}$/)
          const { cached, calls, output_tokens } = yield* spent
          assert.deepStrictEqual([calls, cached], [2, 1])
          assert.isAbove(output_tokens, 0)
        }))
      ))
    it.live("keeps answers for the processes after it", () =>
      on(Effect.fnUntraced(function*({ run }) {
        const write = (own: WriteRequest) => Effect.flatMap(Writer, ({ write }) => write(own))
        const first = yield* run(write(asked("Long fingers?")))
        yield* run(Effect.gen(function*() {
          const { isKept, spent, write } = yield* Writer
          assert.isTrue(yield* isKept(asked("Long fingers?")))
          assert.isFalse(yield* isKept(asked("Long fingers?", 1)))
          assert.isFalse(yield* isKept({ ...asked("Long fingers?"), max_tokens: 7 }))
          assert.deepStrictEqual(yield* write(asked("Long fingers?")), first)
          assert.deepStrictEqual((yield* spent).calls, 0)
        }))
      })))
    it.live("tells another sample of the same request from the first", () =>
      on(({ run }) =>
        run(Effect.gen(function*() {
          const { spent, write } = yield* Writer
          const [a, b] = [yield* write(asked("Kinky hair?")), yield* write(asked("Kinky hair?", 1))]
          assert.notStrictEqual(a.request_key, b.request_key)
          assert.strictEqual((yield* spent).calls, 2)
        }))
      ))
    it.live("has a value of a schema, or says why there is none", () =>
      on(({ run }) =>
        run(Effect.gen(function*() {
          const { answer, problem, value } = yield* writeValue(asked("Is it relevant?"), shape)
          if (value === undefined) assert.isTrue(problem !== "" || answer.end !== "stop")
          else assert.isBoolean(value.relevant)
        }))
      ))
  })
}
