/**
 * Code blocks of the documents are run: `ts` is type-checked and executed under the package's own name, `sh` is executed in a
 * folder that has the files it names, `yaml` and `json` are read as settings or as an experiment. `text` is no code. Any
 * other block fails, unless `not run: REASON` stands behind its language.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { globSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { parse } from "yaml"
import type { Raw } from "../../src/domain/settings/RunConfig.ts"
import { decodePlan } from "../../src/programs/experiments/experimentPlan.ts"
import { anamnesis } from "../support/cli.ts"
import { node, project, typeCheck } from "../support/project.ts"
import { type Block, blocksOf, nameOf } from "./blocks.ts"
import { substitutions, world } from "./world.ts"

const paths = globSync(["*.md", "docs/**/*.md"], { exclude: ["docs/api/**"] }).map((path) => path.replaceAll("\\", "/"))
const all = paths.toSorted().flatMap((path) => blocksOf(path, readFileSync(path, "utf8")))

const kinds = ["ts", "sh", "yaml", "json", "text"] as const
const of = (...languages: ReadonlyArray<typeof kinds[number]>) =>
  all.filter(({ language, notRun }) => notRun === undefined && languages.includes(language as typeof kinds[number]))

/** Blocks that nobody has said what to do with. */
const unmarked = (blocks: ReadonlyArray<Block>): ReadonlyArray<string> =>
  blocks.filter(({ language, notRun }) => notRun === undefined && !kinds.includes(language as typeof kinds[number]))
    .map(nameOf)

describe("code blocks", () => {
  it("are there, each marked with what it is", () => {
    assert.isAbove(of("ts").length, 0)
    assert.isAbove(of("sh").length, 3)
    assert.deepStrictEqual(unmarked(all), [])
    const left = all.filter(({ notRun }) => notRun !== undefined)
    const smaller = substitutions.map(([path, , to]) => `${path} with ${to}`)
    const told = [...left.map((block) => `${nameOf(block)} is not run: ${block.notRun}`), ...smaller]
    process.stdout.write(told.map((line) => `${line}\n`).join(""))
  })
})

describe("ts", () => {
  let folder = ""
  const file = (block: Block) => `${nameOf(block).replaceAll(/\W/g, "-")}.ts`
  beforeAll(async () => {
    folder = await project()
    for (const block of of("ts")) writeFileSync(join(folder, file(block)), block.text)
  })
  afterAll(() => rmSync(folder, { recursive: true }))
  it("has no type errors", async () => assert.deepStrictEqual(await typeCheck(folder), { code: 0, out: "" }))
  it.each(of("ts").map((block) => [nameOf(block), block] as const))("%s runs", async (_, block) => {
    const { code, out } = await node(folder, "--conditions=anamnesis-source", file(block))
    assert.strictEqual(code, 0, out)
  })
})

/** What the product says of settings: those of a whole run, or some that change one; or of an experiment. */
const refusedOf = async (folder: string, { language, text }: Pick<Block, "language" | "text">): Promise<string> => {
  const given = (language === "json" ? JSON.parse(text) : parse(text)) as Raw
  if ("arms" in given) {
    return Effect.runPromise(Effect.match(decodePlan("block", given), { onFailure: String, onSuccess: () => "" }))
  }
  const base = parse(readFileSync(join(folder, "run.yaml"), "utf8")) as Raw
  const path = `${Object.keys(given)[0]}.json`
  writeFileSync(join(folder, path), JSON.stringify({ ...base, ...given }))
  const { code, err } = await anamnesis(folder, ["validate", "--config", path])
  return code === 0 ? "" : err
}

describe("in a folder", () => {
  let folder = ""
  beforeAll(async () => {
    folder = await world()
  }, 120_000)
  afterAll(() => rmSync(folder, { recursive: true }))

  describe("sh, from the first to the last", { concurrent: false }, () => {
    it.each(of("sh").map((block) => [nameOf(block), block] as const))("%s runs", async (_, block) => {
      const env = { ...process.env, THREADS: "1", npm_config_update_notifier: "false" }
      const options = { cwd: folder, env, maxBuffer: 2 ** 26 }
      await promisify(execFile)("bash", ["-euo", "pipefail", "-c", block.text], options)
        .catch(({ stderr, stdout }) => assert.fail(`${stdout}\n${stderr}`))
    }, 300_000)
  })
  it.each(of("yaml", "json").map((block) => [nameOf(block), block] as const))("%s is accepted", async (_, block) => {
    assert.strictEqual(await refusedOf(folder, block), "")
  })
  it("settings are read as the product reads them", async () => {
    const said = await Promise.all([
      refusedOf(folder, { language: "yaml", text: "lora_r: 4\nlora_alpha: 8\n" }),
      refusedOf(folder, { language: "yaml", text: "lora_ranks: 4\n" }),
      refusedOf(folder, { language: "json", text: "{\"seed\": \"one\"}" }),
      refusedOf(folder, { language: "yaml", text: readFileSync("experiments/own.yaml", "utf8") }),
      refusedOf(folder, { language: "yaml", text: readFileSync("experiments/own-from-scratch.yaml", "utf8") }),
      refusedOf(folder, { language: "yaml", text: "seeds: [1]\narms: {}\nwarmup: {}\n" })
    ])
    assert.deepStrictEqual(said.map((text) => text === ""), [true, false, false, true, true, false])
  })
})

describe("the reading of blocks", () => {
  const of = (text: string) => blocksOf("a.md", text)
  it("knows language, line, reason and text, within lists too", () => {
    const text = "# A\n\n```sh\nls\n```\n- b\n\n  ````json not run: too long\n  {\n    ```\n  }\n  ````\n"
    assert.deepStrictEqual(of(text), [
      { path: "a.md", line: 3, language: "sh", notRun: undefined, text: "ls\n" },
      { path: "a.md", line: 8, language: "json", notRun: "too long", text: "{\n  ```\n}\n" }
    ])
  })
  it("leaves none out", () => {
    assert.deepStrictEqual(unmarked(of("```\na\n```\n```py\nb\n```\n```py not run: Python\nc\n```\n")), [
      "a.md:1",
      "a.md:4"
    ])
    assert.throws(() => of("a\n\n    npm test\n"), /a\.md:3: code by indentation/)
    assert.throws(() => of("```sh\nls\n"), /a\.md:1: the fence is not closed/)
    assert.throws(() => of("```sh skipped\nls\n```\n"), /a\.md:1: "skipped" is no/)
    assert.throws(() => of("```sh not run:\nls\n```\n"), /is no "not run: REASON"/)
    assert.deepStrictEqual(of("- a\n\n    goes on\n"), [])
  })
})
