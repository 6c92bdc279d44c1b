/** Configs by chance beside a tokenizer.json: ids and texts are those of transformers (tokenizerConfigs.py). */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as Tokenizer from "../../src/runtime/tokenizers/tokenizer.ts"
import { folderOf, onDisk } from "../support/files.ts"

interface Configs {
  readonly lines: ReadonlyArray<string>
  readonly folders: ReadonlyArray<{
    readonly added: ReadonlyArray<object>
    readonly files: Readonly<Record<string, object>>
    readonly results: ReadonlyArray<readonly [ReadonlyArray<number>, string]>
  }>
}

const folder = join(import.meta.dirname, "tokenizers")
const json = (...names: ReadonlyArray<string>): unknown => JSON.parse(readFileSync(join(folder, ...names), "utf8"))
const base = json("llama2", "tokenizer.json") as object
const { folders, lines } = json("configs.json") as Configs

describe("files beside a tokenizer.json", () => {
  it.live("change it as transformers has it", () =>
    onDisk(Effect.gen(function*() {
      assert.strictEqual(folders.length, 60)
      for (const { added, files, results } of folders) {
        const all = { ...files, "tokenizer.json": { ...base, added_tokens: added } }
        const texts = Object.entries(all).map(([name, content]) => [name, JSON.stringify(content)] as const)
        const { decode, encode } = yield* Tokenizer.load(yield* folderOf(Object.fromEntries(texts)))
        const own = lines.map((line) => [encode(line), decode(encode(line))] as const)
        assert.deepStrictEqual(own, results, JSON.stringify(files))
      }
    })))
})
