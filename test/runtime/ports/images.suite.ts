/** What every layer of pictures owes: each by its reference, its hash, and three ways in which there is none. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { Images } from "../../../src/runtime/ports/Images.ts"

/** References of pictures, of which `same` are equal, and of what is none. */
export interface Given {
  readonly same: readonly [string, string]
  readonly other: string
  readonly missing: string
  readonly empty: string
  readonly undecodable: string
}

export const suite = <E>(name: string, layer: Layer.Layer<Images, E>, given: Given) =>
  describe(`pictures ${name}`, () => {
    const live = (what: string, test: (images: Images["Service"]) => Effect.Effect<void, unknown>) =>
      it.live(what, () => Effect.provide(Effect.flatMap(Images, test), layer))
    live("are the same as often as they are asked for, alone or at once", (images) =>
      Effect.gen(function*() {
        const references = [given.other, ...given.same, given.other]
        const apart = yield* Effect.forEach(references, images.read)
        const together = yield* Effect.forEach(references, images.read, { concurrency: "unbounded" })
        assert.deepStrictEqual(together, apart)
        for (const { picture: { channels, data, height, width } } of apart) {
          assert.strictEqual(data.length, width * height * channels)
        }
      }))
    live("have one hash if they are equal, and another if not", (images) =>
      Effect.gen(function*() {
        const [a, b, c] = yield* Effect.forEach([...given.same, given.other], images.hash)
        assert.match(a!, /^[0-9a-f]{64}$/)
        assert.strictEqual(a, b)
        assert.notStrictEqual(a, c)
        assert.strictEqual((yield* images.read(given.other)).hash, c)
      }))
    for (const kind of ["missing", "empty", "undecodable"] as const) {
      live(`are refused if ${kind}, with what was tried, and again if asked again`, (images) =>
        Effect.gen(function*() {
          const read = Effect.asVoid(images.read(given[kind]))
          for (const use of [read, Effect.asVoid(images.hash(given[kind])), read]) {
            const error = yield* Effect.flip(use)
            assert.strictEqual(error.kind, kind)
            assert.isTrue(given[kind].startsWith(error.path.split(",")[0]!), error.path)
          }
        }))
    }
  })
