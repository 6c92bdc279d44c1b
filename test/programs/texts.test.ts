/** Runs on texts: what is learned of documents, what is cut, told and refused, and adapters. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { TokenRecord } from "../../src/domain/examples/tokens.ts"
import type { Raw } from "../../src/domain/settings/RunConfig.ts"
import { evaluateRun } from "../../src/programs/evaluation/evaluateRun.ts"
import { prepare } from "../../src/programs/prepare.ts"
import { run } from "../../src/programs/run.ts"
import { referred } from "../../src/programs/training/reference.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { Reporter } from "../../src/runtime/ports/Reporter.ts"
import { decode } from "../../src/systems/all.ts"
import { jsonLines } from "../support/cli.ts"
import { folderOf, onDisk } from "../support/files.ts"
import * as Texts from "../support/texts.ts"

/** A folder with the model and rows, and settings that name them. */
const made = Effect.fnUntraced(
  function*(preset: keyof typeof Texts.fileOf, overrides: Raw = {}, rows?: ReadonlyArray<object>) {
    const folder = yield* folderOf({ ...Texts.rowFiles, ...(rows ? { [Texts.fileOf[preset]]: jsonLines(rows) } : {}) })
    mkdirSync(join(folder, "model"))
    for (const [name, content] of Object.entries(Texts.modelFiles)) writeFileSync(join(folder, "model", name), content)
    const given = { ...Texts.settings(preset), ...overrides }
    const paths = ["train_file", "test_file", "reader_name_or_path", "output_dir"].filter((key) =>
      (given[key] ?? "") !== ""
    )
    return yield* decode("test", {
      ...given,
      ...Object.fromEntries(paths.map((key) => [key, join(folder, given[key] as string)]))
    })
  }
)

/** What is said in a run, warnings and notes, and the figures of its steps. */
const listening = () => {
  const [said, figures] = [new Array<string>(), new Array<Readonly<Record<string, number>>>()]
  const layer = Layer.mergeAll(
    Layer.succeed(Reporter, {
      report: (progress) => Effect.sync(() => void figures.push(progress.figures)),
      note: (text) => Effect.sync(() => void said.push(text))
    }),
    Logger.layer([Logger.make(({ message }) => void said.push(String(message)))]),
    cpu({ threads: 1 }),
    NodeServices.layer
  )
  const heard = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    effect.pipe(Effect.provide(layer, { local: true }), Effect.provideService(References.MinimumLogLevel, "Warn"))
  return { said, figures, heard }
}

const trained = Effect.fnUntraced(function*(preset: keyof typeof Texts.fileOf, overrides: Raw = {}) {
  const config = yield* made(preset, overrides)
  const { figures, heard, said } = listening()
  yield* heard(run(config, false))
  return { config, figures, said: said.join("\n") }
})
const prepared = Effect.fnUntraced(function*(
  preset: keyof typeof Texts.fileOf,
  overrides: Raw = {},
  rows?: ReadonlyArray<object>
) {
  const { heard, said } = listening()
  const found = yield* heard(prepare(yield* made(preset, overrides, rows)))
  return { ...found, records: found.epochs(0) as ReadonlyArray<TokenRecord>, said: said.join("\n") }
})
const refusal = (preset: keyof typeof Texts.fileOf, overrides: Raw = {}, rows?: ReadonlyArray<object>) =>
  Effect.map(Effect.flip(prepared(preset, overrides, rows)), ({ message }) => message)

const unlearned = (counts: Readonly<Record<string, number>>) => counts["tokens"]! - counts["learned tokens"]!

describe("documents", () => {
  it.live("are learned whole, each once, in rows of any packing", () =>
    onDisk(Effect.gen(function*() {
      const { figures, said } = yield* trained("pretrain", { max_steps: 6 })
      assert.match(said, /1 of 12 documents are given before, and are left out/)
      assert.isBelow(figures.at(-1)!["loss"]!, figures[0]!["loss"]!)
      const all = yield* Effect.forEach(["auto", "bfd_split", false], (packing) => prepared("pretrain", { packing }))
      const [wrapped, split, apart] = all.map(({ counts, records }) => ({ counts: counts!, records }))
      for (const { counts } of [split!, apart!]) assert.strictEqual(counts["tokens"], wrapped!.counts["tokens"])
      assert.isBelow(wrapped!.records.length, 8)
      assert.strictEqual(unlearned(wrapped!.counts), wrapped!.records.length)
      assert.isTrue(wrapped!.records.every(({ starts }) => starts.length === 1))
      assert.strictEqual(
        unlearned(split!.counts),
        split!.records.flatMap(({ starts }) => starts).length
      )
      assert.strictEqual((yield* prepared("pretrain", { deduplicate: false })).counts!["documents"], 12)
    })))
  it.live("have tasks after them, as the settings say", () =>
    onDisk(Effect.gen(function*() {
      const rows = ["GBA1", "GLA"].map((answer, i) => ({
        id: `d${i}`,
        text: `Disease ${i}.`,
        tasks: [{ question: "Which gene?", answer }]
      }))
      const none = yield* prepared("pretrain", { packing: false }, rows)
      assert.match(none.said, /2 tasks of documents are not learned \(document_tasks: none\)/)
      const outputs = yield* prepared("pretrain", { packing: false, document_tasks: "outputs" }, rows)
      const everything = yield* prepared("pretrain", { packing: false, document_tasks: "all" }, rows)
      assert.isAbove(outputs.counts!["learned tokens"]!, none.counts!["learned tokens"]!)
      assert.strictEqual(outputs.counts!["tokens"], everything.counts!["tokens"])
      assert.strictEqual(unlearned(everything.counts!), 2)
      const together = yield* prepared("pretrain", { document_tasks: "all", documents_per_example: 2 }, rows)
      assert.strictEqual(together.counts!["examples"], 1)
      assert.match(yield* refusal("pretrain", {}, [Texts.chats[0]!]), /row line-1 is no document with a text/)
    })))
})

