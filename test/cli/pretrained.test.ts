/** `demo --pretrained` and an experiment with `--models`, with tiny models that have the names of the real ones. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { parse } from "yaml"
import { anamnesis, prepare } from "../support/cli.ts"

let folder = ""
beforeAll(async () => {
  folder = await prepare()
  const config = join(folder, "reader/config.json")
  const longer = readFileSync(config, "utf8").replace(
    "\"max_position_embeddings\":160",
    "\"max_position_embeddings\":256"
  )
  writeFileSync(config, longer)
  cpSync(join(folder, "retriever"), join(folder, "models/all-MiniLM-L6-v2"), { recursive: true })
  cpSync(join(folder, "reader"), join(folder, "as-folder"), { recursive: true })
}, 180_000)
afterAll(() => rmSync(folder, { recursive: true }))

const set = (...settings: ReadonlyArray<string>) => settings.flatMap((setting) => ["--set", setting])
const small = set("max_steps=1", "rank_tie_margin=0", "max_eval_samples=4", "per_device_train_batch_size=2")

describe("the demo from pretrained models", () => {
  it("takes the reader from a lone GGUF file, prints its tables, and answers in sentences", async () => {
    const gguf = join(folder, "models/SmolLM2-135M-Instruct")
    const adapter = ["-c", "run.yaml", ...set("lora_r=2", "max_steps=1", "output_dir=adapter")]
    assert.strictEqual((await anamnesis(folder, ["train", ...adapter])).code, 0)
    mkdirSync(gguf, { recursive: true })
    const merged = ["merge", "adapter/checkpoint-1/reader", join(gguf, "tiny.gguf"), "--gguf", "F16"]
    const made = await anamnesis(folder, merged)
    assert.strictEqual(made.code, 0, made.err)
    const { code, err, out } = await anamnesis(folder, ["demo", "--pretrained", "--models", "models", ...small])
    assert.strictEqual(code, 0, err)
    assert.match(err, /SmolLM2-135M-Instruct: taken from .*models\/SmolLM2-135M-Instruct\/tiny\.gguf/)
    assert.match(err, /all-MiniLM-L6-v2: taken from .*models\/all-MiniLM-L6-v2\n/)
    assert.match(err, /4 of 1298 test questions are asked/)
    for (const arm of ["none", "frozen", "joint"]) assert.match(out, new RegExp(`^\\| ${arm} +\\| \\d\\.\\d{3} `, "m"))
    assert.strictEqual(out.match(/^ {2}right: /gm)?.length, 3)
  }, 240_000)
  it("fetches nothing where a model is not in the folder", async () => {
    const { code, err } = await anamnesis(folder, ["demo", "--pretrained", "--models", "as-folder", ...small])
    assert.notStrictEqual(code, 0)
    assert.match(err, /--models: sentence-transformers\/all-MiniLM-L6-v2: there is no .*as-folder\/all-MiniLM-L6-v2/)
  })
})

describe("plans from pretrained models", () => {
  const plans = [
    "experiments/own.yaml",
    "experiments/demo/pretrained.yaml",
    "experiments/medquad-smollm2/experiment.yaml"
  ]
  it.each(plans)("%s names the two by their ids", (path) => {
    const { settings } = parse(readFileSync(path, "utf8")) as { readonly settings: Readonly<Record<string, unknown>> }
    assert.strictEqual(settings["reader_name_or_path"], "HuggingFaceTB/SmolLM2-135M-Instruct")
    assert.strictEqual(settings["retriever_name_or_path"], "sentence-transformers/all-MiniLM-L6-v2")
    assert.strictEqual(settings["dim"], 0)
  })
})
