/** The command line. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Cause from "effect/Cause"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Stream from "effect/Stream"
import { join } from "node:path"
import { answerAll, asked, show, telling } from "./answer.ts"
import { anamnesis, lines, runtime, settings, settle, tell, tellEach } from "./command.ts"
import { demo } from "./demo.ts"
import { embed } from "./embed.ts"
import { environment } from "./environment.ts"
import { evaluateRun } from "./evaluateRun.ts"
import { experiment, figures, only, readPlan } from "./experiment.ts"
import { exportPart, merge } from "./export.ts"
import { init } from "./init.ts"
import * as Medquad from "./medquad.ts"
import { plan } from "./plan.ts"
import { planTable } from "./planTable.ts"
import * as Report from "./report.ts"
import { run, trained } from "./run.ts"
import * as Dataset from "./runtime/layers/dataset.ts"
import * as OnnxFolder from "./runtime/layers/onnxFolder.ts"
import { savedTypes } from "./runtime/layers/savedModel.ts"
import { pairs } from "./settings.ts"
import { inference, splits } from "./system.ts"
import { validate } from "./validate.ts"

const trainCommand = Command.make(
  "train",
  {
    ...settings,
    resume: Flag.Boolean("resume").pipe(
      Flag.withDescription("Go on from the newest checkpoint of output_dir"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function*(flags) {
    yield* tell(yield* run(yield* settle(flags), flags.resume), lines)
  })
).pipe(Command.withDescription("Train; Ctrl-C saves, --resume goes on"), Command.provide(runtime))

const evaluateCommand = Command.make(
  "evaluate",
  {
    ...settings,
    split: Flag.Literals("split", splits).pipe(
      Flag.withDescription("Whose questions"),
      Flag.withDefault("test" as const)
    )
  },
  Effect.fnUntraced(function*(flags) {
    yield* tell(yield* evaluateRun(yield* settle(flags), flags.split), Report.summary)
  })
).pipe(
  Command.withDescription("Answer the questions of a split and score answers and ranking"),
  Command.provide(runtime)
)

const answerCommand = Command.make(
  "answer",
  {
    ...settings,
    option: Flag.String("option").pipe(Flag.withDescription("An option; repeat"), Flag.atLeast(0)),
    questions: Flag.File("questions").pipe(Flag.withDescription("Questions as JSON lines"), Flag.optional),
    question: Argument.String("question").pipe(Argument.optional)
  },
  Effect.fnUntraced(function*(flags) {
    const config = yield* trained(yield* settle(flags))
    const system = yield* inference(config)
    const file = Option.isSome(flags.questions) ? (yield* Dataset.questions(flags.questions.value)).records : []
    const given = Option.isSome(flags.question) ? [asked("1", flags.question.value, flags.option)] : []
    const records = [...given, ...file]
    const { json } = yield* anamnesis
    if (records.length === 1 && !json) {
      const print = (text: string) => Effect.sync(() => void process.stdout.write(text))
      return yield* Stream.runForEach(telling(records[0]!), print).pipe(Effect.provide(system))
    }
    yield* tellEach(answerAll(records), show).pipe(Effect.provide(system))
  })
).pipe(
  Command.withDescription("Answer a question, or a file of them, with the passages that the answer rests on"),
  Command.provide(runtime)
)

const embedCommand = Command.make(
  "embed",
  { ...settings, out: Flag.Path("out").pipe(Flag.withDescription("Default: output_dir/index"), Flag.optional) },
  Effect.fnUntraced(function*(flags) {
    const config = yield* trained(yield* settle(flags))
    const out = Option.getOrElse(flags.out, () => join(config.output_dir, "index"))
    yield* tell(yield* embed(out).pipe(Effect.provide(yield* inference(config))), lines)
  })
).pipe(Command.withDescription("Write the passages' vectors, for index_path"), Command.provide(runtime))

const validateCommand = Command.make(
  "validate",
  settings,
  Effect.fnUntraced(function*(flags) {
    yield* tell(yield* validate(yield* settle(flags)), lines)
  })
).pipe(Command.withDescription("Check settings, data and models, and start nothing"), Command.provide(runtime))

const planCommand = Command.make(
  "plan",
  {
    ...settings,
    steps: Flag.Int("steps").pipe(
      Flag.withDescription("Steps to probe; 0 for what needs none: parameters, weights, checkpoints"),
      Flag.withDefault(3)
    )
  },
  Effect.fnUntraced(function*(flags) {
    yield* tell(yield* plan(yield* settle(flags), flags.steps), planTable)
  })
).pipe(
  Command.withDescription(
    "What a run takes, by a few of its steps: parameters, work, memory, disk, time; writes nothing"
  ),
  Command.provide(runtime)
)

const envCommand = Command.make(
  "env",
  {},
  Effect.fnUntraced(function*() {
    yield* tell(yield* environment, lines)
  })
).pipe(Command.withDescription("What a run would run on"), Command.provide(runtime))

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
  Command.withDescription("Make the model folders that the settings name: small ones, for your texts, untrained"),
  Command.provide(runtime)
)

const experimentCommand = Command.make(
  "experiment",
  {
    plan: Argument.File("plan.yaml"),
    set: settings.set,
    arm: Flag.String("arm").pipe(Flag.withDescription("Run this arm only; repeat"), Flag.atLeast(0)),
    seed: Flag.Int("seed").pipe(Flag.withDescription("Run this seed instead of the plan's; repeat"), Flag.atLeast(0))
  },
  Effect.fnUntraced(function*({ arm, plan, seed, set }) {
    const outcomes = yield* experiment(yield* only(yield* readPlan(plan), arm, seed), plan, pairs(set))
    yield* tell(outcomes.map(figures), () => Report.all(outcomes))
  })
).pipe(
  Command.withDescription("Several runs from the same weights, evaluated alike; goes on where it stopped"),
  Command.provide(runtime)
)

const format = {
  dtype: Flag.Literals("dtype", savedTypes).pipe(
    Flag.withDescription("Type of the weights; auto for the one that config.json names, else float32"),
    Flag.withDefault("auto" as const)
  ),
  maxShardSize: Flag.String("max-shard-size").pipe(
    Flag.withDescription("Weights in a file, at most"),
    Flag.withDefault("5GB")
  )
}

const exportCommand = Command.make(
  "export",
  {
    ...settings,
    ...format,
    onnx: Flag.Boolean("onnx").pipe(
      Flag.withDescription("Add its ONNX form, for transformers.js"),
      Flag.withDefault(false)
    ),
    part: Argument.Literals("part", ["retriever", "reader"]).pipe(Argument.withDescription("Which model")),
    out: Argument.Path("out").pipe(Argument.withDescription("A new folder"))
  },
  Effect.fnUntraced(function*({ onnx, out, part, ...flags }) {
    const saved = yield* exportPart(yield* settle(flags), part, out, flags)
    const added = onnx ? (yield* OnnxFolder.add(out)).files.map((file) => join("onnx", file)) : []
    yield* tell({ ...saved, files: [...saved.files, ...added] }, lines)
  })
).pipe(
  Command.withDescription("Save a model of the newest checkpoint as a Hugging Face folder, adapters folded in"),
  Command.provide(runtime)
)

const mergeCommand = Command.make(
  "merge",
  {
    ...format,
    adapter: Argument.Directory("adapter").pipe(Argument.withDescription("Its folder, ours or PEFT's")),
    out: Argument.Path("out").pipe(Argument.withDescription("A new folder"))
  },
  Effect.fnUntraced(function*({ adapter, out, ...flags }) {
    yield* tell(yield* merge(adapter, out, flags), lines)
  })
).pipe(Command.withDescription("Fold a LoRA adapter into its base: a Hugging Face folder"), Command.provide(runtime))

const onnxCommand = Command.make(
  "onnx",
  { folder: Argument.Directory("folder").pipe(Argument.withDescription("A model folder with its weights")) },
  Effect.fnUntraced(function*({ folder }) {
    yield* tell(yield* OnnxFolder.add(folder), lines)
  })
).pipe(
  Command.withDescription("Add a model folder's ONNX form, as transformers.js loads it: onnx/model.onnx"),
  Command.provide(runtime)
)

const importCommand = Command.make(
  "import",
  {
    format: Argument.Literals("format", ["medquad"]).pipe(Argument.withDescription("Whose format")),
    folder: Argument.Directory("folder").pipe(Argument.withDescription("A clone of it")),
    out: Flag.Path("out").pipe(Flag.withDescription("Folder to write to"), Flag.withDefault("medquad"))
  },
  Effect.fnUntraced(function*({ folder, out }) {
    yield* tell(yield* Medquad.importFolder(folder, out), lines)
  })
).pipe(Command.withDescription("Published data as JSON lines: MedQuAD's XML files"), Command.provide(runtime))

const demoCommand = Command.make("demo", { set: settings.set }, ({ set }) => demo(pairs(set))).pipe(
  Command.withDescription("Train and compare three small systems on the medical world that ships with the project"),
  Command.provide(runtime)
)

/** Failures that a user can do something about, in one line; anything else with its cause. */
const explain = (cause: Cause.Cause<unknown>) =>
  Effect.gen(function*() {
    const error = Cause.squash(cause) as { readonly _tag?: unknown; readonly message?: unknown }
    process.exitCode = 1
    if (Cause.hasInterruptsOnly(cause) || error._tag === "ShowHelp") return
    yield* Console.error(typeof error._tag === "string" ? `anamnesis: ${error.message}` : Cause.pretty(cause))
  })

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
  Effect.provide(NodeServices.layer),
  Effect.catchCause(explain),
  /** Standard output is for results. */
  Effect.provideService(References.LogToStderr, true),
  NodeRuntime.runMain
)
