/** GGUF files: round trips, and every way a file can be wrong. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { join } from "node:path"
import * as Key from "../../../src/domain/Key.ts"
import { quantised, writtenTypes } from "../../../src/runtime/files/gguf/blocks/quantise.ts"
import { types } from "../../../src/runtime/files/gguf/blocks/types.ts"
import { guarded } from "../../../src/runtime/files/gguf/malformed.ts"
import * as Gguf from "../../../src/runtime/files/gguf/read.ts"
import { llama3Divisors } from "../../../src/runtime/files/gguf/rope.ts"
import { turned, unturned } from "../../../src/runtime/files/gguf/rows.ts"
import { type Entry, write } from "../../../src/runtime/files/gguf/write.ts"
import { readBytes, readJson } from "../../../src/runtime/files/model.ts"
import * as WeightFiles from "../../../src/runtime/files/weights.ts"
import { folderOf, onDisk } from "../../support/files.ts"

/** Little-endian numbers and texts, one after another. */
const u32 = (n: number) => new Uint8Array(Uint32Array.of(n).buffer)
const u64 = (n: number | bigint) => new Uint8Array(BigUint64Array.of(BigInt(n)).buffer)
const text = (value: string) => {
  const bytes = new TextEncoder().encode(value)
  return Buffer.concat([u64(bytes.length), bytes])
}

interface Tensor {
  readonly name?: string
  readonly sizes?: ReadonlyArray<number | bigint>
  readonly type?: number
  readonly offset?: number | bigint
}

interface Parts {
  readonly magic?: string
  readonly version?: number
  readonly tensorCount?: number | bigint
  readonly entryCount?: number | bigint
  readonly entries?: ReadonlyArray<Uint8Array>
  readonly tensors?: ReadonlyArray<Tensor>
  /** Bytes after the header's padding. */
  readonly data?: number
}

const entry = (key: string, type: number, value: Uint8Array) => Buffer.concat([text(key), u32(type), value])
const tensorOf = ({ name = "w", offset = 0, sizes = [8], type = 0 }: Tensor) =>
  Buffer.concat([text(name), u32(sizes.length), ...sizes.map(u64), u32(type), u64(offset)])

/** A file of these parts; without any, one that is in order. */
const fileOf = ({ data = 32, entries = [], magic = "GGUF", tensors = [{}], version = 3, ...counts }: Parts) => {
  const head = Buffer.concat([
    Buffer.from(magic),
    u32(version),
    u64(counts.tensorCount ?? tensors.length),
    u64(counts.entryCount ?? entries.length),
    ...entries,
    ...tensors.map(tensorOf)
  ])
  return new Uint8Array(Buffer.concat([head, new Uint8Array((32 - head.length % 32) % 32), new Uint8Array(data)]))
}

const opened = Effect.fnUntraced(function*(bytes: Uint8Array) {
  return yield* Gguf.open(join(yield* folderOf({ "m.gguf": bytes }), "m.gguf"))
})
const readAll = Effect.fnUntraced(function*(bytes: Uint8Array) {
  const file = yield* opened(bytes)
  yield* guarded(file.path, () => file.metadata.keys.map((key) => file.metadata.value(key)))
  return yield* Effect.forEach(file.tensors.keys(), (name) => file.read(name))
})

const name = fc.stringMatching(/^[a-zé][a-z.0-9]{0,8}$/)
const entries: fc.Arbitrary<Entry> = fc.oneof(
  fc.nat().map((u32) => ({ u32 })),
  fc.float({ noNaN: true, noDefaultInfinity: true }).map((f32) => ({ f32 })),
  fc.boolean().map((flag) => ({ flag })),
  fc.string({ unit: "grapheme" }).filter((s) => s.isWellFormed()).map((text) => ({ text })),
  fc.array(fc.string(), { maxLength: 4 }).map((texts) => ({ texts })),
  fc.array(fc.integer({ min: -9, max: 9 }), { maxLength: 4 }).map((i32s) => ({ i32s }))
)
const anyFile = fc.record({
  entries: fc.uniqueArray(fc.tuple(name, entries), { selector: ([key]) => key, maxLength: 6 }),
  tensors: fc.uniqueArray(fc.tuple(name, fc.integer({ min: 1, max: 3 }), fc.constantFrom(...writtenTypes), fc.nat()), {
    selector: ([key]) => key,
    maxLength: 4
  })
})
type AnyFile = typeof anyFile extends fc.Arbitrary<infer A> ? A : never

const valuesOf = (rows: number, seed: number) =>
  Float32Array.from({ length: rows * 32 }, (_, i) => Key.normal(Key.make(seed), i))

