/** Recipes with a tool that writes down what it is asked to do. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import { type RecipeOptions, runRecipe } from "../../../src/programs/recipes/runRecipe.ts"
import { cpu } from "../../../src/runtime/engine/providers.ts"
import { silent } from "../../../src/runtime/ports/Reporter.ts"
import { folderOf } from "../../support/files.ts"

const options = { values: {}, only: [], dryRun: false, prune: false }

/** A folder with a recipe; runs it, and returns which words were run, without the folder. */
const kitchen = Effect.fnUntraced(function*(files: Readonly<Record<string, string>>) {
  const folder = yield* folderOf(files)
  const out = join(folder, "out")
  const run = Effect.fnUntraced(function*(own: Partial<RecipeOptions> = {}, fails = "") {
    const ran: Array<string> = []
    /** `bench SCORE FOLDER` leaves a summary of that score, `train` and others a file of their words. */
    const tool = (words: ReadonlyArray<string>, output: string) =>
      Effect.sync(() => {
        ran.push(words.join(" ").replaceAll(`${folder}/`, ""))
        writeFileSync(output, "{}\n")
        const at = words.at(-1)!
        if (words[0] === "bench") {
          mkdirSync(join(at, "bench"), { recursive: true })
          writeFileSync(join(at, "bench/summary.json"), JSON.stringify({ main_score: Number(words[1]) }))
        }
        return { status: words[0] === fails ? 3 : 0 }
      })
    const result = yield* runRecipe(join(folder, "recipe.yaml"), { out, ...options, ...own }, tool)
    return { ran, ...result }
  })
  return { folder, out, run }
})

const live = <A, E>(effect: Effect.Effect<A, E, Layer.Success<typeof services> | Scope.Scope>) =>
  effect.pipe(Effect.scoped, Effect.provide(services))
const services = Layer.mergeAll(NodeServices.layer, cpu({ threads: 1 }), silent)

const names = (ran: ReadonlyArray<string>) => ran.map((line) => line.split(" ")[0])

