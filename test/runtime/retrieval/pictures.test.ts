/** Retrievers of pictures: heads that begin as their encoder, learn from distributions, and do not find what is a query's own. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import type * as Scope from "effect/Scope"
import * as fc from "fast-check"
import { basename, join } from "node:path"
import { asked } from "../../../src/domain/Content.ts"
import { pixelVector } from "../../../src/domain/pictures/pixels.ts"
import type { Passage } from "../../../src/domain/records/Records.ts"
import type { HeadKind } from "../../../src/kernels/nn/pictures/heads.ts"
import { cpu } from "../../../src/runtime/engine/providers.ts"
import { layer as onDisk } from "../../../src/runtime/files/checkpoints.ts"
import { make } from "../../../src/runtime/pictures/encoder.ts"
import { Checkpoints } from "../../../src/runtime/ports/Checkpoints.ts"
import { Retriever, RetrieverLearner, type RetrieverLesson } from "../../../src/runtime/ports/Retriever.ts"
import { kindOf } from "../../../src/runtime/retrieval/pictures/heads.ts"
import { type LearningSettings, readOnly, trainable } from "../../../src/runtime/retrieval/pictures/retriever.ts"
import { save as saveHeads } from "../../../src/runtime/retrieval/pictures/saved.ts"
import * as Memory from "../../support/memory.ts"
import { ask, biomed, clip, corpusOf, images, passages, pictureOf, settings } from "../../support/pictures.ts"
import { warned } from "../../support/warnings.ts"
import { learnerSuite, retrieverSuite, type Subject } from "../ports/retriever.suite.ts"

const around = (records: ReadonlyArray<Passage>) =>
  Layer.mergeAll(images, corpusOf(records), cpu({ threads: 1 }), NodeFileSystem.layer, Memory.checkpoints().layer)

type Around = Layer.Success<ReturnType<typeof around>>

/** With a fresh layer over some passages. */
const within =
  <R, E>(layer: Layer.Layer<R, E, Around>, records = passages) =>
  <A, E2>(effect: Effect.Effect<A, E2, R | Scope.Scope>): Effect.Effect<A, unknown> =>
    effect.pipe(
      Effect.provide(layer.pipe(Layer.provide(around(records))), { local: true }),
      Effect.scoped
    ) as Effect.Effect<A, unknown>

const subject = <R, E>(layer: Layer.Layer<R, E, Around>): Subject<R> => (effect) =>
  Effect.provideService(within(layer)(effect), References.MinimumLogLevel, "None")
const traits = { finds: "all", rounding: 1e-5, ask } as const

retrieverSuite("of pictures, by pixels", subject(readOnly(settings({ name: "pixels:4" }))), traits)
retrieverSuite("of pictures", subject(readOnly(settings())), traits)
retrieverSuite(
  "of pictures and captions",
  subject(readOnly(settings({ heads: { used: ["image", "text"] }, retrieval: { index_in_memory: 0 } }))),
  traits
)
const kinds: ReadonlyArray<HeadKind> = [
  { kind: "adapter", width: 4 },
  { kind: "layers", n: 1 },
  { kind: "copy" }
]
for (const kind of kinds) {
  const made = subject(trainable(settings({ heads: { kind } })))
  const own = { ...traits, learns: true, objectives: "distributions" } as const
  retrieverSuite(`of pictures whose head learns (${kind.kind})`, made, own)
  learnerSuite(`of pictures whose head learns (${kind.kind})`, made, own)
}

const queries = ["one", "two", "three"].map(ask)
const all = passages.length
const close = (got: ArrayLike<number>, want: ArrayLike<number>, by = 1e-5) =>
  Array.from(got, (value, i) => assert.closeTo(value, want[i]!, by))

/** Rankings and scores of the queries. */
const ranked = Effect.flatMap(Retriever, ({ search }) => search(queries, all))

describe("a head before it has learned", () => {
  for (const kind of kinds) {
    for (const learns of ["image", "text"] as const) {
      it.live(`leaves retrieval by ${learns} as it was (${kind.kind})`, () =>
        Effect.gen(function*() {
          const own = settings({ heads: { kind, learns, used: [learns] } })
          const before = yield* within(readOnly(own))(ranked)
          const after = yield* within(trainable(own))(ranked)
          assert.deepStrictEqual(after.docs, before.docs)
          close(after.scores, before.scores)
        }))
    }
  }
})