/** The bytes of a file of ours. */
const written = Effect.fnUntraced(function*({ entries, tensors }: AnyFile) {
  const path = join(yield* folderOf({}), "m.gguf")
  yield* write(
    path,
    new Map(entries),
    tensors.map(([key, rows, type, seed]) => ({
      name: key,
      type,
      shape: [rows, 32],
      values: Effect.succeed(valuesOf(rows, seed))
    }))
  )
  return yield* readBytes(path)
})

describe("a GGUF file", () => {
  it("gives back what was written", () =>
    fc.assert(
      fc.asyncProperty(anyFile, (some) =>
        Effect.runPromise(onDisk(Effect.gen(function*() {
          const file = yield* opened(yield* written(some))
          for (const [key, entry] of some.entries) {
            const [value] = Object.values(entry) as ReadonlyArray<unknown>
            const got = file.metadata.value(key)
            assert.deepStrictEqual("f32" in entry ? Math.fround(Number(got)) : got, value as typeof got, key)
          }
          assert.strictEqual(file.tensors.size, some.tensors.length)
          for (const [key, rows, type, seed] of some.tensors) {
            const values = valuesOf(rows, seed)
            assert.deepStrictEqual(yield* file.blocks(key), quantised(values, type))
            if (type === "F32") assert.deepStrictEqual((yield* file.read(key)).data, values)
          }
        })))),
      { numRuns: 30 }
    ))

  it("with any byte changed, or cut anywhere, is read or refused by one error", () =>
    fc.assert(
      fc.asyncProperty(anyFile, fc.nat(), fc.nat({ max: 255 }), fc.boolean(), (some, place, byte, cuts) =>
        Effect.runPromise(onDisk(Effect.gen(function*() {
          const bytes = (yield* written(some)).slice()
          const at = place % bytes.length
          if (!cuts) {
            bytes[at] = byte
          }
          const outcome = yield* Effect.exit(readAll(cuts ? bytes.subarray(0, at) : bytes))
          if (outcome._tag === "Success") {
            return
          }
          const [reason] = outcome.cause.reasons
          assert.strictEqual(reason?._tag === "Fail" && reason.error._tag, "FileError", String(outcome.cause))
        })))),
      { numRuns: 200 }
    ))

  for (
    const [what, parts, place, reason] of [
      ["is something else", { magic: "GGML" }, "header", /is not GGUF/],
      ["is of the first format", { version: 1 }, "header", /format 1; 2 and 3 are read/],
      ["is of a format to come", { version: 4 }, "header", /format 4/],
      ["is big-endian", { version: 0x03000000 }, "header", /big-endian/],
      ["states more tensors than it can hold", { tensorCount: 2n ** 62n }, "header", /states \d+ tensors.*too few/],
      ["states more entries than it can hold", { entryCount: 1e9 }, "header", /states 1000000000 entries/],
      ["states one more tensor than it has", { tensorCount: 2 }, "tensor ", /0 dimensions/],
      ["has a key twice", { entries: [entry("a", 4, u32(1)), entry("a", 4, u32(2))] }, "a", /twice/],
      ["has a value of an unknown type", { entries: [entry("a", 13, u32(1))] }, "\"a\"", /unknown type 13/],
      [
        "has a list of lists",
        { entries: [entry("a", 9, Buffer.concat([u32(9), u64(1), u32(4), u64(0)]))] },
        "\"a\"",
        /list of lists/
      ],
      [
        "has a list longer than the file",
        { entries: [entry("a", 9, Buffer.concat([u32(4), u64(2n ** 60n)]))] },
        "\"a\"",
        /truncated/
      ],
      ["has a text longer than the file", { entries: [entry("a", 8, u64(2n ** 63n))] }, "\"a\"", /truncated/],
      [
        "is aligned to what is no power of two",
        { entries: [entry("general.alignment", 4, u32(48))] },
        "general.alignment",
        /48 is no power of two/
      ],
      ["has a tensor of five dimensions", { tensors: [{ sizes: [1, 1, 1, 1, 8] }] }, "tensor w", /5 dimensions/],
      ["has a tensor without values", { tensors: [{ sizes: [8, 0] }] }, "tensor w", /no values/],
      ["has a tensor of a type that is not read", { tensors: [{ type: 16 }] }, "tensor w", /type IQ2_XXS is not read/],
      ["has a tensor of an unknown type", { tensors: [{ type: 99 }] }, "tensor w", /type number 99/],
      ["has rows of no whole blocks", { tensors: [{ type: 8, sizes: [33] }] }, "tensor w", /33 values.*blocks of 32/],
      ["has a tensor off the alignment", { tensors: [{ offset: 8 }] }, "tensor w", /no multiple of 32/],
      ["has a hole", { tensors: [{ offset: 32 }], data: 64 }, "tensor w", /where 0 is the next/],
      [
        "has two tensors in one place",
        { tensors: [{ sizes: [16] }, { name: "v", offset: 32 }], data: 64 },
        "tensor v",
        /within another that ends at 64/
      ],
      ["has two tensors of one name", { tensors: [{}, { offset: 32 }], data: 64 }, "tensor w", /twice/],
      ["ends in a tensor", { data: 31 }, "tensor w", /truncated/],
      ["has a tensor beyond the end", { tensors: [{ sizes: [2n ** 40n] }] }, "tensor w", /truncated/],
      ["has bytes that no tensor has", { data: 64 }, "header", /32 bytes at the end/]
    ] as ReadonlyArray<readonly [string, Parts, string, RegExp]>
  ) {
    it.live(`that ${what} is refused, telling where`, () =>
      onDisk(Effect.map(Effect.flip(opened(fileOf(parts))), (error) => {
        assert.match(error.path, /m\.gguf$/)
        assert.strictEqual(error.place, place)
        assert.match(error.reason, reason)
      })))
  }
  it.live("of format 2 is read like one of format 3", () =>
    onDisk(Effect.map(opened(fileOf({ version: 2 })), ({ tensors, version }) => {
      assert.deepStrictEqual([version, [...tensors.keys()]], [2, ["w"]])
    })))
  it.live("whose values are not finite is refused, telling where", () =>
    onDisk(Effect.gen(function*() {
      const bytes = fileOf({})
      new DataView(bytes.buffer).setFloat32(bytes.length - 28, NaN, true)
      const error = yield* Effect.flip(Effect.flatMap(opened(bytes), (file) => file.read("w")))
      assert.deepStrictEqual([error.place, error.reason], ["tensor w", "element 1 is NaN"])
    })))
})

