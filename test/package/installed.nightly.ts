/** What takes longer of the tarball that is installed in an empty project. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { checkPackage } from "../../scripts/checkPackage.ts"
import { jsonLines } from "../support/cli.ts"
import { contents, node, typeCheck } from "../support/project.ts"
import * as Tiny from "../support/tiny.ts"
import { install, type Installed } from "./installation.ts"

let here: Installed
beforeAll(async () => {
  here = await install()
}, 120_000)
afterAll(() => here.remove())

describe("the installed package", () => {
  it("is clean by publint and, every module, by Are the types wrong?", async () => {
    assert.deepStrictEqual(await checkPackage(here.tarball), [])
  }, 120_000)
  it("has types that bundlers find", async () => {
    const options = ["--module", "esnext", "--moduleResolution", "bundler"]
    assert.deepStrictEqual(await typeCheck(here.folder, ...options), { code: 0, out: "" })
  }, 120_000)
  it("lets an example print what it prints in the repository", async () => {
    const { out } = await node(here.folder, "examples/03_own_pipeline.ts")
    assert.strictEqual(out, readFileSync("examples/03_own_pipeline.txt", "utf8"))
  }, 120_000)
  it("renders chat templates in a process of its own", async () => {
    const template = "{% for m in messages %}{{ m.role }}: {{ m.content }}{% endfor %}"
    const config = join(here.tiny, "reader", "tokenizer_config.json")
    writeFileSync(config, JSON.stringify({ chat_template: template }))
    writeFileSync(join(here.tiny, "asked.jsonl"), jsonLines(Tiny.questions.slice(0, 1)))
    const args = ["validate", "--config", "run.yaml", "--set", "apply_chat_template=true"]
    const { code, err } = await here.run(here.tiny, args)
    rmSync(config)
    assert.strictEqual(code, 0, err)
  }, 120_000)
  it("runs the demo in the current folder and writes nothing into the package", async () => {
    assert.match((await here.run(here.folder, ["demo", "--help"])).out, /Train and compare three small systems/)
    const { code, err } = await here.run(here.folder, ["demo"], { until: /copy 10\// })
    assert.strictEqual(code, 130, err)
    assert.match(err, /stopped, saved runs\/demo\/seed-1\/copy\/checkpoint-\d+/)
    assert.deepStrictEqual(contents(here.within()), here.shipped)
  }, 120_000)
})
