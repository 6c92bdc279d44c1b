/**
 * Every example, run as a user runs it. What it prints is in a file of its name:
 * `node examples/01_tensor.ts > examples/01_tensor.txt`.
 */
import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { existsSync, globSync, readFileSync } from "node:fs"
import { promisify } from "node:util"

const examples = globSync("examples/[0-9]*.ts").toSorted()

describe("examples", () => {
  it("are there, each with what it prints", () => {
    assert.isAtLeast(examples.length, 4)
    const printed = globSync("examples/*.txt").toSorted()
    assert.deepStrictEqual(printed, examples.map((path) => path.replace(/\.ts$/, ".txt")))
  })
  it.each(examples)("%s", async (path) => {
    const golden = path.replace(/\.ts$/, ".txt")
    const { stdout } = await promisify(execFile)(process.execPath, [path])
    assert.strictEqual(stdout, existsSync(golden) ? readFileSync(golden, "utf8") : "")
  }, 120_000)
})