describe("the order of rows", () => {
  it("of llama's queries is undone", () => {
    const data = Float32Array.from({ length: 2 * 6 * 3 }, (_, i) => i)
    const other = turned(data, 12, 2)
    assert.deepStrictEqual([...other.subarray(0, 9)], [0, 1, 2, 9, 10, 11, 3, 4, 5])
    const bytes = new Uint8Array(other.buffer.slice(0) as ArrayBuffer)
    assert.deepStrictEqual(new Float32Array(unturned(bytes, 12, 2).buffer), data)
  })
})

/** A small model of an architecture, as far as its header states it. */
const headerOf = (more: Readonly<Record<string, Entry>>, tensors: ReadonlyArray<string> = []) =>
  Effect.gen(function*() {
    const path = join(yield* folderOf({}), "m.gguf")
    const entries = Object.entries<Entry>({
      "general.architecture": { text: "llama" },
      "llama.context_length": { u32: 64 },
      "llama.embedding_length": { u32: 32 },
      "llama.block_count": { u32: 1 },
      "llama.feed_forward_length": { u32: 32 },
      "llama.attention.head_count": { u32: 2 },
      "llama.attention.layer_norm_rms_epsilon": { f32: 1e-5 },
      ...more
    })
    const all = ["token_embd.weight", ...tensors].map((name) => ({
      name,
      type: "F32" as const,
      shape: [4, 32],
      values: Effect.succeed(new Float32Array(128))
    }))
    yield* write(path, new Map(entries), all)
    return path
  })
const configOf = (more: Readonly<Record<string, Entry>>) =>
  Effect.flatMap(headerOf(more), (path) => readJson(join(path, "config.json"))) as Effect.Effect<
    Readonly<Record<string, unknown>>,
    Effect.Error<ReturnType<typeof readJson>>
  >

