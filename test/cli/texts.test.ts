/** Training on texts and on preferences from outside: losses, margins, and going on from where a run was stopped. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { anamnesis, type Ended, type Options } from "../support/cli.ts"
import * as Texts from "../support/texts.ts"

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "anamnesis-texts-"))
  mkdirSync(join(folder, "model"))
  for (const [name, content] of Object.entries(Texts.modelFiles)) writeFileSync(join(folder, "model", name), content)
  for (const [name, content] of Object.entries(Texts.rowFiles)) writeFileSync(join(folder, name), content)
  for (const preset of ["sft", "dpo"] as const) {
    writeFileSync(join(folder, `${preset}.yaml`), JSON.stringify(Texts.settings(preset)))
  }
})
afterAll(() => rmSync(folder, { recursive: true }))

const run = (command: string, config: string, given: ReadonlyArray<string> = [], options: Options = {}) =>
  anamnesis(folder, [command, "--config", `${config}.yaml`, ...given], options)
const fine = ({ code, err }: Ended): string => {
  assert.strictEqual(code, 0, err)
  return err
}
/** The values of a figure, step by step. */
const figures = (err: string, name: string): ReadonlyArray<number> =>
  [...err.matchAll(new RegExp(`  ${name} (\\S+)`, "g"))].map(([, value]) => Number(value))
const filesOf = (checkpoint: string) =>
  readdirSync(join(folder, checkpoint), { recursive: true, encoding: "utf8" }).filter((name) => /\.\w+$/.test(name))
const bytesOf = (path: string) => readFileSync(join(folder, path))

describe("mode sft", () => {
  it("learns from chats, and goes on from an interrupt to the same bytes", async () => {
    const straight = fine(await run("train", "sft"))
    assert.match(straight, /chats\.jsonl: 20 examples, [\d,]+ tokens, \d+ learned tokens, 20 rows/)
    const losses = figures(straight, "loss")
    assert.strictEqual(losses.length, 12)
    assert.isBelow(losses.at(-1)!, 0.7 * losses[0]!)
    const apart = ["--set", "output_dir=halted"]
    const halted = await run("train", "sft", apart, { until: /sft 4\/12/ })
    assert.notMatch(halted.err, /sft 12\/12/)
    fine(await run("train", "sft", [...apart, "--resume"]))
    const names = filesOf(join("sft", "checkpoint-12"))
    assert.includeMembers(names, [join("reader", "model.safetensors"), join("reader", "state.safetensors")])
    for (const name of names) {
      const [one, other] = ["sft", "halted"].map((out) => bytesOf(join(out, "checkpoint-12", name)))
      assert.isTrue(one!.equals(other!), name)
    }
  }, 240_000)
  it("is validated: what was counted", async () => {
    const valid = await run("validate", "sft")
    fine(valid)
    assert.match(valid.out, /a run of mode sft can start: 12 steps of 4 rows/)
    assert.match(valid.out, /learned tokens +\d+/)
  }, 120_000)
})

describe("mode dpo", () => {
  it("is planned, and raises the margin of rewards; a resumed run has the same reference", async () => {
    const plan = await run("plan", "dpo", ["--steps", "1"])
    fine(plan)
    assert.match(plan.out, /dpo on cpu/)
    assert.isFalse(readdirSync(folder).includes("dpo"))
    const told = fine(await run("train", "dpo", ["--set", "save_steps=6"]))
    assert.match(told, /reference: 6 rows are judged by model before training/)
    const margins = figures(told, "rewards/margins")
    assert.closeTo(margins[0]!, 0, 1e-4)
    assert.isAbove(margins.at(-1)!, 0.1)
    assert.closeTo(figures(told, "loss")[0]!, Math.LN2, 1e-3)
    const path = join("dpo", "checkpoint-12", "reader", "model.safetensors")
    const last = bytesOf(path)
    rmSync(join(folder, "dpo", "checkpoint-12"), { recursive: true })
    assert.notMatch(fine(await run("train", "dpo", ["--resume", "--set", "save_steps=6"])), /are judged/)
    assert.isTrue(bytesOf(path).equals(last))
  }, 240_000)
})
