/** Training on texts and on preferences: ids and masks are transformers', losses and rewards of a few steps TRL's. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Turn } from "../../src/domain/examples/turns.ts"
import type { Raw } from "../../src/domain/settings/RunConfig.ts"
import { run } from "../../src/programs/run.ts"
import { read } from "../../src/programs/training/heldOut.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { examplesOf, type LearnedOptions } from "../../src/runtime/language/examples/examples.ts"
import { load } from "../../src/runtime/language/examples/marked.ts"
import { Reporter } from "../../src/runtime/ports/Reporter.ts"
import * as Tokenizer from "../../src/runtime/tokenizers/tokenizer.ts"
import { decode } from "../../src/systems/all.ts"
import { jsonLines } from "../support/cli.ts"
import { folderOf, onDisk } from "../support/files.ts"

const here = join(import.meta.dirname, "texts")

interface Trained {
  readonly about: string
  readonly rows: ReadonlyArray<object>
  readonly options: Raw
  readonly steps: ReadonlyArray<Readonly<Record<string, number>>>
}
interface Told {
  readonly masks: ReadonlyArray<{
    readonly about: string
    readonly plain: string
    readonly tagged: string
    readonly cases: ReadonlyArray<{
      readonly messages: ReadonlyArray<Turn>
      readonly ids: ReadonlyArray<number>
      readonly learned: ReadonlyArray<number>
    }>
  }>
  readonly sft: ReadonlyArray<Trained>
  readonly dpo: ReadonlyArray<Trained>
  readonly held: ReadonlyArray<
    Trained & {
      readonly kind: "sft" | "dpo"
      readonly held: ReadonlyArray<object>
      readonly judged: Trained["steps"]
    }
  >
}
const told = JSON.parse(readFileSync(join(here, "told.json"), "utf8")) as Told

const files = ["config.json", "tokenizer.json", "model.safetensors"]
/** The model's folder with a chat template, and a file of rows. */
const folderWith = (template: string, rows: ReadonlyArray<object> = []) =>
  folderOf({
    ...Object.fromEntries(files.map((name) => [name, readFileSync(join(here, name))])),
    "tokenizer_config.json": JSON.stringify({
      eos_token: "<|endoftext|>",
      pad_token: "<|endoftext|>",
      chat_template: template
    }),
    "rows.jsonl": jsonLines(rows)
  })

const plainly: LearnedOptions = {
  train_on_inputs: false,
  last_turn_only: false,
  split_turns: false,
  thinking: "keep",
  tools: "template",
  document_tasks: "none",
  apply_chat_template: false,
  question_prompt: "{question}",
  answer_prompt: "{answer}"
}

describe("of a chat, what the assistant says is learned, as transformers masks it", () => {
  for (const { about, cases, ...templates } of told.masks) {
    for (const kind of ["plain", "tagged"] as const) {
      it.live(`${about}, ${kind === "plain" ? "by end marks" : "by the template's tags"}`, () =>
        onDisk(Effect.gen(function*() {
          const tokenizer = yield* Tokenizer.load(yield* folderWith(templates[kind]))
          const template = Effect.succeed(yield* load(tokenizer))
          const sources = { tokenizer, start: [], end: 0, template, options: plainly }
          for (const { ids, learned, messages } of cases) {
            const row = { id: "r", _tag: "Chat", messages, prompt: undefined, tools: undefined } as const
            const [own] = yield* examplesOf(sources, "r", row)
            assert.deepStrictEqual(own!.ids, ids)
            assert.deepStrictEqual(own!.learned, learned, JSON.stringify(messages))
          }
        })))
    }
  }
})

