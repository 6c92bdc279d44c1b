/** Weights spread over files: shards, dense layers behind a model, and what is wrong with any of them. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFileSync } from "node:child_process"
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { flatten, normal, ones } from "../../../src/kernels/nn/Module.ts"
import { encode } from "../../../src/runtime/files/safetensors/write.ts"
import { linearOnly } from "../../../src/runtime/files/sentence/modules.ts"
import * as ModelFolder from "../../../src/runtime/models/folder.ts"
import { folderOf, onDisk } from "../../support/files.ts"

const params = flatten({ a: { weight: normal([2, 3], 1) }, b: ones(4), c: { d: ones(1) } })
const stored = (names: Readonly<Record<string, ReadonlyArray<number>>>): Uint8Array =>
  encode(
    new Map(
      Object.entries(names).map(([name, shape]) => [
        name,
        { shape, data: new Float32Array(shape.reduce((x, y) => x * y, 1)).fill(name.length) }
      ])
    )
  )
const index = (weight_map: Readonly<Record<string, string>>): string =>
  JSON.stringify({ metadata: { total_size: 44 }, weight_map })
const [one, two] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
const shards = {
  "model.safetensors.index.json": index({ "a.weight": one, b: one, "c.d": two }),
  [one]: stored({ "a.weight": [2, 3], b: [4] }),
  [two]: stored({ "c.d": [1] })
}
const loaded = (files: Readonly<Record<string, string | Uint8Array | undefined>>, options?: ModelFolder.Options) =>
  Effect.flatMap(folderOf(files), (folder) => ModelFolder.weights(folder, params, 1, options))

describe("shards", () => {
  it.live("are one set of weights", () =>
    onDisk(Effect.map(loaded(shards), (weights) => {
      const [a, b, d] = [new Float32Array(6).fill(8), new Float32Array(4).fill(1), Float32Array.of(3)]
      assert.deepStrictEqual(weights, new Map([["a.weight", a], ["b", b], ["c.d", d]]))
    })))
  const wrong: ReadonlyArray<readonly [string, Parameters<typeof loaded>[0], RegExp, RegExp]> = [
    ["a file is missing", { [two]: "" }, /00002-of-00002/, /truncated/],
    [
      "the index is missing",
      { "model.safetensors.index.json": undefined },
      /index\.json/,
      /is not there, although model-/
    ],
    [
      "the index names a file elsewhere",
      { "model.safetensors.index.json": JSON.stringify({ weight_map: { b: "../b.safetensors" } }) },
      /index\.json/,
      /no name of a file beside it/
    ],
    ["the index is no index", { "model.safetensors.index.json": "[]" }, /index\.json/, /object/],
    [
      "a tensor is not in its file",
      { [two]: stored({ "c.e": [1] }) },
      /index\.json/,
      /^c\.d is not in model-00002-of-00002\.safetensors$/
    ],
    [
      "several tensors do not fit",
      { [one]: stored({ "a.weight": [3, 2], b: [4], "c.x": [7] }) },
      /00001-of-00002/,
      /^a\.weight is \[3,2\], not \[2,3\]; c\.x \[7\] is unknown to this architecture$/
    ]
  ]
  for (const [what, files, path, reason] of wrong) {
    it.live(`are refused where ${what}`, () =>
      onDisk(Effect.map(Effect.flip(loaded({ ...shards, ...files })), (error) => {
        assert.match(error.path, path)
        assert.match(error.reason, reason)
      })))
  }
  it.live("of a link that leads nowhere are refused", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({ "untrained.json": "{}" })
      symlinkSync("../../blobs/0a1b2c", join(folder, "model.safetensors"))
      const error = yield* Effect.flip(ModelFolder.weights(folder, params, 1, { draws: true }))
      assert.match(error.message, /model\.safetensors: is a link that leads nowhere$/)
    })))
  it.live("give way to the whole file", () =>
    onDisk(Effect.map(
      loaded({ ...shards, "model.safetensors": stored({ "a.weight": [2, 3], b: [4], "c.d": [1] }), [two]: "" }),
      (weights) => assert.strictEqual(weights.size, 3)
    )))
})

describe("weights under other names", () => {
  it.live("are those that the naming tells, and some are left unread", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({
        "model.safetensors": stored({ "x.a.weight": [2, 3], "x.b": [4], "pooler.weight": [9] }),
        "modules.json": JSON.stringify([{ path: "", type: "Transformer" }, { path: "1_Dense", type: "models.Dense" }])
      })
      const dense = join(folder, "1_Dense")
      mkdirSync(dense)
      writeFileSync(join(dense, "model.safetensors"), stored({ linear: [1] }))
      writeFileSync(
        join(dense, "config.json"),
        JSON.stringify({ activation_function: "torch.nn.modules.linear.Identity" })
      )
      const names = new Map([["x.a.weight", "a.weight"], ["x.b", "b"], ["1_Dense.linear", "c.d"]])
      const naming = (name: string) => names.get(name)
      const weights = yield* ModelFolder.weights(folder, params, 1, { naming })
      assert.deepStrictEqual(weights.get("c.d"), Float32Array.of(6))
      const twice = yield* Effect.flip(
        ModelFolder.weights(folder, params, 1, { naming: (name) => names.has(name) ? "b" : undefined })
      )
      writeFileSync(join(dense, "config.json"), JSON.stringify({ activation_function: "torch.nn.Tanh" }))
      const bent = yield* Effect.flip(linearOnly(folder))
      assert.deepStrictEqual([bent.path, /Identity/.test(bent.reason)], [join(dense, "config.json"), true])
      assert.match(twice.reason, /^x\.b is b a second time; 1_Dense\.linear is b a second time; a\.weight .* missing/)
    })))
  it.live("are drawn where they are missing and dispensable", () =>
    onDisk(Effect.map(
      loaded({ "model.safetensors": stored({ "a.weight": [2, 3], b: [4] }) }, {
        dispensable: (path) => path === "c.d"
      }),
      (weights) => assert.deepStrictEqual(weights.get("c.d"), Float32Array.of(1))
    )))
})

describe("weights in another format", () => {
  for (const name of ["pytorch_model.bin", "pytorch_model-00001-of-00002.bin", "model.gguf"]) {
    it.live(`are not passed over: ${name}`, () =>
      onDisk(Effect.map(Effect.flip(loaded({ [name]: "" })), (error) => {
        assert.isTrue(error.path.endsWith(name))
        assert.match(error.reason, /no model\.safetensors/)
      })))
  }
})

describe("reading weights", () => {
  for (const dtype of ["F32", "BF16"]) {
    it.live(`takes no more than a tenth above their own memory: ${dtype}`, () =>
      Effect.sync(() => {
        const bench = join(import.meta.dirname, "..", "..", "..", "bench", "load.ts")
        const report = execFileSync(process.execPath, [bench, "--json", "--megabytes", "192", "--dtype", dtype])
        const { bytes, ratio } = JSON.parse(report.toString()) as { readonly bytes: number; readonly ratio: number }
        assert.isAbove(bytes, 150 * 2 ** 20)
        assert.isBelow(ratio, 1.1)
      }), 180_000)
  }
})
