/** Chat templates with time and memory limits, each rendered in its own process. */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Pieced, Said } from "./jinja/render.ts"
import type { Begin, Reply, Request } from "./process.ts"

/** Time limits in milliseconds: per text in the process, and the extra allowed for its start. */
const PATIENCE = 4000
const START = 10_000
/** Heap limit of the process in megabytes. */
const HEAP = 256

const program = fileURLToPath(new URL("./process.ts", import.meta.url))

const start = (): ChildProcess => {
  const child = fork(program, [], {
    execArgv: [`--max-old-space-size=${HEAP}`],
    env: { ...process.env, NODE_OPTIONS: "" },
    stdio: ["ignore", "ignore", "ignore", "ipc"],
    serialization: "advanced"
  })
  child.unref()
  child.channel?.unref()
  return child
}

/** Sends a message and awaits the reply; on timeout, kills the process. */
const ask = (
  child: ChildProcess,
  message: Begin | Request,
  texts: number
): Effect.Effect<ReadonlyArray<string>, string> =>
  Effect.callback((resume) => {
    const finish = (effect: Effect.Effect<ReadonlyArray<string>, string>) => {
      clearTimeout(timer)
      child.off("message", answer).off("exit", gone).off("error", failed)
      resume(effect)
    }
    const answer = (reply: Reply) => finish("texts" in reply ? Effect.succeed(reply.texts) : Effect.fail(reply.reason))
    const gone = () => finish(Effect.fail(`takes more than ${HEAP} MB of memory, or its process was ended`))
    const failed = (error: Error) => finish(Effect.fail(`has no process: ${error.message}`))
    const timer = setTimeout(() => {
      child.kill("SIGKILL")
      finish(Effect.fail(`takes more than ${PATIENCE / 1000} s`))
    }, START + PATIENCE * texts)
    if (!child.connected) return gone()
    child.on("message", answer).on("exit", gone).on("error", failed)
    child.send(message)
    return Effect.sync(() => {
      clearTimeout(timer)
      child.kill("SIGKILL")
    })
  })

/** Maximum chats per message to the process. */
const TOGETHER = 64

/** Renders chats in order under variables; fails with the template's error. */
export type Rendering = (
  chats: ReadonlyArray<ReadonlyArray<Said | Pieced>>,
  over?: Begin["variables"]
) => Effect.Effect<ReadonlyArray<string>, string>

/** Makes the rendering of a template. */
export const make = Effect.fnUntraced(function*(template: string, variables: Begin["variables"]) {
  const child = yield* Effect.acquireRelease(Effect.sync(start), (own) => Effect.sync(() => own.kill("SIGKILL")))
  const turns = yield* Semaphore.make(1)
  const begun = yield* Effect.cached(ask(child, { template, variables, patience: PATIENCE }, 1))
  const render = (over: Begin["variables"]) => (chats: ReadonlyArray<ReadonlyArray<Said | Pieced>>) =>
    turns.withPermits(1)(Effect.andThen(begun, ask(child, { chats, over }, chats.length)))
  const rendering: Rendering = (chats, over = {}) => {
    const parts = Array.from(
      { length: Math.ceil(chats.length / TOGETHER) },
      (_, i) => chats.slice(i * TOGETHER, (i + 1) * TOGETHER)
    )
    return Effect.map(Effect.forEach(parts, render(over)), (texts) => texts.flat())
  }
  return rendering
})
