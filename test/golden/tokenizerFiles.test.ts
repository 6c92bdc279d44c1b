/** Tokenizer files by chance, on lines of all scripts: ids and texts are those of Hugging Face's own library (tokenizerFiles.py). */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { crc32 } from "node:zlib"
import { Misfit } from "../../src/runtime/tokenizers/fields.ts"
import { type Pipeline, readPipeline } from "../../src/runtime/tokenizers/pipeline.ts"

interface File {
  readonly model: { readonly base: string }
}
interface Generated {
  readonly charsmap: string
  readonly folders: ReadonlyArray<string>
  readonly lines: ReadonlyArray<string>
  readonly models: Readonly<Record<string, object>>
  readonly files: ReadonlyArray<File>
}

const folder = join(import.meta.dirname, "tokenizers")
const text = readFileSync(join(folder, "generated.json"), "utf8")
const charsmap = (JSON.parse(text) as Generated).charsmap
const { files, folders, lines, models } = JSON.parse(text.replaceAll("$charsmap", charsmap)) as Generated

const bytes = readFileSync(join(folder, "generated.bin"))
const width = 1 + 2 * lines.length
const rowOf = (i: number): ReadonlyArray<number> =>
  Array.from({ length: width }, (_, j) => bytes.readUInt16LE(2 * (i * width + j)))

const whole = ({ model: { base, ...options }, ...rest }: File): object => ({
  ...rest,
  version: "1.0",
  model: { ...models[base], ...options }
})

const checkedIn = (name: string): object => {
  const path = name === "wordpiece" ? join("..", "..", "..", "experiments", "demo", "retriever") : name
  return JSON.parse(readFileSync(join(folder, path, "tokenizer.json"), "utf8")) as object
}

const read = (json: object): Pipeline => readPipeline(json, { tokens: () => [], split: false })

const hashed = (value: string | ReadonlyArray<number>): number =>
  crc32(typeof value === "string" ? value : Buffer.from(Uint32Array.from(value).buffer)) % 65535 + 1

/** The first line whose ids or text are not those of the row; its hashes of 0 are errors there. */
const difference = (pipeline: Pipeline, row: ReadonlyArray<number>): string | undefined => {
  for (const [i, line] of lines.entries()) {
    const [ids, decoded] = [row[1 + 2 * i]!, row[2 + 2 * i]!]
    if (ids === 0) continue
    const own = pipeline.encode(line)
    if (hashed(own) !== ids) {
      return `ids of ${JSON.stringify(line)}: ${own.map((id) => pipeline.tokens.token(id)).join()}`
    }
    if (decoded === 0) continue
    const back = pipeline.decode(own)
    if (hashed(back) !== decoded) return `text of ${JSON.stringify(line)}: ${JSON.stringify(back)}`
  }
  return undefined
}

/** What is refused though the library takes it: expressions, and tokens that it finds by chance. */
const refused = /is not supported|matches the empty text|are the same text|nothing is left of/

describe("a tokenizer file by chance", () => {
  it("has the ids and the texts of Hugging Face's library, or is refused by name", () => {
    assert.strictEqual(bytes.length, 2 * width * (files.length + folders.length))
    let refusals = 0
    for (const [i, file] of files.entries()) {
      let pipeline: Pipeline
      try {
        pipeline = read(whole(file))
      } catch (cause) {
        if (!(cause instanceof Misfit) || !refused.test(cause.reason)) throw cause
        refusals++
        continue
      }
      const row = rowOf(i)
      assert.isUndefined(difference(pipeline, row), JSON.stringify(file))
      if (row[0] !== 65533) assert.strictEqual(pipeline.frame?.before.length ?? 65534, row[0], JSON.stringify(file))
    }
    assert.isBelow(refusals, files.length / 15)
  })
  for (const [i, name] of folders.entries()) {
    it(`has them of these lines too: ${name}`, () => {
      assert.isUndefined(difference(read(checkedIn(name)), rowOf(files.length + i)))
    })
  }
  it("would be found out by one other id", () => {
    const row = rowOf(files.length).map((hash, i) => i === 1 + 2 * 40 ? hash % 65535 + 1 : hash)
    assert.match(difference(read(checkedIn(folders[0]!)), row) ?? "", /^ids of/)
  })
})
