/** Merges of tiny models, element by element, against mergekit 0.1.5: see merge.py. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { cpu } from "../../src/runtime/engine/providers.ts"
import * as Safetensors from "../../src/runtime/files/safetensors/write.ts"
import { decode } from "../../src/runtime/models/merging/config.ts"
import * as Merge from "../../src/runtime/models/merging/merge.ts"
import { folderOf, onDisk } from "../support/files.ts"

interface Case {
  readonly config: Readonly<Record<string, unknown>>
  readonly written: Readonly<Record<string, unknown>>
  readonly tokens?: Readonly<Record<string, number>>
}

const folder = join(import.meta.dirname, "merge")
const json = (...path: ReadonlyArray<string>) => JSON.parse(readFileSync(join(...path), "utf8")) as Record<string, any>
const cases = json(folder, "cases.json") as Readonly<Record<string, Case>>

/** The names of the models as paths. */
const absolute = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(absolute)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, v]) => {
      const isModel = key === "model" || key === "base_model" ||
        (key === "tokenizer_source" && !/^(base|union)$/.test(v as string))
      return [key, isModel ? join(folder, v as string) : absolute(v)]
    })
  )
}

/** The masks that merge.py draws. */
const draw: Merge.Draw = () => (i) => ((i + 1) * 0.6180339887498949) % 1

const merged = Effect.fnUntraced(function*(given: Case["config"]) {
  const source = "merge.yaml"
  const { config } = yield* decode(source, absolute(given) as Case["config"])
  const prepared = yield* Merge.prepare({ source, config, references: new Map(), draw, maxShardSize: 1e9 })
  const out = join(yield* folderOf({}), "out")
  yield* Merge.save(prepared, out, new Map())
  return out
}, Effect.provide(cpu({ threads: 1 })))

describe("mergekit", () => {
  for (const [name, { config, tokens, written }] of Object.entries(cases)) {
    it.live(`${name}: the same weights`, () =>
      onDisk(Effect.gen(function*() {
        const expected = yield* Safetensors.read(join(folder, "expected.safetensors"))
        const out = yield* merged(config)
        const got = yield* Safetensors.read(join(out, "model.safetensors"))
        const want = [...expected].filter(([key]) => key.startsWith(`${name}/`))
        assert.sameMembers([...got.keys()], want.map(([key]) => key.slice(name.length + 1)))
        const [near, exact] = [name.startsWith("nuslerp") ? 1e-5 : 1e-6, name.includes("bf16")]
        for (const [key, { data, shape }] of want) {
          const own = got.get(key.slice(name.length + 1))!
          assert.deepStrictEqual(own.shape, shape, key)
          const worst = data.reduce((w, x, i) => Math.max(w, Math.abs(own.data[i]! - x)), 0)
          assert.isAtMost(worst, exact ? 0 : near, key)
        }
        const wrote = json(out, "config.json")
        const { dtype, tie_word_embeddings, ...sizes } = written
        assert.deepInclude(wrote, sizes)
        assert.strictEqual(wrote["tie_word_embeddings"] ?? false, tie_word_embeddings)
        if (name !== "mixed") assert.strictEqual(wrote["dtype"], dtype)
        if (!tokens) return
        const { added_tokens, model } = json(out, "tokenizer.json")
        const added = (added_tokens as ReadonlyArray<any>).map(({ content, id }) => [content, id])
        assert.deepStrictEqual({ ...model.vocab, ...Object.fromEntries(added) }, tokens)
      })))
  }
})
