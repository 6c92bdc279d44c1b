/** Models that a plan names by their ids at the Hub are taken from a folder: told, or refused with where they were looked for. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import type { Plan } from "../../src/programs/experiments/experimentPlan.ts"
import { locally } from "../../src/programs/experiments/localModels.ts"
import { Reporter } from "../../src/runtime/ports/Reporter.ts"
import { folderOf, onDisk } from "../support/files.ts"

const plan: Plan = {
  seeds: [1],
  settings: {
    retriever_name_or_path: "org/encoder",
    "reader-name-or-path": "org/writer@v2",
    train_file: "org/encoder"
  },
  warm_up: { copy: { reader_name_or_path: "./org/writer" } },
  arms: { a: { phases: { first: { reader_name_or_path: "org/writer@v2" } }, settings: { mode: "joint" } } }
}

/** What comes of a plan with these files in the folder, and what is told. */
const taken = Effect.fnUntraced(function*(
  files: Readonly<Record<string, string>>,
  overrides: Readonly<Record<string, unknown>> = {},
  given = plan
) {
  const [folder, notes] = [yield* folderOf({}), new Array<string>()]
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  const reporter = { report: () => Effect.void, note: (text: string) => Effect.sync(() => void notes.push(text)) }
  const found = yield* Effect.result(
    Effect.provideService(locally({ plan: given, overrides }, folder), Reporter, reporter)
  )
  return { folder, notes, found }
})

describe("models in a folder", () => {
  const files = { "encoder/config.json": "{}", "writer/writer.Q4_1.gguf": "" }
  it.live("stand for ids, as model folders or as the only GGUF file of one", () =>
    onDisk(Effect.gen(function*() {
      const { folder, found, notes } = yield* taken(files, { reader_name_or_path: "other/writer", dim: 0 })
      if (found._tag === "Failure") return assert.fail(String(found.failure))
      const [encoder, writer] = [join(folder, "encoder"), join(folder, "writer", "writer.Q4_1.gguf")]
      assert.deepStrictEqual(found.success, {
        plan: {
          ...plan,
          settings: { ...plan.settings, retriever_name_or_path: encoder, "reader-name-or-path": writer },
          arms: { a: { phases: { first: { reader_name_or_path: writer } }, settings: { mode: "joint" } } }
        },
        overrides: { reader_name_or_path: writer, dim: 0 }
      })
      assert.deepStrictEqual(notes, [
        `org/encoder: taken from ${encoder}`,
        `org/writer: taken from ${writer} (which may be of another revision than v2)`,
        `other/writer: taken from ${writer}`
      ])
    })))
  it.live("are refused where one is missing, none, or several", () =>
    onDisk(Effect.gen(function*() {
      const refused = (files: Readonly<Record<string, string>>, given = plan) =>
        Effect.map(taken(files, {}, given), ({ found }) => found._tag === "Failure" ? found.failure.message : "")
      assert.match(yield* refused({ "encoder/config.json": "{}" }), /--models: org\/writer: there is no .*writer$/)
      assert.match(
        yield* refused({ ...files, "encoder/config.json": "{}", "writer/b.gguf": "" }),
        /2 GGUF files \(b\.gguf, /
      )
      assert.match(yield* refused({ "encoder/a.txt": "" }), /has no config\.json, and no GGUF file instead of one/)
      assert.match(yield* refused({ encoder: "" }), /encoder is no folder/)
      const folders = { ...plan, settings: {}, arms: { a: { phases: {}, settings: {} } } }
      assert.match(yield* refused(files, folders), /the plan names no model by its id at the Hub/)
    })))
  it.live("are not looked for where no folder is given", () =>
    onDisk(Effect.gen(function*() {
      const whole = { plan, overrides: {} }
      const reporter = { report: () => Effect.void, note: () => Effect.void }
      assert.strictEqual(yield* Effect.provideService(locally(whole, undefined), Reporter, reporter), whole)
    })))
})
