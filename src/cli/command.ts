/** Shared by all commands: flags, the execution provider, and how results are printed. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { ConfigError } from "../domain/settings/configure.ts"
import { load, pairs } from "../programs/settings.ts"
import * as providers from "../runtime/engine/providers.ts"
import * as Progress from "./progress.ts"

export const anamnesis = Command.make("anamnesis").pipe(
  Command.withDescription("Train a retriever and a reader together for medical question answering"),
  Command.withSharedFlags({
    provider: Flag.Literals("provider", providers.names).pipe(
      Flag.withDescription("Execution provider (or PROVIDER in the environment; default cpu)"),
      Flag.optional
    ),
    threads: Flag.String("threads").pipe(
      Flag.withMetavar("count"),
      Flag.withDescription(
        "Threads per program (or THREADS; default: all cores); SPIN=0 where other work runs beside it"
      ),
      Flag.optional
    ),
    json: Flag.Boolean("json").pipe(Flag.withDescription("Print results as JSON"), Flag.withDefault(false))
  })
)

/** What every command runs on: the provider from the flags, or else from the environment, and a progress reporter. */
export const runtime = Layer.unwrap(Effect.gen(function*() {
  const { provider, threads } = yield* anamnesis
  const flags = {
    ...(Option.isSome(provider) ? { PROVIDER: provider.value } : {}),
    ...(Option.isSome(threads) ? { THREADS: String(yield* providers.threadsOf("--threads", threads.value)) } : {})
  }
  const config = ConfigProvider.fromEnv({ env: { ...process.env as Record<string, string>, ...flags } })
  return Layer.mergeAll(Progress.layer, providers.fromConfig.pipe(Layer.provide(ConfigProvider.layer(config))))
}))

/** Prints JSON if requested, otherwise the output of `text`. */
export const tell = Effect.fnUntraced(function*<A>(value: A, text: (value: A) => string) {
  const { json } = yield* anamnesis
  yield* Console.log(json ? JSON.stringify(value, null, 2) : text(value))
})

const write = (text: string): Effect.Effect<void> =>
  Effect.callback((resume) => void process.stdout.write(text, () => resume(Effect.void)))

/** Prints values as they arrive: as a JSON array if requested, otherwise as texts separated by blank lines. */
export const tellEach = Effect.fnUntraced(
  function*<A, E, R>(values: Stream.Stream<A, E, R>, text: (value: A) => string) {
    const { json } = yield* anamnesis
    const [start, between, end] = json ? ["[\n", ",\n", "\n]\n"] : ["", "\n\n", "\n"]
    const shown = (value: A) => json ? JSON.stringify([value], null, 2).slice(2, -2) : text(value)
    let told = 0
    yield* Stream.runForEach(values, (value) => write(`${told++ === 0 ? start : between}${shown(value)}`))
    yield* write(told === 0 && json ? "[]\n" : end)
  }
)

export const lines = (value: object): string =>
  Object.entries(value).map(([key, v]) => `${key}: ${typeof v === "object" ? JSON.stringify(v) : v}`).join("\n")

export const settings = {
  config: Flag.File("config").pipe(Flag.withAlias("c"), Flag.withDescription("File of settings, JSON or YAML")),
  set: Flag.String("set").pipe(
    Flag.withMetavar("key=value"),
    Flag.withDescription("A setting that wins over the file, as learning_rate=3e-5; repeat for more"),
    Flag.atLeast(0)
  ),
  skipBadLines: Flag.Boolean("skip-bad-lines").pipe(
    Flag.withDescription("Skip and count malformed lines of the data files"),
    Flag.withDefault(false)
  )
}

/** Where plans and recipes find models that they name by ids of the Hub. */
export const models = Flag.Directory("models").pipe(
  Flag.withDescription(
    "Take models named by ids of the Hub from this folder: each by the last part of its id, as a model folder or as a "
      + "folder with one GGUF file"
  ),
  Flag.optional
)

export interface SettingsFlags {
  readonly config: string
  readonly set: ReadonlyArray<string>
  readonly skipBadLines: boolean
}
export const settle = ({ config, set, skipBadLines }: SettingsFlags) =>
  Effect.flatMap(pairs(set), (own) => load(config, { ...own, ...(skipBadLines ? { skip_bad_lines: true } : {}) }))

/** Fails for reasons that the user can fix. */
export const refuse = (source: string, ...problems: ReadonlyArray<string>) =>
  Effect.fail(new ConfigError({ source, problems }))
