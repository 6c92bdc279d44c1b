/** An experiment of the tiny system, two arms under two seeds, whose data would like to be HTML. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Experiment from "../../src/programs/experiments/experiment.ts"
import type { Plan } from "../../src/programs/experiments/experimentPlan.ts"
import type { ReportOptions } from "../../src/programs/reporting/collect.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { silent } from "../../src/runtime/ports/Reporter.ts"
import { jsonLines, prepare } from "./cli.ts"
import { hostile } from "./hostile.ts"
import * as Tiny from "./tiny.ts"

const plan = (folder: string): Plan => ({
  seeds: [1, 2],
  settings: Tiny.experiment(folder),
  warm_up: {},
  arms: {
    frozen: { phases: {}, settings: { mode: "frozen_rag", passage_influence: true, option_permutations: 3 } },
    joint: { phases: {}, settings: { mode: "joint", n_context: 1 } }
  }
})

/** A new folder with `experiment/seed-N/ARM`; the tests that use it remove it. */
export const experimented = async (): Promise<string> => {
  const folder = await prepare()
  const passages = Tiny.passages.map(({ id, text }, i) => ({ id, text: i % 2 === 0 ? `${text} ${hostile}` : text }))
  const questions = Tiny.questions.map((own, i) =>
    Object.assign({}, own, {
      question: i === 0 ? `${own.question} </script>` : own.question,
      options: own.options.map((option, o) => i === 0 && o !== own.answerIndex ? `${option}<img>` : option),
      type: i < 3 ? hostile : "symptom"
    })
  )
  writeFileSync(join(folder, "passages.jsonl"), jsonLines(passages))
  writeFileSync(join(folder, "questions.jsonl"), jsonLines(questions))
  const run = Experiment.experiment(plan(folder), "plan.yaml", { output_dir: join(folder, "experiment") }).pipe(
    Effect.provide(Layer.mergeAll(NodeServices.layer, cpu({ threads: 1 }), silent), { local: true })
  )
  await Effect.runPromise(run)
  return folder
}

/** The command's defaults. */
export const options: ReportOptions = {
  split: "test",
  base: undefined,
  overrides: {},
  maxQuestions: 500,
  passages: 5,
  matches: 0,
  pictures: 2 ** 20,
  ratings: [],
  plans: {}
}
