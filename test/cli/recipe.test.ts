/** A recipe of real commands, each a process of its own. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { anamnesis, prepare } from "../support/cli.ts"

let folder: string
beforeAll(async () => {
  folder = await prepare()
}, 180_000)
afterAll(() => rmSync(folder, { recursive: true }))

const recipe = `
steps:
  trained: train --config run.yaml --resume --set output_dir=\${out}
  judged: evaluate --json --config \${trained}/settings.json
  exported: export --config \${trained}/settings.json retriever \${out}/model
`

interface Result {
  readonly steps: ReadonlyArray<{ readonly step: string; readonly state: string; readonly folder: string }>
}

describe("a recipe of commands", () => {
  it("is run to its end, and is done the second time", async () => {
    writeFileSync(join(folder, "recipe.yaml"), recipe)
    const first = await anamnesis(folder, ["recipe", "recipe.yaml", "out", "--json"])
    assert.strictEqual(first.code, 0, first.err)
    assert.match(
      first.err,
      /step 2 of 3, judged: anamnesis evaluate --json --config \S*\/out\/trained-[0-9a-f]{12}\/settings\.json/
    )
    const { steps } = JSON.parse(first.out) as Result
    assert.deepStrictEqual(steps.map(({ state, step }) => [step, state]), [
      ["trained", "run"],
      ["judged", "run"],
      ["exported", "run"]
    ])
    const output = JSON.parse(readFileSync(join(steps[1]!.folder, "output.json"), "utf8")) as object
    assert.property(output, "accuracy")
    const config = readFileSync(join(steps[2]!.folder, "model/config.json"), "utf8")
    assert.include(config, "model_type")
    const again = await anamnesis(folder, ["recipe", "recipe.yaml", "out"])
    assert.match(again.out, /^step +state +seconds +folder\ntrained +done before +\d+ +\S*\/out\/trained-/)
    assert.notInclude(again.err, "step 1")
  }, 180_000)

  it("ends where a command does, and names the step", async () => {
    writeFileSync(join(folder, "bad.yaml"), "steps: { trained: train --config run.yaml --set lr=x }\n")
    const { code, err } = await anamnesis(folder, ["recipe", "bad.yaml", "bad"])
    assert.strictEqual(code, 1)
    assert.match(err, /learning_rate/)
    assert.match(err, /anamnesis: step trained: ended with status 1; what it made is in \S*\/bad\/trained-[0-9a-f]{12}/)
  }, 180_000)
})
