#!/usr/bin/env node
/** The command line. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { experiment, readPlan } from "./experiment.ts"
import { init } from "./init.ts"
import * as Progress from "./progress.ts"
import * as Report from "./report.ts"
import * as providers from "./runtime/engine/providers.ts"
import { pairs } from "./settings.ts"

const set = Flag.KeyValuePair("set").pipe(
  Flag.withDescription("A setting that wins over the file: --set learning_rate=3e-5"),
  Flag.withDefault({})
)

const initCommand = Command.make(
  "init",
  {
    passages: Argument.File("passages.jsonl"),
    questions: Argument.File("questions.jsonl"),
    out: Flag.Path("out").pipe(Flag.withDefault("models"))
  },
  Effect.fnUntraced(function*({ out, passages, questions }) {
    for (const { folder, tokens } of yield* init(passages, questions, out)) {
      yield* Console.log(`${folder}: ${tokens} tokens`)
    }
  })
).pipe(Command.withDescription("Model folders for a small retriever and reader of your texts"))

const experimentCommand = Command.make(
  "experiment",
  { plan: Argument.File("plan.yaml"), set },
  Effect.fnUntraced(function*({ plan, set }) {
    const outcomes = yield* experiment(yield* readPlan(plan), plan, pairs(set))
    yield* Console.log([Report.results(outcomes), Report.types(outcomes), Report.comparisons(outcomes)].join("\n\n"))
  })
).pipe(Command.withDescription("Several runs from the same weights, evaluated alike"))

const runtime = Layer.mergeAll(Progress.layer, providers.fromConfig)

Command.make("anamnesis").pipe(
  Command.withDescription("Trains a retriever and a reader together for medical question answering"),
  Command.withSubcommands([initCommand, experimentCommand]),
  Command.provide(runtime),
  Command.run({ version: "0.1.0" }),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain
)