describe("examples", () => {
  it.live("are packed and learned with adapters, several updates a run; the model answers questions", () =>
    onDisk(Effect.gen(function*() {
      const { config, figures, said } = yield* trained("sft", {
        packing: true,
        lora_r: 4,
        gradient_checkpointing: true,
        max_steps: 6,
        steps_per_run: 3,
        save_steps: 6,
        test_file: "questions.jsonl"
      })
      assert.isBelow(Number(/20 examples, [\d,]+ tokens, \d+ learned tokens, (\d+) rows/.exec(said)![1]), 20)
      assert.isBelow(figures.at(-1)!["loss"]!, figures[0]!["loss"]!)
      const { heard } = listening()
      const summary = yield* heard(evaluateRun(config, "test"))
      assert.strictEqual(summary.questions, 6)
    })))
  it.live("that are too long are refused, cut or left out, which is told", () =>
    onDisk(Effect.gen(function*() {
      const long = yield* refusal("sft", { max_length: 56 })
      assert.match(
        long,
        /\d+ of 20 examples exceed max_length \(56\): line-\d+ \(\d+ tokens\).*excess_length: truncate/
      )
      const cut = yield* prepared("sft", { max_length: 56, excess_length: "truncate" })
      assert.match(cut.said, /examples exceed max_length \(56\).*their ends are cut/)
      assert.isTrue(cut.records.every(({ ids }) => ids.length <= 56))
      const left = yield* prepared("sft", { max_length: 56, excess_length: "skip" })
      assert.match(left.said, /they are left out/)
      assert.isBelow(left.records.length, cut.records.length)
    })))
  it.live("without a word of the assistant are refused, and rows that are none", () =>
    onDisk(Effect.gen(function*() {
      const mute = { id: "mute", messages: [{ role: "user", content: "Hi" }] }
      assert.match(
        yield* refusal("sft", {}, [...Texts.chats, mute]),
        /1 of 21 examples have no token to learn \(first: mute\)/
      )
      const bad = { messages: [{ role: "x", content: "y" }] }
      assert.match(
        yield* refusal("sft", {}, [Texts.chats[0]!, bad]),
        /line 2, field "messages\.0\.role": "x" is no role/
      )
      const skipped = yield* prepared("sft", { skip_bad_lines: true }, [Texts.chats[0]!, bad])
      assert.match(skipped.said, /1 malformed lines left out/)
      assert.match(yield* refusal("sft", { packing: "wrapped" }), /would attend to each other/)
      assert.match(yield* refusal("sft", { train_file: "" }), /train_file: is missing/)
    })))
})