/** The first `n` passages of each query, with a target. */
const lessonOf = (docs: Int32Array, target: Float32Array): RetrieverLesson => ({
  queries,
  docs,
  objective: { _tag: "Listwise", target }
})
const softmax = (scores: ArrayLike<number>, temperature: number) => {
  const most = Math.max(...Array.from(scores))
  const weights = Array.from(scores, (score) => Math.exp((score - most) / temperature))
  const total = weights.reduce((a, b) => a + b)
  return weights.map((weight) => weight / total)
}
const rows = <A>(block: ArrayLike<A>, n: number) =>
  Array.from({ length: block.length / n }, (_, r) => Array.from({ length: n }, (_, i) => block[r * n + i]!))

describe("a head that learns", () => {
  const own = settings()
  it.live("has no gradient from utilities that are equal: the target is its own distribution", () =>
    within(trainable(own))(Effect.gen(function*() {
      const { docs } = yield* (yield* Retriever).search(queries, 4)
      const scores = yield* (yield* Retriever).score(queries, docs)
      const target = Float32Array.from(rows(scores, 4).flatMap((row) => softmax(row, own.temperature)))
      const norm = Math.max(...(yield* (yield* RetrieverLearner).gate(lessonOf(docs, target))).values())
      const other = target.map((_, i) => i % 4 === 3 ? 1 : 0)
      const moved = Math.max(...(yield* (yield* RetrieverLearner).gate(lessonOf(docs, other))).values())
      assert.isBelow(norm, 1e-5 * moved)
    })))
  it.live("learns the same whatever the order of the candidates", () => {
    const order = [2, 0, 3, 1]
    const losses = (permuted: boolean) =>
      within(trainable(own))(Effect.gen(function*() {
        const { docs } = yield* (yield* Retriever).search(queries, 4)
        const target = Float32Array.from(docs, (_, i) => [0.1, 0.2, 0.3, 0.4][i % 4]!)
        const at = (i: number) => permuted ? i - i % 4 + order[i % 4]! : i
        const lesson = lessonOf(docs.map((_, i) => docs[at(i)]!), target.map((_, i) => target[at(i)]!))
        const { learn } = yield* RetrieverLearner
        yield* learn(lesson)
        return { losses: yield* learn(lesson), after: yield* (yield* Retriever).score(queries, docs) }
      }))
    return Effect.gen(function*() {
      const [straight, other] = [yield* losses(false), yield* losses(true)]
      close(other.losses, straight.losses)
      close(other.after, straight.after)
    })
  })
  it.live("leaves out what is no passage", () =>
    within(trainable(own))(Effect.gen(function*() {
      const { gate, learn } = yield* RetrieverLearner
      const docs = Int32Array.from(queries.flatMap(() => [0, 1, -1]))
      const target = Float32Array.from(queries.flatMap(() => [0.5, 0.5, 0]))
      const two = lessonOf(docs.filter((doc) => doc >= 0), target.filter((share) => share > 0))
      const norms = [yield* gate(lessonOf(docs, target)), yield* gate(two)].map((all) => Array.from(all.values()))
      close(norms[0]!, norms[1]!)
      close(
        yield* learn(lessonOf(docs, target)),
        yield* within(trainable(own))(
          Effect.flatMap(RetrieverLearner, (fresh) => fresh.learn(two))
        )
      )
    })))
  it.live("is searched by a snapshot of it, taken after every few updates", () =>
    within(trainable(settings({ snapshotSteps: 2, heads: { weight: 1 } })))(Effect.gen(function*() {
      const [{ search }, { learn }] = [yield* Retriever, yield* RetrieverLearner]
      const docs = Int32Array.from(queries.flatMap(() => [...passages.keys()]))
      const lesson = lessonOf(docs, Float32Array.from(docs, (doc) => doc === 3 ? 1 : 0))
      const found = Effect.map(search(queries, all), ({ scores }) => scores)
      const first = yield* found
      yield* learn(lesson)
      assert.deepStrictEqual(yield* found, first)
      yield* learn(lesson)
      const second = yield* found
      assert.notDeepEqual(second, first)
      yield* learn(lesson)
      assert.deepStrictEqual(yield* found, second)
    })))
})

