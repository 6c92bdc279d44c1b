/** Pictures that records name, and archives of arrays that are not what they should be. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { importFile } from "../../../src/datasets/medmnist/import.ts"
import { distance, fingerprint } from "../../../src/domain/pictures/likeness.ts"
import { resize } from "../../../src/domain/pictures/resample.ts"
import { npy } from "../../../src/runtime/files/arrays/npz.ts"
import { decode } from "../../../src/runtime/pictures/decode.ts"
import { reader } from "../../../src/runtime/pictures/reference.ts"

const golden = join(import.meta.dirname, "../../golden")
const arrays = join(golden, "arrays")
const rgb = join(golden, "pictures/rgb.png")
const run = <A, E>(effect: Effect.Effect<A, E, FileSystem.FileSystem>) => Effect.provide(effect, NodeFileSystem.layer)
const message = (reference: string, records = join(arrays, "records.jsonl")) =>
  run(Effect.map(Effect.flip(reader()(reference, records)), (error) => error.message))

describe("a picture that a record names", () => {
  it.effect("is found beside the record's file, in an array, or in the record", () =>
    run(Effect.gen(function*() {
      const look = reader()
      const records = join(arrays, "records.jsonl")
      const file = yield* look("../pictures/rgb.png", records)
      const within = yield* look(`data:image/png;base64,${readFileSync(rgb).toString("base64")}`, records)
      assert.deepStrictEqual(within.picture, file.picture)
      for (const name of ["pneumoniamnist", "pneumoniamnist_28"]) {
        const gray = yield* look(`${name}.npz#train_images/2`, records)
        assert.deepStrictEqual([gray.picture.width, gray.picture.height], [4, 3])
        assert.deepStrictEqual(Array.from(gray.picture.data.subarray(0, 6)), [24, 24, 24, 25, 25, 25])
      }
      const colour = yield* look("colour.npz#test_images/1", records)
      assert.deepStrictEqual([...colour.picture.data], Array.from({ length: 18 }, (_, i) => 18 + i))
    })))
  it.effect("is refused with what was tried", () =>
    Effect.gen(function*() {
      assert.match(yield* message("none.png"), /arrays.none\.png: there is no such file/)
      assert.match(
        yield* message("data:image/png,xyz"),
        /records\.jsonl, data:image\/png,xyz: is no data URI in base64/
      )
      assert.match(yield* message("data:image/png;base64,AAAA"), /is no picture by its first bytes/)
      assert.match(yield* message("colour.npz#test_images/9"), /test_images has 3 rows, the last of which is 2/)
      assert.match(yield* message("colour.npz#other/0"), /has no array other; it has .*test_images/)
      assert.match(yield* message("colour.npz#train_labels/0"), /has the shape \(4\), and is to be pictures/)
      assert.match(yield* message("../pictures/rgb.png.npz#a/0"), /there is no such file/)
    }))
})

describe("an array's file", () => {
  it("is refused where it is not of bytes in C order, or not whole", () => {
    const made = (header: string, data: ArrayLike<number> = []) => {
      const text = `\x93NUMPY\x01\x00${String.fromCharCode(header.length, 0)}${header}`
      return Uint8Array.from([...Array.from(text, (c) => c.charCodeAt(0)), ...Array.from(data)])
    }
    const header = (type: string, order = "False") =>
      `{'descr': '${type}', 'fortran_order': ${order}, 'shape': (2, 1), }`
    assert.deepStrictEqual(npy(made(header("|u1"), [5, 6]), "a"), { shape: [2, 1], data: Uint8Array.of(5, 6) })
    assert.throws(() => npy(made(header("<f4"), [5, 6]), "a"), /a has elements of type <f4/)
    assert.throws(() => npy(made(header("|u1", "True"), [5, 6]), "a"), /a is in Fortran order/)
    assert.throws(() => npy(made(header("|u1"), [5]), "a"), /a has 1 bytes for the shape \(2,1\)/)
    assert.throws(() => npy(made("nothing"), "a"), /header that is not understood/)
    assert.throws(() => npy(new Uint8Array(20), "a"), /a is no NumPy array/)
  })
  it.effect("is refused where the archive is damaged or cut", () =>
    run(
      Effect.gen(function*() {
        const fs = yield* FileSystem.FileSystem
        const folder = yield* fs.makeTempDirectoryScoped({ prefix: "npz-" })
        const bytes = new Uint8Array(readFileSync(join(arrays, "pneumoniamnist_28.npz")))
        const told = Effect.fnUntraced(function*(changed: Uint8Array) {
          yield* fs.writeFile(join(folder, "a.npz"), changed)
          return yield* message("a.npz#train_images/0", join(folder, "records.jsonl"))
        })
        assert.match(yield* told(bytes.slice(0, bytes.length - 30)), /a\.npz: is no ZIP archive, or is truncated/)
        assert.match(yield* told(bytes.slice(40)), /has a damaged directory|is not where it is said to be/)
        const broken = bytes.slice()
        broken.fill(255, 60, 90)
        assert.match(yield* told(broken), /train_images.*(is damaged|NumPy)/)
      }).pipe(Effect.scoped)
    ))
})

describe("a set of MedMNIST", () => {
  const imported = Effect.fnUntraced(function*(name: string, options: object) {
    const fs = yield* FileSystem.FileSystem
    const out = join(yield* fs.makeTempDirectoryScoped({ prefix: "medmnist-" }), "out")
    const counts = yield* importFile(join(arrays, name), out, { labelled: 2, seed: 0, ...options })
    const read = (file: string) =>
      Effect.map(
        fs.readFileString(join(out, file)),
        (text) =>
          text.trimEnd().split("\n").map((line) =>
            JSON.parse(line) as {
              readonly image: string
              readonly split?: string
              readonly group: string
              readonly text?: string
              readonly answer?: string
            }
          )
      )
    return { counts, out, passages: yield* read("passages.jsonl"), questions: yield* read("questions.jsonl") }
  })
  const refusal = (name: string, options: object) =>
    run(Effect.scoped(Effect.map(Effect.flip(imported(name, options)), (error) => String(error.message))))

  it.effect("holds out pictures that are neither passages nor learned", () =>
    run(
      Effect.gen(function*() {
        const options = { labelled: 1, held: 2 }
        const { counts, passages, questions } = yield* imported("pneumoniamnist_28.npz", options)
        assert.deepStrictEqual(counts, { passages: 2, train: 1, dev: 2, test: 3, held: 2, duplicates: 3, unused: 0 })
        const held = questions.filter(({ split }) => split === "held")
        const others = new Set(
          [...passages, ...questions.filter((own) => !held.includes(own))].map(({ group }) => group)
        )
        assert.strictEqual(held.length, 2)
        assert.isFalse(held.some(({ group }) => others.has(group)))
        assert.match(yield* refusal("pneumoniamnist_28.npz", { held: 9 }), /held \(9\)/)
      }).pipe(Effect.scoped)
    ))
  it.effect("becomes passages and questions about other pictures, each of which is found", () =>
    run(
      Effect.gen(function*() {
        const { counts, out, passages, questions } = yield* imported("pneumoniamnist_28.npz", {})
        assert.deepStrictEqual(counts, { passages: 3, train: 2, dev: 2, test: 3, held: 0, duplicates: 3, unused: 0 })
        assert.deepStrictEqual(questions.map(({ split }) => split), [
          "train",
          "train",
          "dev",
          "dev",
          "test",
          "test",
          "test"
        ])
        const groups = [...passages, ...questions].map(({ group }) => group)
        assert.strictEqual(new Set(groups).size, groups.length - 1, "one picture is twice in the test set")
        const shown = new Set(passages.map(({ group }) => group))
        assert.isFalse(questions.some(({ group }) => shown.has(group)))
        assert.match(passages[0]!.text!, /^This chest X-ray shows: (normal|pneumonia)\.$/)
        const look = reader()
        for (const { image } of [...passages, ...questions]) yield* look(image, join(out, "questions.jsonl"))
        const stored = yield* imported("pneumoniamnist.npz", {})
        assert.deepStrictEqual(stored.questions.map(({ answer }) => answer), questions.map(({ answer }) => answer))
      }).pipe(Effect.scoped)
    ))
  it.effect("keeps to the numbers that are asked for, and to the seed", () =>
    run(
      Effect.gen(function*() {
        const some = yield* imported("pneumoniamnist_28.npz", { labelled: 1, memory: 2 })
        assert.deepStrictEqual([some.counts.passages, some.counts.train, some.counts.unused], [2, 1, 2])
        const again = yield* imported("pneumoniamnist_28.npz", { labelled: 1, memory: 2 })
        assert.deepStrictEqual(again.passages.map(({ group }) => group), some.passages.map(({ group }) => group))
      }).pipe(Effect.scoped)
    ))
  it.effect("is refused where it is not what is asked for", () =>
    Effect.gen(function*() {
      assert.match(
        yield* refusal("pneumoniamnist_28.npz", { labelled: 4, memory: 2 }),
        /has 5 distinct pictures to train on, fewer than/
      )
      assert.match(yield* refusal("pneumoniamnist_28.npz", { labelled: -1 }), /labelled \(-1\)/)
      assert.match(yield* refusal("colour.npz", {}), /is no set of MedMNIST.*give --labels/)
      assert.match(yield* refusal("colour.npz", { labels: ["a"] }), /has the label 1, and 1 names of labels/)
      assert.match(yield* refusal("chest.npz", { labels: ["a", "b"] }), /has 2 labels a picture/)
      assert.match(yield* refusal("volumes.npz", { labels: ["a", "b"] }), /volumes are not read/)
    }))
})

describe("likeness", () => {
  it.effect("is of pictures of other sizes and qualities, and not of others", () =>
    run(Effect.gen(function*() {
      const of = (name: string) =>
        Effect.map(decode(readFileSync(join(dirname(rgb), name)), name), ({ picture }) => picture)
      const [one, poor, other] = [yield* of("rgb.png"), yield* of("poor.jpg"), yield* of("420.jpg")]
      const own = fingerprint(one)
      assert.strictEqual(distance(own, own), 0)
      assert.isAtMost(distance(own, fingerprint(resize(one, { width: 150, height: 80 }, "bicubic"))), 4)
      assert.isAtMost(distance(own, fingerprint(poor)), 10)
      assert.isAtLeast(distance(own, fingerprint(other)), 16)
      assert.strictEqual(distance(0n, 2n ** 64n - 1n), 64)
    })))
})