/** The figures of each step of a run, and of its held-out rows. */
const runOf = Effect.fnUntraced(function*(
  mode: "sft" | "dpo",
  { options, rows }: Trained,
  overrides: Raw,
  held: ReadonlyArray<object> = []
) {
  const folder = yield* folderWith(told.masks[0]!.plain, rows)
  writeFileSync(join(folder, "held.jsonl"), jsonLines(held))
  const given = Object.fromEntries(Object.entries(options).filter(([name]) => name !== "assistant_only_loss"))
  const config = yield* decode("test", {
    system: "mediphi",
    preset: mode,
    train_file: join(folder, "rows.jsonl"),
    reader_name_or_path: folder,
    output_dir: join(folder, "run"),
    max_steps: 3,
    max_length: 256,
    learning_rate: 1e-2,
    lr_scheduler_type: "constant",
    per_device_train_batch_size: rows.length,
    eval_file: held.length === 0 ? "" : join(folder, "held.jsonl"),
    ...given,
    ...overrides
  })
  const figures: Array<Readonly<Record<string, number>>> = []
  const reporter = Layer.succeed(Reporter, {
    report: (progress) => Effect.sync(() => void figures.push(progress.figures)),
    note: () => Effect.void
  })
  const around = Layer.mergeAll(cpu({ threads: 1 }), reporter, NodeServices.layer)
  yield* run(config, false).pipe(Effect.provide(around, { local: true }))
  return { figures, lines: yield* read(config.output_dir).pipe(Effect.provide(NodeServices.layer)) }
})
const stepsOf = (mode: "sft" | "dpo", one: Trained, overrides: Raw) =>
  Effect.map(runOf(mode, one, overrides), ({ figures }) => figures)

/**
 * Whether the figures of all steps are TRL's. Where every token is learned TRL divides by the tokens with the first of each
 * row, which nothing predicts: `firsts` of them are taken out again. Before the first update all rewards are zero but for
 * rounding, and so is the share of those that are greater.
 */
const agree = (steps: ReadonlyArray<Readonly<Record<string, number>>>, want: Trained["steps"], firsts = 0) => {
  assert.strictEqual(steps.length, want.length)
  want.forEach((own, step) => {
    for (const [name, value] of Object.entries(own)) {
      if (name === "grad_norm" || (name === "rewards/accuracies" && step === 0)) continue
      const tokens = steps[step]!["tokens"] ?? 1
      const wanted = name === "loss" ? value * (tokens + firsts) / tokens : value
      const room = 2e-4 * Math.max(1, Math.abs(wanted))
      assert.closeTo(steps[step]![name]!, wanted, room, `step ${step + 1}, ${name}`)
    }
  })
}

describe("a few steps have the losses of TRL's SFTTrainer", () => {
  for (const one of told.sft) {
    const overrides = one.about.endsWith("everything") ? { train_on_inputs: true } : {}
    const firsts = ["chats, everything", "texts"].includes(one.about) ? one.rows.length : 0
    it.live(
      one.about,
      () => onDisk(Effect.map(stepsOf("sft", one, overrides), (steps) => agree(steps, one.steps, firsts)))
    )
  }
  it.live("in micro-batches, and packed", () =>
    onDisk(Effect.gen(function*() {
      const one = told.sft[0]!
      const half = one.rows.length / 2
      const parts = { per_device_train_batch_size: half, gradient_accumulation_steps: 2 }
      agree(yield* stepsOf("sft", one, parts), one.steps)
      agree(yield* stepsOf("sft", one, { packing: true, per_device_train_batch_size: 2 }), one.steps)
    })))
})

describe("a few steps have the losses and rewards of TRL's DPOTrainer", () => {
  for (const one of told.dpo) {
    it.live(one.about, () => onDisk(Effect.map(stepsOf("dpo", one, {}), (steps) => agree(steps, one.steps))))
  }
  it.live("in micro-batches", () =>
    onDisk(Effect.gen(function*() {
      const one = told.dpo.find(({ about }) => about === "with sft")!
      const parts = { per_device_train_batch_size: 1, gradient_accumulation_steps: one.rows.length }
      agree(yield* stepsOf("dpo", one, parts), one.steps)
    })))
})

describe("held-out rows have the figures of TRL's evaluations", () => {
  for (const one of told.held) {
    it.live(`${one.kind}, ${one.about}`, () =>
      onDisk(Effect.gen(function*() {
        const overrides = { eval_steps: 1, eval_on_start: true }
        const { figures, lines } = yield* runOf(one.kind, one, overrides, one.held)
        agree(figures, one.steps)
        assert.deepStrictEqual(lines.map(({ epoch, step }) => [step, epoch]), [[0, 0], [1, 1], [2, 2], [3, 3]])
        one.judged.forEach((want, i) => {
          for (const [name, value] of Object.entries(want)) {
            if (name === "eval_rewards/accuracies" && i === 0) continue
            assert.closeTo(lines[i]![name] as number, value, 2e-4 * Math.max(1, Math.abs(value)), `${i}, ${name}`)
          }
        })
      })))
  }
})
