/** Runs the same command line in several processes that share its work. */
import * as Effect from "effect/Effect"
import * as ChildProcess from "effect/process/ChildProcess"
import { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { availableParallelism } from "node:os"

/** The flag that asks for several processes, which each of them must not see. */
export const RUNNERS = "runners"

/** The process that prints the results ended without them. */
export class RunnerError
  extends Schema.TaggedError<RunnerError>()("RunnerError", { failed: Schema.Array(Schema.String) })
{
  override get message(): string {
    return `${this.failed.join(", ")}; messages are above. The same command goes on where they stopped.`
  }
}

/** The words of a command line without the flag and its count. */
export const withoutRunners = (words: ReadonlyArray<string>): ReadonlyArray<string> =>
  words.filter((word, i) =>
    word !== `--${RUNNERS}` && words[i - 1] !== `--${RUNNERS}` && !word.startsWith(`--${RUNNERS}=`)
  )

/**
 * Starts this command line in `count` processes, each with its share of the cores unless THREADS or `--threads` says otherwise.
 * The first prints the results; what they report is on standard error, each line with the runner's number.
 */
export const runners = Effect.fn("runners")(function*(count: number) {
  const spawner = yield* ChildProcessSpawner
  const threads = Math.max(1, Math.floor(availableParallelism() / count))
  const { SPIN = "0", THREADS = String(threads) } = process.env
  const words = [...process.execArgv, process.argv[1]!, ...withoutRunners(process.argv.slice(2))]
  const run = Effect.fnUntraced(function*(runner: number) {
    const child = yield* spawner.spawn(
      ChildProcess.make(process.execPath, words, {
        stdin: "ignore",
        stdout: runner === 1 ? "inherit" : "ignore",
        stderr: "pipe",
        env: { SPIN, THREADS },
        extendEnv: true
      })
    )
    const lines = child.stderr.pipe(Stream.decodeText(), Stream.splitLines)
    yield* Stream.runForEach(lines, (line) => Effect.sync(() => process.stderr.write(`runner ${runner}: ${line}\n`)))
    const how = yield* Effect.match(child.exitCode, {
      onFailure: () => "was killed",
      onSuccess: (status) => Number(status) === 0 ? undefined : `ended with status ${status}`
    })
    return { runner, how }
  }, Effect.scoped)
  const ended = yield* Effect.forEach(Array.from({ length: count }, (_, i) => i + 1), run, { concurrency: count })
  const failed = ended.flatMap(({ how, runner }) => how === undefined ? [] : [`runner ${runner} ${how}`])
  if (ended[0]!.how !== undefined) return yield* new RunnerError({ failed })
  for (const text of failed) yield* Effect.logWarning(`${text}; runner 1 did what it had left`)
})
