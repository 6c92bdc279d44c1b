/** An experiment by several processes of one command. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { withoutRunners } from "../../src/cli/runners.ts"
import { anamnesis, prepare } from "../support/cli.ts"

let folder: string
beforeAll(async () => {
  folder = await prepare()
  const settings = readFileSync(join(folder, "run.yaml"), "utf8").split("\n").slice(1).map((line) => `  ${line}`)
  const arms = "arms:\n  none: { mode: no_retrieval }\n  frozen: { mode: frozen_rag }\n"
  writeFileSync(join(folder, "plan.yaml"), `seeds: [1, 2]\nsettings:\n${settings.join("\n")}\n${arms}`)
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true }))

describe("several runners", () => {
  it("share an experiment, and the first prints all figures", async () => {
    const { code, err, out } = await anamnesis(folder, ["--json", "experiment", "plan.yaml", "--runners", "2"])
    assert.strictEqual(code, 0, err)
    const figures = JSON.parse(out) as ReadonlyArray<{ readonly arm: string; readonly seed: number }>
    assert.deepStrictEqual(figures.map(({ arm, seed }) => [arm, seed]), [["none", 1], ["frozen", 1], ["none", 2], [
      "frozen",
      2
    ]])
    const lines = err.trim().split("\n")
    assert.deepStrictEqual(lines.filter((line) => !/^runner [12]: /.test(line)), [])
    const trained = lines.flatMap((line) => /(no_retrieval|frozen_rag) 1\/4/.exec(line)?.[1] ?? [])
    assert.deepStrictEqual(trained.toSorted(), ["frozen_rag", "frozen_rag", "no_retrieval", "no_retrieval"])
  }, 120_000)
  it("say which of them failed, and why", async () => {
    const { code, err } = await anamnesis(folder, ["experiment", "plan.yaml", "--runners=2", "--set", "max_stps=4"])
    assert.strictEqual(code, 1)
    assert.match(err, /^runner 2: .*max_stps/m)
    assert.match(
      err,
      /^anamnesis: runner 1 ended with status 1, runner 2 ended with status 1; messages are above/m
    )
  }, 120_000)
  it("are at least one", async () => {
    const { code, err } = await anamnesis(folder, [
      "experiment",
      "plan.yaml",
      "--runners",
      "0",
      "--set",
      "output_dir=no"
    ])
    assert.strictEqual(code, 1)
    assert.match(err, /--runners: 0 is no number of processes/)
    assert.isFalse(existsSync(join(folder, "no")))
  }, 120_000)
  it("do not start others themselves", () => {
    const words = ["--json", "experiment", "plan.yaml", "--set", "max_steps=2"]
    assert.deepStrictEqual(withoutRunners([...words, "--runners", "2"]), words)
    assert.deepStrictEqual(withoutRunners(["--json", "--runners=2", ...words.slice(1)]), words)
  })
})