describe("a model in GGUF", () => {
  it.live("states short numbers, a tied head and RoPE's base", () =>
    onDisk(Effect.map(configOf({ "llama.rope.freq_base": { f32: 500_000 } }), (config) => {
      assert.deepInclude(config, {
        model_type: "llama",
        vocab_size: 4,
        rms_norm_eps: 1e-5,
        rope_theta: 500_000,
        tie_word_embeddings: true,
        num_key_value_heads: 2
      })
    })))
  for (
    const [more, place, reason] of [
      [
        { "general.architecture": { text: "mamba" } },
        "general.architecture",
        /"mamba" is not known here \(known: llama/
      ],
      [{ "general.type": { text: "adapter" } }, "general.type", /only models/],
      [{ "split.count": { u32: 3 } }, "split.count", /in 3 files/],
      [{ "llama.expert_count": { u32: 8 } }, "llama.expert_count", /llama.expert_count 8/],
      [{ "llama.logit_scale": { f32: 2 } }, "llama.logit_scale", /changes what is computed/],
      [{ "llama.vocab_size": { u32: 5 } }, "llama.vocab_size", /is 5, and token_embd.weight has the rows 4/],
      [{ "llama.rope.scaling.type": { text: "longrope" } }, "llama.rope.scaling.type", /"longrope" is not known/],
      [{ "llama.rope.dimension_count": { u32: 8 } }, "llama.rope.dimension_count", /8 of 16/],
      [{ "llama.attention.head_count": { i32s: [2] } }, "llama.attention.head_count", /is not a whole number/]
    ] as ReadonlyArray<readonly [Readonly<Record<string, Entry>>, string, RegExp]>
  ) {
    it.live(`is refused with ${JSON.stringify(more)}`, () =>
      onDisk(Effect.map(Effect.flip(configOf(more)), (error) => {
        assert.strictEqual(error.place, place)
        assert.match(error.reason, reason)
      })))
  }
  it.live("is refused with a tensor that the architecture has no name for", () =>
    onDisk(Effect.gen(function*() {
      const error = yield* Effect.flip(WeightFiles.open(yield* headerOf({}, ["blk.0.ssm_a.weight"])))
      assert.match(
        `${error.place} ${error.reason}`,
        /tensor blk\.0\.ssm_a\.weight is unknown to the architecture llama/
      )
    })))
  it.live("tells of keys of other programs, and of no others", () =>
    onDisk(Effect.map(configOf({ "quantize.imatrix.file": { text: "x" }, "maker.note": { text: "y" } }), (config) => {
      assert.strictEqual(config["maker.note"], "y")
      assert.notProperty(config, "quantize.imatrix.file")
    })))
  it.live("has the blocks of quantised matrices as they are, in the order of the state dict's rows", () =>
    onDisk(Effect.gen(function*() {
      const path = join(yield* folderOf({}), "m.gguf")
      const data = valuesOf(16, 3)
      const entries = new Map<string, Entry>([
        ["general.architecture", { text: "llama" }],
        ["llama.attention.head_count", { u32: 2 }]
      ])
      const tensor = (name: string) => ({ name, type: "Q8_0" as const, shape: [16, 32], values: Effect.succeed(data) })
      yield* write(path, entries, [tensor("blk.0.attn_q.weight"), tensor("blk.0.attn_v.weight")])
      const sources = (yield* WeightFiles.open(path))!
      for (const [name, isTurned] of [["q", true], ["v", false]] as const) {
        const source = sources.get(`model.layers.0.self_attn.${name}_proj.weight`)!
        const blocks = source.file.blocks!(source.name)!
        assert.deepStrictEqual([blocks.type, blocks.shape], ["Q8_0", [16, 32]])
        const bytes = yield* blocks.bytes
        const values = new Float32Array(16 * 32)
        types.get(8)!.decode(bytes, values)
        assert.deepStrictEqual(values, (yield* source.file.read(source.name)).data)
        const whole = quantised(data, "Q8_0") as Uint8Array<ArrayBuffer>
        assert.deepStrictEqual(bytes, isTurned ? unturned(whole, 16, 2) : whole)
      }
    })))
})

describe("RoPE's divisors", () => {
  const config = (divisors: ReadonlyArray<number>) =>
    Effect.gen(function*() {
      const path = join(yield* folderOf({}), "m.gguf")
      const template = yield* headerOf({})
      const file = yield* Gguf.open(template)
      const entries = new Map<string, Entry>(
        file.metadata.keys.map((key) => {
          const value = file.metadata.value(key)
          return [
            key,
            typeof value === "string" ? { text: value } : key.endsWith("epsilon") ? { f32: Number(value) } : {
              u32: Number(value)
            }
          ]
        })
      )
      yield* write(path, entries, [
        { name: "rope_freqs.weight", type: "F32", shape: [8], values: Effect.succeed(Float32Array.from(divisors)) },
        { name: "token_embd.weight", type: "F32", shape: [4, 32], values: Effect.succeed(new Float32Array(128)) }
      ])
      return yield* readJson(join(path, "config.json")) as Effect.Effect<{ readonly rope_scaling: object }>
    })
  it.live("are Llama 3's parameters where these make them", () =>
    onDisk(Effect.gen(function*() {
      const scaling = { factor: 32, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 }
      const { rope_scaling } = yield* config(llama3Divisors(scaling, { headSize: 16, theta: 10_000 }))
      assert.deepStrictEqual(rope_scaling, { rope_type: "llama3", ...scaling })
    })))
  it.live("are LongRoPE's factors, the same at every length, where nothing else makes them", () =>
    onDisk(Effect.gen(function*() {
      const factors = [1, 1, 1.5, 2, 3, 4, 5, 7]
      const { rope_scaling } = yield* config(factors)
      assert.deepStrictEqual(rope_scaling, {
        rope_type: "longrope",
        short_factor: factors,
        long_factor: factors,
        attention_factor: 1,
        original_max_position_embeddings: 64
      })
    })))
})
