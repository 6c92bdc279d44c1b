/** The command line. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { join } from "node:path"
import { answerable, answerAll, asked, show, telling } from "./answer.ts"
import { unasked } from "./asking.ts"
import { anamnesis, lines, runtime, settings, settle, tell, tellEach } from "./command.ts"
import { demo } from "./demo.ts"
import { ConfigError } from "./domain/configure.ts"
import { embed } from "./embed.ts"
import { environment } from "./environment.ts"
import { evaluateRun } from "./evaluateRun.ts"
import { experiment, figures, only, readPlan } from "./experiment.ts"
import { exportPart, merge } from "./export.ts"
import { init } from "./init.ts"
import * as Medquad from "./medquad.ts"
import { plan } from "./plan.ts"
import { planTable, validTable } from "./planTable.ts"
import * as Report from "./report.ts"
import { run, trained } from "./run.ts"
import * as OnnxFolder from "./runtime/layers/onnxFolder.ts"
import { savedTypes } from "./runtime/layers/savedModel.ts"
import { pairs } from "./settings.ts"
import { inference, questionsIn, splits } from "./system.ts"
import { logger, presenter, teardown, watch } from "./terminal.ts"
import { validate } from "./validate.ts"

const refuse = (source: string, ...problems: ReadonlyArray<string>) =>
  Effect.fail(new ConfigError({ source, problems }))

const trainCommand = Command.make(
  "train",
  {
    ...settings,
    resume: Flag.Boolean("resume").pipe(
      Flag.withDescription("Continue from the newest checkpoint in output_dir"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function*(flags) {
    const config = yield* settle(flags)
    if (config.max_steps === 0) return yield* refuse("train", "max_steps is 0: there is nothing to train")
    yield* tell(yield* run(config, flags.resume), lines)
  })
).pipe(
  Command.withDescription("Train a model; Ctrl-C saves a checkpoint, --resume continues"),
  Command.provide(runtime)
)

const evaluateCommand = Command.make(
  "evaluate",
  {
    ...settings,
    split: Flag.Literals("split", splits).pipe(
      Flag.withDescription("Which split"),
      Flag.withDefault("test" as const)
    )
  },
  Effect.fnUntraced(function*(flags) {
    yield* tell(yield* evaluateRun(yield* settle(flags), flags.split), Report.summary)
  })
).pipe(
  Command.withDescription("Answer the questions of a split; score the answers and the ranking"),
  Command.provide(runtime)
)

const answerCommand = Command.make(
  "answer",
  {
    ...settings,
    option: Flag.String("option").pipe(
      Flag.withDescription("An answer option of the question; repeat for each"),
      Flag.atLeast(0)
    ),
    questions: Flag.Path("questions").pipe(
      Flag.withDescription("Questions, in any form of docs/data.md"),
      Flag.optional
    ),
    question: Argument.String("question").pipe(Argument.withDescription("The question"), Argument.optional)
  },
  Effect.fnUntraced(function*(flags) {
    const problems = unasked(flags)
    if (problems.length > 0) return yield* refuse("answer", ...problems)
    const { config } = yield* trained(yield* settle(flags))
    const system = yield* inference(config)
    const file = Option.isSome(flags.questions) ? yield* questionsIn(flags.questions.value, config) : []
    const given = Option.isSome(flags.question) ? [asked("1", flags.question.value, flags.option)] : []
    const { records } = yield* answerable(config, [...given, ...file])
    const { json } = yield* anamnesis
    if (records.length === 1 && !json) {
      const print = (text: string) => Effect.sync(() => void process.stdout.write(text))
      return yield* Stream.runForEach(telling(records[0]!), print).pipe(Effect.provide(system))
    }
    yield* tellEach(answerAll(records), show).pipe(Effect.provide(system))
  })
).pipe(
  Command.withDescription("Answer a question, or a file of questions, and show the supporting passages"),
  Command.provide(runtime)
)

const embedCommand = Command.make(
  "embed",
  {
    ...settings,
    out: Flag.Path("out").pipe(Flag.withDescription("Folder to write to (default: output_dir/index)"), Flag.optional)
  },
  Effect.fnUntraced(function*(flags) {
    const { config } = yield* trained(yield* settle(flags))
    const out = Option.getOrElse(flags.out, () => join(config.output_dir, "index"))
    yield* tell(yield* embed(out).pipe(Effect.provide(yield* inference(config))), lines)
  })
).pipe(
  Command.withDescription("Build the index of the passages and write it to disk, for index_path"),
  Command.provide(runtime)
)

const validateCommand = Command.make(
  "validate",
  settings,
  Effect.fnUntraced(function*(flags) {
    yield* tell(yield* validate(yield* settle(flags)), validTable)
  })
).pipe(Command.withDescription("Check settings, data and models without running anything"), Command.provide(runtime))

const planCommand = Command.make(
  "plan",
  {
    ...settings,
    steps: Flag.Int("steps").pipe(
      Flag.withDescription("Steps to measure; 0 to report parameters, weights and checkpoints only"),
      Flag.withDefault(3)
    )
  },
  Effect.fnUntraced(function*(flags) {
    yield* tell(yield* plan(yield* settle(flags), flags.steps), planTable)
  })
).pipe(
  Command.withDescription(
    "Estimate what a run takes (memory, disk, time) by running a few of its steps; writes nothing"
  ),
  Command.provide(runtime)
)

const envCommand = Command.make(
  "env",
  {},
  Effect.fnUntraced(function*() {
    yield* tell(yield* environment, lines)
  })
).pipe(Command.withDescription("Show the runtime environment"), Command.provide(runtime))

const initCommand = Command.make(
  "init",
  settings,
  Effect.fnUntraced(function*(flags) {
    yield* tell(
      yield* init(yield* settle(flags)),
      (made) =>
        made.map(({ folder, tokens }) => `${folder}: ${tokens} tokens`).join("\n") || "both model folders are there"
    )
  })
).pipe(
  Command.withDescription("Create small untrained model folders (config and tokenizer) at the configured paths"),
  Command.provide(runtime)
)

const experimentCommand = Command.make(
  "experiment",
  {
    plan: Argument.File("plan.yaml").pipe(Argument.withDescription("Seeds, settings, warm-ups and arms")),
    set: settings.set,
    arm: Flag.String("arm").pipe(Flag.withDescription("Run only this arm; repeat for more"), Flag.atLeast(0)),
    seed: Flag.Int("seed").pipe(
      Flag.withDescription("Run this seed instead of the plan's; repeat for more"),
      Flag.atLeast(0)
    )
  },
  Effect.fnUntraced(function*({ arm, plan, seed, set }) {
    const outcomes = yield* experiment(yield* only(yield* readPlan(plan), arm, seed), plan, yield* pairs(set))
    yield* tell(outcomes.map(figures), () => Report.all(outcomes))
  })
).pipe(
  Command.withDescription("Train and evaluate several arms from the same start; continues where it stopped"),
  Command.provide(runtime)
)

const format = {
  dtype: Flag.Literals("dtype", savedTypes).pipe(
    Flag.withDescription("Dtype of the weights; auto for that of config.json, else float32"),
    Flag.withDefault("auto" as const)
  ),
  maxShardSize: Flag.String("max-shard-size").pipe(
    Flag.withDescription("Greatest size of a weight file"),
    Flag.withDefault("5GB")
  )
}

const exportCommand = Command.make(
  "export",
  {
    ...settings,
    ...format,
    onnx: Flag.Boolean("onnx").pipe(
      Flag.withDescription("Add an ONNX model, for transformers.js"),
      Flag.withDefault(false)
    ),
    part: Argument.Literals("part", ["retriever", "reader"]).pipe(Argument.withDescription("Which model")),
    out: Argument.Path("out").pipe(Argument.withDescription("New folder to write to"))
  },
  Effect.fnUntraced(function*({ onnx, out, part, ...flags }) {
    const saved = yield* exportPart(yield* settle(flags), part, out, flags)
    const added = onnx ? (yield* OnnxFolder.add(out)).files.map((file) => join("onnx", file)) : []
    yield* tell({ ...saved, files: [...saved.files, ...added] }, lines)
  })
).pipe(
  Command.withDescription("Export a model of the newest checkpoint as a Hugging Face folder, adapters merged"),
  Command.provide(runtime)
)

const mergeCommand = Command.make(
  "merge",
  {
    ...format,
    adapter: Argument.Directory("adapter").pipe(Argument.withDescription("Folder of the adapter, ours or PEFT's")),
    out: Argument.Path("out").pipe(Argument.withDescription("New folder to write to"))
  },
  Effect.fnUntraced(function*({ adapter, out, ...flags }) {
    yield* tell(yield* merge(adapter, out, flags), lines)
  })
).pipe(
  Command.withDescription("Merge a LoRA adapter into its base model, as a Hugging Face folder"),
  Command.provide(runtime)
)

const onnxCommand = Command.make(
  "onnx",
  { folder: Argument.Directory("folder").pipe(Argument.withDescription("Model folder with its weights")) },
  Effect.fnUntraced(function*({ folder }) {
    yield* tell(yield* OnnxFolder.add(folder), lines)
  })
).pipe(
  Command.withDescription("Add an ONNX model to a model folder, as transformers.js loads it: onnx/model.onnx"),
  Command.provide(runtime)
)

const importCommand = Command.make(
  "import",
  {
    format: Argument.Literals("format", ["medquad"]).pipe(Argument.withDescription("Source format")),
    folder: Argument.Directory("folder").pipe(Argument.withDescription("Path of a clone of the dataset")),
    out: Flag.Path("out").pipe(Flag.withDescription("Folder to write to"), Flag.withDefault("medquad"))
  },
  Effect.fnUntraced(function*({ folder, out }) {
    yield* tell(yield* Medquad.importFolder(folder, out), lines)
  })
).pipe(
  Command.withDescription("Convert a published dataset (MedQuAD's XML files) to JSON lines"),
  Command.provide(runtime)
)

const demoCommand = Command.make("demo", { set: settings.set }, ({ set }) => Effect.flatMap(pairs(set), demo)).pipe(
  Command.withDescription("Train and compare three small systems on the medical world that comes with the project"),
  Command.provide(runtime)
)

watch()

anamnesis.pipe(
  Command.withSubcommands([
    trainCommand,
    evaluateCommand,
    answerCommand,
    embedCommand,
    validateCommand,
    planCommand,
    envCommand,
    initCommand,
    experimentCommand,
    exportCommand,
    mergeCommand,
    onnxCommand,
    importCommand,
    demoCommand
  ]),
  Command.run({ version: "0.1.0" }),
  Effect.provide(Layer.mergeAll(NodeServices.layer, presenter, logger)),
  NodeRuntime.runMain({ disableErrorReporting: true, teardown })
)
