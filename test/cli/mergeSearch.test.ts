/** `merge CONFIG.yaml` and its `--search` from outside: what is written, going on after a kill, and what is refused. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { SearchReport } from "../../src/programs/search/outcome.ts"
import type { SearchResult } from "../../src/programs/search/searchMerge.ts"
import type { Saved } from "../../src/runtime/models/merging/merge.ts"
import { anamnesis, type Ended, type Options, prepare } from "../support/cli.ts"
import { writeSearch } from "../support/experts.ts"

let folder: string
const merge = (args: ReadonlyArray<string>, options?: Options) =>
  anamnesis(folder, ["merge", ...args, "--json"], options)
const told = <A>({ code, err, out }: Ended): A => {
  assert.strictEqual(code, 0, err)
  return JSON.parse(out) as A
}
const text = (...path: ReadonlyArray<string>): string => readFileSync(join(folder, ...path), "utf8")
const bytes = (...path: ReadonlyArray<string>): string => readFileSync(join(folder, ...path), "base64")
const report = (out: string) => JSON.parse(text(`${out}.search`, "report.json")) as SearchReport
const kept = (out: string): number =>
  readdirSync(join(folder, `${out}.search`, "evaluations"), { recursive: true }).filter((name) =>
    String(name).endsWith(".json")
  ).length

const linear = `merge_method: linear
models:
  - { model: a, parameters: { weight: 1 } }
  - { model: b, parameters: { weight: 1 } }
  - { model: c, parameters: { weight: 1 } }
`
const search = `vary:
  - simplex: models[*].parameters.weight
levels:
  - { examples: 3, passages: 6, keep: 0.334 }
  - {}
refine: 1
tasks: [tasks.yaml]
settings: { query_max_len: 24, passage_max_len: 64 }
`

beforeAll(async () => {
  folder = await prepare()
  await writeSearch(folder)
  writeFileSync(join(folder, "linear.yaml"), linear)
  writeFileSync(join(folder, "search.yaml"), search)
}, 180_000)
afterAll(() => rmSync(folder, { recursive: true }))

describe("merge of a config", () => {
  it("writes a model with its card and its config", async () => {
    const saved = told<Saved>(await merge(["linear.yaml", "plain"]))
    assert.deepStrictEqual([saved.folder, saved.method, saved.dtype], [join(folder, "plain"), "linear", "float32"])
    assert.includeMembers(readdirSync(join(folder, "plain")), ["README.md", "config.json", "model.safetensors"])
    assert.strictEqual(text("plain", "mergekit_config.yml"), linear)
    assert.include(text("plain", "README.md"), linear.trim())
    const { code, out } = await anamnesis(folder, ["merge", "linear.yaml", "shown"])
    assert.strictEqual(code, 0)
    assert.match(out, /^folder: .*shown\nmethod: linear\n/)
  }, 300_000)
  it("refuses a folder that is there, a file that is not, and flags of adapters", async () => {
    const refusals: ReadonlyArray<readonly [ReadonlyArray<string>, RegExp]> = [
      [["linear.yaml", "a"], /a: is there already; choose another folder/],
      [["missing.yaml", "x"], /missing\.yaml: there is no such file/],
      [["linear.yaml", "x", "--dtype", "float16"], /write dtype or out_dtype there/],
      [["linear.yaml", "x", "--gguf", "F16"], /a config is merged into a folder/],
      [["a", "x", "--search", "search.yaml"], /--search: it is of a merge config/]
    ]
    await Promise.all(refusals.map(async ([args, why]) => {
      const { code, err } = await merge(args)
      assert.strictEqual(code, 1, err)
      assert.match(err, why)
    }))
    assert.isFalse(existsSync(join(folder, "x")))
  }, 300_000)
})

describe("merge --search", () => {
  it("goes on where it was killed to the same files, and tells how long it takes", async () => {
    const whole = await merge(["linear.yaml", "whole", "--search", "search.yaml"])
    const { evaluated, kept: none } = told<SearchResult>(whole)
    assert.match(whole.err, /search \d+\/\d+ .*ETA \d+:\d\d/)
    assert.deepStrictEqual([evaluated, none], [report("whole").evaluations, 0])
    const args = ["linear.yaml", "killed", "--search", "search.yaml"]
    const stopped = await merge(args, { until: /search \d+\/\d+(.*\n.*)*\nsearch/, signal: "SIGKILL" })
    assert.isNull(stopped.code)
    assert.isFalse(existsSync(join(folder, "killed")))
    const before = kept("killed")
    assert.isAtLeast(before, 2)
    const result = told<SearchResult>(await merge(args))
    assert.deepStrictEqual([result.evaluated, result.kept], [evaluated - before, before])
    assert.deepStrictEqual(report("killed"), report("whole"))
    for (const name of ["model.safetensors", "mergekit_config.yml"]) {
      assert.strictEqual(bytes("killed", name), bytes("whole", name))
    }
    assert.notInclude(readdirSync(join(folder, "killed.search")), "candidate")
  })
  it("prints the best numbers, or one error and nothing else", async () => {
    writeFileSync(
      join(folder, "few.yaml"),
      search.replace(
        "levels:\n  - { examples: 3, passages: 6, keep: 0.334 }\n  - {}\nrefine: 1",
        "    steps: 1\nlevels: [{}]\nrefine: 0"
      )
    )
    const { code, err, out } = await anamnesis(folder, ["merge", "linear.yaml", "few", "--search", "few.yaml"])
    assert.strictEqual(code, 0, err)
    assert.match(out, /mean score of the best +\d\.\d{4}\n {2}Tiny/)
    assert.match(out, /candidates evaluated, found from before +3, 0/)
    writeFileSync(join(folder, "bad.yaml"), search.replace("weight", "wieght"))
    const bad = await merge(["linear.yaml", "bad", "--search", "bad.yaml"])
    assert.deepStrictEqual([bad.code, bad.out], [1, ""])
    assert.match(bad.err, /bad\.yaml: models\[\*\]\.parameters\.wieght: models\[0\]\.parameters has no wieght/)
    assert.isFalse(existsSync(join(folder, "bad.search")))
  })
}, 300_000)
