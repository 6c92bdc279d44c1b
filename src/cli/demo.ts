/** Program: the main job, on data that ships: no retrieval, a frozen retriever, and both trained together. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Raw } from "../domain/settings/RunConfig.ts"
import { answerAll, show } from "../programs/answer.ts"
import { experiment, readPlan } from "../programs/experiments/experiment.ts"
import { inference, questions } from "../programs/prepare.ts"
import { trained } from "../programs/run.ts"
import * as Report from "../report/tables.ts"
import { decode } from "../systems/all.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const source = join("experiments", "demo", "experiment.yaml")

/** Runs the experiment, prints its tables, then lets the joint system answer three questions of the test split. */
export const demo = Effect.fn("demo")(function*(overrides: Raw) {
  process.chdir(root)
  const plan = yield* readPlan(source)
  const outcomes = yield* experiment(plan, source, overrides)
  yield* Console.log(`\n${Report.all(outcomes)}\n`)
  const joint = Object.assign({}, plan.settings, plan.arms["joint"]!.settings)
  const settings = yield* decode(source, joint, overrides)
  const { config } = yield* trained({
    ...settings,
    output_dir: join(settings.output_dir, `seed-${plan.seeds[0]}`, "joint")
  })
  const records = yield* questions(config, "test")
  const samples = [0, 1, 2].map((i) => records[Math.floor(i * records.length / 3)]!)
  const answers = yield* Stream.runCollect(answerAll(config, samples)).pipe(Effect.provide(yield* inference(config)))
  yield* Console.log(answers.map((answer, i) => `${show(answer)}\n  right: ${samples[i]!.answer}`).join("\n\n"))
}, Effect.scoped)
