/** Parquet as pyarrow writes it: the rows that it wrote. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { rowsOf } from "../../src/datasets/parquet.ts"
import { onDisk } from "../support/files.ts"

const folder = join(import.meta.dirname, "parquet")
const rows = JSON.parse(readFileSync(join(folder, "rows.json"), "utf8")) as unknown

describe("a parquet file of pyarrow's", () => {
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".parquet"))) {
    it.live(`has the rows that were written: ${name}`, () =>
      onDisk(Effect.gen(function*() {
        assert.deepStrictEqual(yield* Stream.runCollect(rowsOf(join(folder, name), () => true)), rows as never)
      })))
  }
})