describe("a recipe", () => {
  const yaml = (folder: string) => `
values: { data: "${folder}" }
steps:
  mined: mine \${data}/questions.jsonl \${out}
  trained: train --config \${data}/base.yaml --set train_file=\${mined}/x \${out}
  other: export \${out}
  a.dev: bench 0.2 \${trained} \${out}
  b.dev: bench 0.6 \${other} \${out}
  best: { pick: { trained: a.dev, other: b.dev } }
  config: { write: { merge.yaml: "models: [\${best}, \${trained}/x]\\n" } }
  merged: merge \${config}/merge.yaml \${best} \${out}
`
  const files = { "questions.jsonl": "1\n", "passages.jsonl": "2\n" }
  const made = Effect.gen(function*() {
    const own = yield* kitchen({ ...files, "recipe.yaml": "" })
    writeFileSync(join(own.folder, "recipe.yaml"), yaml(own.folder))
    writeFileSync(join(own.folder, "base.yaml"), `passages_file: ${own.folder}/passages.jsonl\n`)
    return own
  })

  it.live("runs every step once, in order, and takes the best for a choice", () =>
    live(Effect.gen(function*() {
      const { run } = yield* made
      const first = yield* run()
      assert.deepStrictEqual(names(first.ran), ["mine", "train", "export", "bench", "bench", "merge"])
      const folders = Object.fromEntries(first.steps.map(({ folder, step }) => [step, folder!]))
      assert.strictEqual(folders["best"], folders["other"])
      assert.strictEqual(first.steps.find(({ step }) => step === "best")!.chosen, "other")
      assert.match(
        first.ran[1]!,
        /^train --config base\.yaml --set train_file=out\/mined-[0-9a-f]{12}\/x out\/trained-[0-9a-f]{12}$/
      )
      assert.include(first.ran[5]!, folders["other"]!.slice(-12))
      const config = readFileSync(join(folders["config"]!, "merge.yaml"), "utf8")
      assert.strictEqual(config, `models: [${folders["other"]}, ${folders["trained"]}/x]\n`)
      const again = yield* run()
      assert.deepStrictEqual([again.ran, again.outdated], [[], []])
      assert.deepStrictEqual(again.steps.map(({ folder }) => folder), first.steps.map(({ folder }) => folder))
      assert.isTrue(again.steps.every(({ state }) => state === "done before"))
    })))

  it.live("runs again what follows from a changed file, one named in settings included, and nothing else", () =>
    live(Effect.gen(function*() {
      const { folder, out, run } = yield* made
      yield* run()
      writeFileSync(join(folder, "passages.jsonl"), "3\n")
      const changed = yield* run()
      assert.deepStrictEqual(names(changed.ran), ["train", "bench", "merge"])
      assert.strictEqual(changed.outdated.length, 4)
      writeFileSync(join(folder, "passages.jsonl"), "2\n")
      utimesSync(join(folder, "passages.jsonl"), 1, 1)
      writeFileSync(join(out, "hashes.json"), "{")
      assert.deepStrictEqual((yield* run()).ran, [])
      const pruned = yield* run({ prune: true })
      assert.deepStrictEqual(pruned.outdated, [])
      assert.strictEqual(readdirSync(out).filter((name) => /-[0-9a-f]{12}$/.test(name)).length, 7)
    })))

  it.live("takes models from a folder, whose weights count as inputs wherever they are named", () =>
    live(Effect.gen(function*() {
      const own = yield* kitchen({ "recipe.yaml": "", "train.yaml": "reader_name_or_path: some-org/writer@v1\n" })
      const text = `
steps:
  config: { write: { merge.yaml: "base_model: some-org/writer\\n" } }
  merged: merge \${config}/merge.yaml \${out}
  trained: train --config ${own.folder}/train.yaml \${out}
  judged: bench 0.5 --set retriever_name_or_path=some-org/encoder \${out}
`
      writeFileSync(join(own.folder, "recipe.yaml"), text)
      const [models, moved] = [join(own.folder, "models"), join(own.folder, "moved")]
      for (const [name, file] of [["writer", "a.gguf"], ["encoder", "config.json"]] as const) {
        mkdirSync(join(models, name), { recursive: true })
        writeFileSync(join(models, name, file), "1")
      }
      assert.lengthOf((yield* own.run()).ran, 3)
      assert.deepStrictEqual(names((yield* own.run({ models })).ran), ["merge", "train", "bench"])
      writeFileSync(join(models, "encoder", "config.json"), "22")
      assert.deepStrictEqual(names((yield* own.run({ models })).ran), ["bench"])
      writeFileSync(join(models, "writer", "a.gguf"), "22")
      assert.deepStrictEqual(names((yield* own.run({ models })).ran), ["merge", "train"])
      renameSync(models, moved)
      assert.deepStrictEqual((yield* own.run({ models: moved })).ran, [])
    })))

  it.live("goes on after a step that failed, in the same folder", () =>
    live(Effect.gen(function*() {
      const { run } = yield* made
      const error = yield* Effect.flip(run({}, "train"))
      assert.match(error.message, /^step trained: ended with status 3; what it made is in .*trained-[0-9a-f]{12}, and/)
      const kept = /made is in (\S+),/.exec(error.message)![1]!
      assert.isTrue(existsSync(join(kept, "output.json")))
      assert.isFalse(existsSync(join(kept, "step.json")))
      const next = yield* run()
      assert.deepStrictEqual(names(next.ran), ["train", "export", "bench", "bench", "merge"])
      assert.deepStrictEqual(JSON.parse(readFileSync(join(kept, "step.json"), "utf8")).step, "trained")
    })))

  it.live("runs what some steps need, or says what it would run", () =>
    live(Effect.gen(function*() {
      const { run } = yield* made
      const dry = yield* run({ dryRun: true })
      assert.deepStrictEqual(dry.ran, [])
      assert.deepStrictEqual(dry.steps.map(({ state }) => state), dry.steps.map(() => "to run"))
      assert.deepStrictEqual(names((yield* run({ only: ["a.dev"] })).ran), ["mine", "train", "bench"])
      assert.match((yield* Effect.flip(run({ only: ["c"] }))).message, /has no step c; there are mined, /)
      const other = yield* run({ only: ["mined"], values: { data: "elsewhere" } })
      assert.match(other.ran.join(), /^mine elsewhere\/questions\.jsonl out\/mined-/)
      assert.match((yield* Effect.flip(run({ values: { date: "x" } }))).message, /has no value date; there are data/)
    })))

  it.live("is refused where a step to pick by has left no figures", () =>
    live(Effect.gen(function*() {
      const { folder, run } = yield* made
      const text = yaml(folder).replace("bench 0.2", "evaluate 0.2")
      writeFileSync(join(folder, "recipe.yaml"), text)
      assert.match((yield* Effect.flip(run())).message, /^step a\.dev: left no bench\/summary\.json to pick by/)
      rmSync(join(folder, "recipe.yaml"))
      writeFileSync(join(folder, "recipe.yaml"), "stps: {}\n")
      assert.match((yield* Effect.flip(run())).message, /recipe\.yaml:\n  stps: is no key here\n  steps: is missing/)
    })))
})
