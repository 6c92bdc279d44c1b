/** The recipe of MediPhi in small, from its data to its table, with a tiny model and instructions written beforehand. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { parse, stringify } from "yaml"
import { program } from "../../src/cli/main.ts"
import { runRecipe } from "../../src/programs/recipes/runRecipe.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { silent } from "../../src/runtime/ports/Reporter.ts"
import { jsonLines } from "../support/cli.ts"
import { folderOf } from "../support/files.ts"
import * as Texts from "../support/texts.ts"
import * as Tiny from "../support/tiny.ts"

const splitOf = (names: ReadonlyArray<string>) => (i: number) => names[i % 4 === 0 ? 1 : i % 4 === 1 ? 2 : 0]!
const about = (i: number) => Tiny.passages[i % Tiny.passages.length]!.text

/** The original files, in small: a quarter of the records dev, a quarter test. */
const writeOriginals = (folder: string): void => {
  for (const name of ["mts_dialog", "medquad", "pubmedqa"]) mkdirSync(join(folder, name), { recursive: true })
  const all = Array.from({ length: 16 }, (_, i) => i)
  const dialogues = all.map((i) => ({
    id: `d${i}`,
    split: splitOf(["train", "dev", "test1"])(i),
    section: "CC",
    note: about(i),
    dialogue: `Doctor: ${i}? Patient: ${about(i)}`
  }))
  writeFileSync(join(folder, "mts_dialog", "mts_dialog.jsonl"), jsonLines(dialogues))
  const passages = all.map((i) => ({ id: `p${i}`, text: `${i}. ${about(i)}` }))
  const questions = all.map((i) => ({
    id: `q${i}`,
    split: splitOf(["train", "dev", "test"])(i),
    text: `What is ${i}?`,
    doc: `p${i}`,
    gold: [`p${i}`]
  }))
  writeFileSync(join(folder, "medquad", "passages.jsonl.gz"), gzipSync(jsonLines(passages)))
  writeFileSync(join(folder, "medquad", "questions.jsonl.gz"), gzipSync(jsonLines(questions)))
  const abstracts = all.map((i) => ({
    id: `a${i}`,
    split: i % 4 === 1 ? "test" : "train_cv",
    question: `Is it ${i}?`,
    contexts: [about(i)],
    long_answer: about(i + 1),
    answer: ["yes", "no", "maybe"][i % 3]
  }))
  writeFileSync(join(folder, "pubmedqa", "pqal.jsonl.gz"), gzipSync(jsonLines(abstracts)))
}

/** A tiny model with room for the recipe's prompts, and a config that makes it the base. */
const writeBase = (folder: string): void => {
  mkdirSync(join(folder, "model"))
  for (const [name, content] of Object.entries(Texts.modelFiles)) writeFileSync(join(folder, "model", name), content)
  const config = JSON.parse(readFileSync(join(folder, "model", "config.json"), "utf8")) as object
  writeFileSync(join(folder, "model", "config.json"), JSON.stringify({ ...config, max_position_embeddings: 8192 }))
  writeFileSync(
    join(folder, "base.yaml"),
    stringify({ merge_method: "passthrough", models: [{ model: join(folder, "model") }], dtype: "bfloat16" })
  )
}

const instructions = Tiny.questions.map(({ answer, question }, i) => ({
  instruction: `Answer in a word (${i}).`,
  input: question,
  output: answer
}))
const written = {
  "instructions.jsonl": jsonLines(instructions),
  "preferences.jsonl": jsonLines(Texts.pairs)
}

const values = {
  task_steps: "2",
  document_steps: "2",
  sft_steps: "2",
  dpo_steps: "2",
  batch: "2",
  rows: "1",
  dev: "2",
  few: "1",
  test: "3",
  grid: "1"
}

/** Runs a command in this process, without a word. */
const tool = (words: ReadonlyArray<string>, output: string) =>
  program([...words, "--json", "--threads", "1"]).pipe(
    Effect.provide(NodeServices.layer),
    Effect.provideService(Console.Console, {
      ...console,
      log: (text: string) => writeFileSync(output, text),
      error: () => undefined
    }),
    Effect.provideService(References.MinimumLogLevel, "None"),
    Effect.as({ status: 0 })
  )

describe("MediPhi in small", () => {
  it.live("runs from its data to a table of all steps, and has nothing left to do then", () =>
    Effect.gen(function*() {
      const folder = yield* folderOf({})
      writeOriginals(join(folder, "originals"))
      writeBase(folder)
      execFileSync(process.execPath, ["experiments/mediphi/data.ts", join(folder, "originals"), join(folder, "data")])
      const recipe = parse(readFileSync("experiments/mediphi/recipe.yaml", "utf8")) as {
        steps: Record<string, unknown>
      }
      const asked = String(recipe.steps["instructions"])
      recipe.steps["instructions"] = { write: written }
      writeFileSync(join(folder, "recipe.yaml"), stringify(recipe))
      const options = {
        out: join(folder, "out"),
        values: { ...values, data: join(folder, "data"), base: join(folder, "base.yaml") },
        only: [],
        dryRun: false,
        prune: false
      }
      const run = runRecipe(join(folder, "recipe.yaml"), options, tool)
      const { steps } = yield* run
      assert.isTrue(steps.every(({ state }) => state !== "to run"))
      const folderOfStep = (name: string) => steps.find(({ step }) => step === name)!.folder!
      const table = readFileSync(join(folderOfStep("table"), "table.md"), "utf8")
      assert.match(
        table,
        /\| system +\| dialogue-test, rougeL +\| consumer-test, acc_norm +\| literature-test, acc +\| mean of 3/
      )
      for (const name of ["base", "dialogue", "literature.slerp", "merged", "dpo"]) assert.include(table, `| ${name} `)
      assert.isTrue(existsSync(join(folderOfStep("dpo.model"), "model", "model.safetensors")))
      const card = readFileSync(join(folderOfStep("card"), "README.md"), "utf8")
      for (
        const part of [
          "license: other",
          "datasets: [\"",
          "preferences.jsonl\"",
          "- trained in mode dpo on preferences.jsonl, 2 steps, seed 1\n  - trained in mode sft on instructions.jsonl",
          "      - merged by SLERP ({\"t\":",
          "## Tasks",
          "| dialogue-test | rougeL |",
          "| dialogue.tasks | `train --config experiments/mediphi/tasks.yaml",
          "Research software, not medical advice.\n"
        ]
      ) assert.include(card, part)
      const again = yield* run
      assert.isTrue(again.steps.every(({ state }) => state === "done before"))
      assert.match(asked, /--out \$\{out\}\/instructions\.jsonl --dpo-out \$\{out\}\/preferences\.jsonl/)
      const plan = asked.replaceAll("${out}", join(folder, "plan")).replace("${count}", "2").replace("${tokens}", "8")
        .replace("${writer}", join(folder, "writer.yaml"))
      const writer = parse(readFileSync("experiments/mediphi/writer.yaml", "utf8")) as object
      const own = { ...writer, reader_name_or_path: join(folder, "model"), output_dir: join(folder, "writer") }
      writeFileSync(join(folder, "writer.yaml"), stringify(own))
      yield* tool([...plan.trim().split(/\s+/), "--dry-run"], join(folder, "plan.json"))
      assert.include(readFileSync(join(folder, "plan.json"), "utf8"), "\"requests\": 2")
    }).pipe(Effect.scoped, Effect.provide(Layer.mergeAll(NodeServices.layer, cpu({ threads: 1 }), silent))), 600_000)
})
