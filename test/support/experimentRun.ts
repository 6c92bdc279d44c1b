/**
 * A small experiment, and as a program of its own one that is made to be killed: `node test/support/experimentRun.ts FOLDER OUT`,
 * where `writeModels` was in FOLDER. It says a line for all that is reported.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { createHash } from "node:crypto"
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { experiment } from "../../src/programs/experiments/experiment.ts"
import type { Plan } from "../../src/programs/experiments/experimentPlan.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import * as Journal from "../../src/runtime/files/journal.ts"
import { Reporter, silent } from "../../src/runtime/ports/Reporter.ts"
import { jsonLines } from "./cli.ts"
import { say } from "./run.ts"
import * as Tiny from "./tiny.ts"

/** Steps of each arm. */
export const STEPS = 3

/** Writes the data of the experiment beside the models. */
export const prepare = (folder: string): void => {
  writeFileSync(join(folder, "passages.jsonl"), jsonLines(Tiny.passages))
  writeFileSync(join(folder, "questions.jsonl"), jsonLines(Tiny.questions))
}

const copy = { copy: { mode: "copy", max_steps: 1 } }
const plan = (folder: string): Plan => ({
  seeds: [1],
  settings: { ...Tiny.experiment(folder), max_steps: STEPS, save_steps: 1, save_total_limit: 1 },
  warm_up: { lexical: { mode: "lexical", max_steps: 2 } },
  arms: {
    frozen: { phases: {}, settings: { mode: "frozen_rag" } },
    phased: { phases: copy, settings: { mode: "joint", reader_lag: 1 } },
    twin: { phases: copy, settings: { mode: "joint", reader_lag: 1, temperature_gold: 3 } }
  }
})

/** Runs the experiment, or what is missing of it. */
export const run = (folder: string, out: string, reporter: Layer.Layer<Reporter> = silent) =>
  experiment(plan(folder), "plan.yaml", { output_dir: out }).pipe(
    Effect.provide(Layer.mergeAll(NodeServices.layer, cpu({ threads: 1 }), reporter, Logger.layer([])), { local: true })
  )

/** The arms that are trained and evaluated, with the bytes that say so: they have times in them. */
export const ended = (out: string): ReadonlyMap<string, string> => {
  const folder = join(out, "seed-1")
  const arms = existsSync(folder) ? readdirSync(folder) : []
  return new Map(arms.flatMap((arm) => {
    const files = [join(folder, arm, "trained.json"), join(folder, arm, "eval-test", "metrics.json")]
    return files.every(existsSync) ? [[arm, files.map((path) => readFileSync(path, "utf8")).join("")] as const] : []
  }))
}

/** What is of a process, or of its time. */
const passing = /(^|\/)(\.runners|\.lock|clock\.json)|\.arrow$/
const timeless = (text: string): string =>
  JSON.stringify(JSON.parse(text), (key, value) => /^(seconds|questionsPerSecond)$/.test(key) ? 0 : value)

/** All that an experiment leaves but times, by path: hashes of files, and rows of journals. */
export const left = Effect.fnUntraced(function*(out: string) {
  const names = readdirSync(join(out, "seed-1"), { recursive: true, encoding: "utf8" }).toSorted()
  const files = names.filter((name) => /\.\w+$/.test(basename(name)) && !passing.test(name))
  const all = new Map(files.map((name) => {
    const bytes = readFileSync(join(out, "seed-1", name))
    const timed = /^(trained|metrics)\.json$/.test(basename(name))
    const own = timed ? timeless(bytes.toString()) : bytes
    return [name, createHash("sha256").update(own).digest("hex")] as const
  }))
  for (const name of names.filter((own) => basename(own) === "journal")) {
    const batches = yield* Journal.read(join(out, "seed-1", name, ".."))
    all.set(name, batches.flatMap((batch) => batch.toArray().map((row) => JSON.stringify(row))).join("\n"))
  }
  return all
})

/** Names of what differs, or is only in one of them. */
export const differing = (a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): ReadonlyArray<string> =>
  [...new Set([...a.keys(), ...b.keys()])].filter((name) => a.get(name) !== b.get(name)).toSorted()

if (import.meta.main) {
  const [folder, out] = process.argv.slice(2) as [string, string]
  let events = 0
  const told = Effect.suspend(() => say(`event ${++events};`))
  NodeRuntime.runMain(run(folder, out, Layer.succeed(Reporter, { report: () => told, note: () => told })))
}