describe("a checkpoint of heads", () => {
  const run = Effect.fnUntraced(function*(folder: string, own: LearningSettings, steps: number, resume: boolean) {
    const checkpoints = onDisk({ output_dir: folder, save_total_limit: 2 } as never)
    const layer = trainable(own).pipe(Layer.provideMerge(checkpoints))
    return yield* Effect.gen(function*() {
      const [{ search }, { learn }, place] = [yield* Retriever, yield* RetrieverLearner, yield* Checkpoints]
      const from = resume ? (yield* place.restore({ a: "b" }))!.step : 0
      const found: Array<Float32Array> = []
      for (let step = from; step < steps; step++) {
        const { docs, scores } = yield* search(queries, 4)
        const target = Float32Array.from(docs, (_, i) => i % 4 === (step + Math.floor(i / 4)) % 4 ? 1 : 0)
        found.push(scores, yield* learn(lessonOf(docs, target)))
      }
      yield* place.save({ step: steps, run: { a: "b" } })
      return found
    }).pipe(Effect.provide(layer.pipe(Layer.provide(around(passages))), { local: true }), Effect.scoped)
  })
  const folder = Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped({ prefix: "heads-" }))
  const cases = [...kinds.map((kind) => [clip, kind] as const), ...kinds.map((kind) => [biomed, kind] as const)]
  for (const [encoder, kind] of cases) {
    it.live(
      `goes on to the bit, and is a folder that is opened again (${kind.kind} of ${basename(encoder)})`,
      () =>
        Effect.gen(function*() {
          const own = settings({ name: encoder, heads: { kind }, snapshotSteps: 3 })
          const [whole, parted] = [yield* folder, yield* folder]
          const straight = yield* run(whole, own, 7, false)
          const first = yield* run(parted, own, 4, false)
          const rest = yield* run(parted, own, 7, true)
          assert.deepStrictEqual([...first, ...rest], straight)
          const saved = join(parted, "checkpoint-7", "retriever")
          const read = (name: string) => within(readOnly({ ...own, name }))(ranked)
          const [trained, before] = [yield* read(saved), yield* read(encoder)]
          assert.notDeepEqual(trained.scores, before.scores)
          assert.deepStrictEqual(yield* read(join(whole, "checkpoint-7", "retriever")), trained)
          /** What was saved, or made of it, is the head: its vectors are those that find passages with λ 1. */
          const exported = yield* Effect.exit(saveHeads(saved, join(parted, "exported")))
          assert.strictEqual(exported._tag, kind.kind === "adapter" ? "Failure" : "Success")
          if (exported._tag === "Success") {
            const vectors = (name: string, names: ReadonlyArray<string>) =>
              Effect.flatMap(
                make(name),
                (encoder) => encoder.pictures(names.map((own) => ({ name: own, picture: pictureOf(own) })))
              )
            const alone = { ...own, name: saved, heads: { ...own.heads, weight: 1 } }
            const docs = Int32Array.from(passages.keys())
            const scores = yield* within(readOnly(alone))(
              Effect.flatMap(Retriever, ({ score }) => score([ask("one")], docs))
            )
            const head = yield* vectors(join(parted, "exported", "image"), ["asked one"])
            const frozen = yield* vectors(
              encoder,
              passages.map(({ image }) => image!)
            )
            const size = head.length
            close(
              scores,
              Float32Array.from(docs, (doc) => head.reduce((sum, x, d) => sum + x * frozen[doc * size + d]!, 0))
            )
          }
          /** The other head learns beside the one that is there. */
          const both = { ...own, name: saved, heads: { ...own.heads, learns: "text", used: ["text"] } as const }
          const text = yield* folder
          yield* run(text, both, 1, false)
          const again = yield* read(join(text, "checkpoint-1", "retriever"))
          assert.deepStrictEqual(again, trained)
          const { lines } = yield* warned(
            within(readOnly({ ...own, name: saved, heads: { ...own.heads, weight: 1 } }))(ranked)
          )
          assert.match(lines.join(), /were trained with head_weight 0.15, not 1/)
        }).pipe(Effect.scoped, Effect.provide(Layer.merge(cpu({ threads: 1 }), NodeFileSystem.layer), { local: true })),
      240_000
    )
  }
})

