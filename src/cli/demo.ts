/** Program: the demo on shipped data: no retrieval, a frozen retriever, and joint training. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { existsSync } from "node:fs"
import { join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import type { Raw } from "../domain/settings/RunConfig.ts"
import { answerAll, show } from "../programs/answer.ts"
import { experiment, readPlan } from "../programs/experiments/experiment.ts"
import { locally } from "../programs/experiments/localModels.ts"
import { inference, questions } from "../programs/prepare.ts"
import { trained } from "../programs/run.ts"
import * as Report from "../report/tables.ts"
import { decode } from "../systems/all.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))

/** Path of a shipped file, relative to the current folder, to which runs write their output. */
const shipped = (path: string): string => relative(process.cwd(), join(root, path))

/** The settings with paths of shipped files resolved; ids of the Hub stay as they are. */
const located = (settings: Raw): Raw =>
  Object.fromEntries(
    Object.entries(settings).map(([key, value]) =>
      /_(file|name_or_path)$/.test(key) && typeof value === "string" && existsSync(join(root, value))
        ? [key, shipped(value)]
        : [key, value]
    )
  )

/** Has a pretrained reader write a sentence behind the option it chose. */
const sentences = {
  rationale_prompt: ".\nExplanation:",
  rationale_max_new_tokens: 48,
  min_new_tokens: 8,
  stop_strings: ["\n"]
} as const

/** Which models the demo trains. */
export interface DemoOptions {
  /** Pretrained ones, instead of small ones from scratch. */
  readonly pretrained: boolean
  /** Where the pretrained ones lie; `undefined` for the Hub's cache. */
  readonly models: string | undefined
}

/** Runs the experiment, prints its tables, then lets the joint system answer three test questions. */
export const demo = Effect.fn("demo")(function*(given: Raw, { models, pretrained }: DemoOptions) {
  const source = shipped(join("experiments", "demo", pretrained ? "pretrained.yaml" : "experiment.yaml"))
  const read = yield* readPlan(source)
  const whole = { plan: { ...read, settings: located(read.settings) }, overrides: given }
  const { overrides, plan } = yield* locally(whole, models)
  const outcomes = yield* experiment(plan, source, overrides)
  yield* Console.log(`\n${Report.all(outcomes)}\n`)
  const joint = Object.assign({}, plan.settings, plan.arms["joint"]!.settings)
  const settings = yield* decode(source, joint, overrides)
  const { config } = yield* trained({
    ...settings,
    ...(pretrained ? sentences : {}),
    output_dir: join(settings.output_dir, `seed-${plan.seeds[0]}`, "joint")
  })
  const records = yield* questions(config, "test")
  const samples = [0, 1, 2].map((i) => records[Math.floor(i * records.length / 3)]!)
  const answers = yield* Stream.runCollect(answerAll(config, samples)).pipe(Effect.provide(yield* inference(config)))
  yield* Console.log(answers.map((answer, i) => `${show(answer)}\n  right: ${samples[i]!.answer}`).join("\n\n"))
}, Effect.scoped)