describe("preferences", () => {
  it.live("have a reference that is kept, and made again only for new rows", () =>
    onDisk(Effect.gen(function*() {
      const config = yield* made("dpo")
      const { heard, said } = listening()
      const first = yield* heard(Effect.flatMap(Effect.scoped(prepare(config)), referred))
      const again = yield* heard(Effect.flatMap(Effect.scoped(prepare(config)), referred))
      assert.deepStrictEqual(again.epochs(0), first.epochs(0))
      assert.strictEqual(said.filter((line) => line.includes("6 rows are judged")).length, 1)
      const records = first.epochs(0) as ReadonlyArray<TokenRecord>
      assert.isTrue(records.every(({ reference }) => reference!.every((logp) => logp < 0 && Number.isFinite(logp))))
      writeFileSync(
        config.train_file,
        jsonLines([...Texts.pairs, { ...Texts.pairs[0]!, rejected: [{ role: "assistant", content: "No." }] }])
      )
      yield* heard(Effect.flatMap(Effect.scoped(prepare(config)), referred))
      assert.strictEqual(said.filter((line) => line.includes("1 rows are judged")).length, 1)
      assert.match(readFileSync(config.train_file, "utf8"), /No\./)
    })))
  it.live("that prefer nothing are refused, and settings that make no sense", () =>
    onDisk(Effect.gen(function*() {
      const same = { ...Texts.pairs[0]!, rejected: Texts.pairs[0]!.chosen }
      assert.match(
        yield* refusal("dpo", {}, [same]),
        /line 1, field "rejected": equals chosen: there is nothing to prefer/
      )
      assert.match(yield* refusal("dpo", { loss_weights: [1, 2] }), /loss_weights has 2 weights for 1 losses/)
      assert.match(yield* refusal("dpo", { loss_type: ["sft"] }), /prefers nothing/)
      assert.match(yield* refusal("dpo", { steps_per_run: 2, save_steps: -1 }), /is not made for mode dpo/)
      const cut = yield* prepared("dpo", { max_length: 16, excess_length: "truncate" }).pipe(Effect.flip)
      assert.match(cut.message, /nothing is left that fits/)
    })))
})

describe("held-out rows", () => {
  const lines = (output: string) =>
    readFileSync(join(output, "evaluations.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line))
  it.live("are judged every so many steps and at the end; a resumed run has the same lines", () =>
    onDisk(Effect.gen(function*() {
      const settings = { eval_steps: 2, save_steps: 2, max_steps: 5 }
      const config = yield* made("sft", { ...settings, eval_file: "chats.jsonl", eval_where: {} })
      const straight = { ...config, eval_file: config.train_file, output_dir: `${config.output_dir}-straight` }
      const { heard, said } = listening()
      yield* heard(run(straight, false))
      assert.match(said.join("\n"), /20 of 20 texts are learned too/)
      assert.match(said.join("\n"), /step 2: eval_loss [\d.]+, eval_perplexity [\d.]+, eval_mean_token_accuracy/)
      const want = lines(straight.output_dir)
      assert.deepStrictEqual(want.map(({ step }) => step), [2, 4, 5])
      assert.closeTo(want[0].eval_perplexity, Math.exp(want[0].eval_loss), 1e-6)
      const trained = JSON.parse(readFileSync(join(straight.output_dir, "trained.json"), "utf8"))
      assert.deepStrictEqual(trained.evaluation, want[2])
      rmSync(join(straight.output_dir, "checkpoint-5"), { recursive: true })
      writeFileSync(join(straight.output_dir, "evaluations.jsonl"), jsonLines(want.slice(0, 2)))
      const { heard: again, said: resumed } = listening()
      yield* again(run(straight, true))
      assert.deepStrictEqual(lines(straight.output_dir), want)
      assert.notMatch(resumed.join("\n"), /step [24]: eval_loss/)
    })))
  it.live("are judged after each pass where the settings say so, or at the end alone", () =>
    onDisk(Effect.gen(function*() {
      const config = yield* made("dpo", { max_steps: 4, log_token_statistics: false })
      const { heard } = listening()
      const after = Effect.fnUntraced(function*(overrides: Raw) {
        const own = { ...config, eval_file: config.train_file, ...overrides } as typeof config
        yield* heard(run(own, false))
        return lines(own.output_dir)
      })
      const epochs = yield* after({ eval_strategy: "epoch" })
      assert.deepStrictEqual(epochs.map(({ step }) => step), [2, 3, 4])
      assert.notProperty(epochs[0], "eval_entropy")
      assert.property(epochs[0], "eval_rewards/margins")
      const end = yield* after({ output_dir: `${config.output_dir}-end`, eval_steps: -1 })
      assert.deepStrictEqual(end.map(({ step }) => step), [4])
      const none = {
        ...config,
        eval_file: config.train_file,
        eval_strategy: "no",
        output_dir: `${config.output_dir}-no`
      }
      yield* heard(run(none as typeof config, false))
      assert.isFalse(existsSync(join(none.output_dir, "evaluations.jsonl")))
    })))
  it.live("change no weight, and neither do the figures of tokens", () =>
    onDisk(Effect.gen(function*() {
      const config = yield* made("sft", { max_steps: 3 })
      const { heard } = listening()
      const weights = Effect.fnUntraced(function*(name: string, overrides: Raw) {
        const own = { ...config, ...overrides, output_dir: join(config.output_dir, name) } as typeof config
        yield* heard(run(own, false))
        return readFileSync(join(own.output_dir, "checkpoint-3", "reader", "model.safetensors"))
      })
      const plain = yield* weights("plain", { log_token_statistics: false })
      assert.isTrue(plain.equals(yield* weights("told", {})))
      assert.isTrue(plain.equals(yield* weights("judged", { eval_file: config.train_file, eval_steps: 1 })))
    })))
})