describe("what a query does not find", () => {
  const record = (i: number): Passage => ({
    id: `p${i}`,
    text: `t${i}`,
    image: `picture ${i % 5}#${i}`,
    group: `g${i % 3}`
  })
  const records = Array.from({ length: 12 }, (_, i) => record(i))
  it.live("is its own picture, in whatever file, and passages of its group", () => {
    const search = (self: boolean, group: boolean, picture: number, of: string, k: number) =>
      within(readOnly(settings({ name: "pixels:4", exclusion: { self, group } })), records)(
        Effect.flatMap(Retriever, (retriever) => retriever.search([asked(`picture ${picture}#new`, "")], k, [of]))
      )
    return Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(
          fc.boolean(),
          fc.boolean(),
          fc.nat(6),
          fc.constantFrom("", "g0", "g1", "other"),
          fc.integer({ min: 1, max: 14 }),
          async (self, group, picture, of, k) => {
            const { docs, scores } = await Effect.runPromise(search(self, group, picture, of, k))
            const everything = await Effect.runPromise(search(false, false, picture, of, records.length))
            const allowed = [...everything.docs].filter((doc) =>
              !(self && doc % 5 === picture) && !(group && `g${doc % 3}` === of)
            )
            assert.deepStrictEqual([...docs].filter((doc) => doc >= 0), allowed.slice(0, k))
            assert.strictEqual(docs.length, k)
            docs.forEach((doc, i) => assert.strictEqual(doc < 0, scores[i] === -Infinity))
          }
        ),
        { numRuns: 25 }
      )
    )
  })
})

describe("a retriever of pictures is refused", () => {
  const refusal = (own: LearningSettings, records = passages) =>
    Effect.map(Effect.flip(within(trainable(own), records)(ranked)), (error) => (error as Error).message)
  it.live("where heads cannot be had, in words", () =>
    Effect.gen(function*() {
      const pixels = (heads: Partial<LearningSettings["heads"]>) => refusal(settings({ name: "pixels", heads }))
      assert.match(
        yield* pixels({ learns: "text" }),
        /pixels: encodes pictures alone: a text head .*set heads: \[image\]/
      )
      assert.match(yield* pixels({ used: ["image", "text"] }), /encodes pictures alone/)
      assert.match(
        yield* pixels({ kind: { kind: "copy" } }),
        /has no layers that a head could copy .*set head: adapter/
      )
      assert.match(yield* refusal(settings({ heads: { kind: { kind: "layers", n: 3 } } })), /has 2 layers, fewer than/)
    }))
  it.live("where passages lack what a head looks for, or a query its picture", () =>
    Effect.gen(function*() {
      const bare = [{ id: "bare", text: "words" }, ...passages]
      assert.match(
        yield* refusal(settings(), bare),
        /1 of \d+ passages have no picture, which the image head looks for/
      )
      const mute = [{ id: "mute", text: " ", image: "picture" }, ...passages]
      const text = settings({ heads: { learns: "text" } })
      assert.match(yield* refusal(text, mute), /1 of \d+ passages have no caption, which the text head looks for/)
      const search = within(readOnly(settings()))(
        Effect.flatMap(Retriever, (own) => own.search([asked("", "Which?")], 1))
      )
      assert.match(
        ((yield* Effect.flip(search)) as Error).message,
        /the query "Which\?": there is no such picture \(it has none/
      )
    }))
})

describe("kinds of heads", () => {
  it("are spelled", () => {
    assert.deepStrictEqual(["copy", "layers:2", "adapter:16"].map(kindOf), [
      { kind: "copy" },
      { kind: "layers", n: 2 },
      { kind: "adapter", width: 16 }
    ])
    for (const wrong of ["", "layers", "layers:0", "adapter", "copy:1"]) assert.isUndefined(kindOf(wrong))
  })
})

describe("pixels as a vector", () => {
  it("are centred, of length 1, and 0 for one colour", () => {
    const vector = pixelVector(pictureOf("a"), 4)
    assert.closeTo(vector.reduce((sum, x) => sum + x, 0), 0, 1e-5)
    assert.closeTo(Math.hypot(...vector), 1, 1e-6)
    const brighter = { ...pictureOf("a"), data: pictureOf("a").data.map((value) => value >> 1) }
    assert.isAbove(pixelVector(brighter, 4).reduce((sum, x, i) => sum + x * vector[i]!, 0), 0.99)
    const flat = pixelVector({ width: 2, height: 2, channels: 3, data: new Uint8Array(12).fill(9) }, 4)
    assert.deepStrictEqual([...flat], Array<number>(16).fill(0))
  })
})
