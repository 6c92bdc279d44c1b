/** What every place for checkpoints owes: what was saved, if it keeps anything, comes back to the bit, and to its own run alone. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import {
  Checkpoints,
  type Part,
  type PartState,
  type Saved,
  type Stored
} from "../../../src/runtime/ports/Checkpoints.ts"

/** Places of their own, each of which is opened as often as a process would open it. */
export type Place = Effect.Effect<
  <A, E>(effect: Effect.Effect<A, E, Checkpoints>) => Effect.Effect<A, unknown>,
  unknown
>

const tensor = (...data: ReadonlyArray<number>) => ({ shape: [data.length], data: Float32Array.from(data) })

/** A part with numbers of its own, which remembers what was loaded into it. */
const part = (from: number, own: Partial<PartState> = {}) => {
  const state: PartState = {
    weights: new Map([["a.weight", tensor(from, -0, 1e-45)], ["b", { shape: [0], data: new Float32Array(0) }]]),
    extra: new Map([["slot/exp_avg/a.weight", tensor(from + 0.5)]]),
    counters: { updates: from },
    files: [["config.json", "{}"]],
    ...own
  }
  const loaded: Array<Record<string, unknown>> = []
  const bytes = Effect.fnUntraced(function*({ names, read }: Stored) {
    const all = yield* Effect.forEach(names.toSorted(), (name) => Effect.map(read(name), (t) => [name, t] as const))
    return Object.fromEntries(
      all.map(([name, { data, shape }]) => [name, [shape, [...new Uint32Array(data.slice().buffer)]]])
    )
  })
  const load = Effect.fnUntraced(function*(saved: Saved) {
    loaded.push({
      weights: yield* bytes(saved.weights),
      extra: yield* bytes(saved.extra),
      counters: saved.counters,
      base: saved.base
    })
  })
  return { state, loaded, part: { save: () => state, load } satisfies Part }
}

const expected = ({ base, counters, extra, weights }: PartState) => {
  const bytes = (tensors: PartState["weights"]) =>
    Object.fromEntries(
      [...tensors].map(([name, { data, shape }]) => [name, [shape, [...new Uint32Array(data.slice().buffer)]]])
    )
  return { weights: bytes(weights), extra: bytes(extra), counters, base }
}

const run = { settings: "{}", corpus: "abc" }

export const checkpointsSuite = (name: string, place: Place, { keeps }: { readonly keeps: boolean }) =>
  describe(`a place for checkpoints ${name}`, () => {
    it.live("has nothing to restore before something was saved", () =>
      Effect.flatMap(place, (open) =>
        open(Effect.gen(function*() {
          const own = part(1)
          const checkpoints = yield* Checkpoints
          yield* checkpoints.register("reader", own.part)
          assert.isUndefined(yield* checkpoints.restore(run))
          assert.deepStrictEqual(own.loaded, [])
        }))))
    it.live(
      keeps ? "gives back the newest of what was saved" : "keeps nothing of what was saved",
      () =>
        Effect.gen(function*() {
          const open = yield* place
          const [reader, retriever] = [part(3), part(7, { base: "f".repeat(64) })]
          const where = yield* open(Effect.gen(function*() {
            const checkpoints = yield* Checkpoints
            yield* checkpoints.register("reader", part(1).part)
            yield* checkpoints.register("retriever", retriever.part)
            const first = yield* checkpoints.save({ step: 2, run })
            yield* checkpoints.register("reader", reader.part)
            return [first, yield* checkpoints.save({ step: 5, run })]
          }))
          assert.isTrue(where.every((path) => path !== "") && where[0] !== where[1])
          yield* open(Effect.gen(function*() {
            const checkpoints = yield* Checkpoints
            yield* checkpoints.register("retriever", retriever.part)
            yield* checkpoints.register("reader", reader.part)
            const found = yield* checkpoints.restore(run)
            if (!keeps) {
              assert.isUndefined(found)
              return assert.deepStrictEqual([reader.loaded, retriever.loaded], [[], []])
            }
            assert.deepStrictEqual(found, { step: 5, run })
            assert.deepStrictEqual(reader.loaded, [expected(reader.state)])
            assert.deepStrictEqual(retriever.loaded, [expected(retriever.state)])
            if (!keeps) return
            const error = yield* Effect.flip(checkpoints.restore({ ...run, corpus: "another" }))
            assert.match(error.message, /corpus was abc and is another/)
          }))
        })
    )
  })
