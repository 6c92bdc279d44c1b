/** What a run on a quantised base leaves, from outside: its figures name the quantisation, PEFT's files the base alone. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { anamnesis, prepare } from "../support/cli.ts"

let folder: string
beforeAll(async () => void (folder = await prepare()), 60_000)
afterAll(() => rmSync(folder, { recursive: true }))

const own = ["mode=no_retrieval", "max_steps=1", "lora_r=2"]
const run = async (output: string, command: ReadonlyArray<string>, more: ReadonlyArray<string>) => {
  const pairs = [...own, `output_dir=${output}`, ...more].flatMap((pair) => ["--set", pair])
  const { code, err } = await anamnesis(folder, [...command, "--config", "run.yaml", ...pairs])
  assert.strictEqual(code, 0, err)
}
const text = (...path: ReadonlyArray<string>) => readFileSync(join(folder, ...path), "utf8")
const json = (...path: ReadonlyArray<string>) => JSON.parse(text(...path)) as Readonly<Record<string, any>>

describe("a run on a quantised base", { timeout: 240_000 }, () => {
  it.each(
    [
      ["int4", ["quantization=int4"], { type: "int4", block_size: 32, activations: "int8" }],
      ["wide", [], undefined]
    ] as const
  )("is told in run.json, with its figures and in its model's card, and no other: %s", async (name, more, told) => {
    await run(name, ["train"], more)
    await run(name, ["evaluate"], more)
    await run(name, ["export", "reader", `${name}-out`], more)
    assert.deepStrictEqual(json(name, "run.json")["quantization"], told)
    assert.deepStrictEqual(json(name, "eval-test", "metrics.json")["judged"].models.quantization, told)
    assert.strictEqual(text(`${name}-out`, "README.md").includes("a base quantised to int4 in blocks of 32"), !!told)
    const { base_model_name_or_path, ...config } = json(name, "checkpoint-1", "reader", "adapter_config.json")
    assert.strictEqual(base_model_name_or_path, "reader")
    assert.isFalse(Object.keys(config).some((key) => key.includes("quant")))
  })
})
