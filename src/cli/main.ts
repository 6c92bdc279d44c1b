/** The command line. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { createRequire } from "node:module"
import { anamnesis } from "./command.ts"
import { answerCommand } from "./commands/answer.ts"
import { benchCommand } from "./commands/bench.ts"
import { demoCommand } from "./commands/demo.ts"
import { embedCommand } from "./commands/embed.ts"
import { envCommand } from "./commands/env.ts"
import { evaluateCommand } from "./commands/evaluate.ts"
import { agreeCommand } from "./commands/evaluation/agree.ts"
import { analyseCommand } from "./commands/evaluation/analyse.ts"
import { compareCommand } from "./commands/evaluation/compare.ts"
import { compareTasksCommand } from "./commands/evaluation/compareTasks.ts"
import { costsCommand } from "./commands/evaluation/costs.ts"
import { hallucinationsCommand } from "./commands/evaluation/hallucinations.ts"
import { ratingsCommand } from "./commands/evaluation/ratings.ts"
import { experimentCommand } from "./commands/experiment.ts"
import { exportCommand } from "./commands/export.ts"
import { importCommand } from "./commands/import.ts"
import { initCommand } from "./commands/init.ts"
import { mergeCommand } from "./commands/merge.ts"
import { mineCommand } from "./commands/mine.ts"
import { cardCommand } from "./commands/models/card.ts"
import { onnxCommand } from "./commands/onnx.ts"
import { optimizePromptCommand } from "./commands/optimizePrompt.ts"
import { planCommand } from "./commands/plan.ts"
import { recipeCommand } from "./commands/recipe.ts"
import { reportCommand } from "./commands/reporting/report.ts"
import { synthesizeCommand } from "./commands/synthesize.ts"
import { trainCommand } from "./commands/train.ts"
import { validateCommand } from "./commands/validate.ts"
import { logger, presenter, teardown, watch } from "./terminal.ts"

const { version } = createRequire(import.meta.url)("../../package.json") as { readonly version: string }

/** The program with all its commands, which takes a process's arguments. */
export const program = Command.runWith(
  anamnesis.pipe(Command.withSubcommands([
    trainCommand,
    evaluateCommand,
    compareCommand,
    reportCommand,
    compareTasksCommand,
    analyseCommand,
    hallucinationsCommand,
    agreeCommand,
    ratingsCommand,
    costsCommand,
    answerCommand,
    embedCommand,
    validateCommand,
    planCommand,
    envCommand,
    initCommand,
    experimentCommand,
    recipeCommand,
    mineCommand,
    benchCommand,
    exportCommand,
    mergeCommand,
    onnxCommand,
    importCommand,
    cardCommand,
    synthesizeCommand,
    optimizePromptCommand,
    demoCommand
  ])),
  { version }
)

/** Runs the command given by the process's arguments, then exits with its status. */
export const start = (): void => {
  watch()
  program(process.argv.slice(2)).pipe(
    Effect.provide(Layer.mergeAll(NodeServices.layer, presenter, logger)),
    NodeRuntime.runMain({ disableErrorReporting: true, teardown })
  )
}
