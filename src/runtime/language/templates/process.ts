/**
 * A process that renders one chat template, since a template can be endless or eat all memory: a limit of the heap ends the
 * process, not the program. Told by `templates.ts`, one message a request.
 */
import { limited } from "../../files/timeLimit.ts"
import { render, type Said } from "./jinja/render.ts"
import { compile, type Template } from "./jinja/source.ts"

/** What the process is told first. */
export interface Begin {
  readonly template: string
  /** Milliseconds that a text may take. */
  readonly patience: number
  /** Variables of the template, beside the messages. */
  readonly variables: Readonly<Record<string, unknown>>
}
export interface Request {
  readonly chats: ReadonlyArray<ReadonlyArray<Said>>
}
export type Reply = { readonly texts: ReadonlyArray<string> } | { readonly reason: string }

/** Characters that a template may add to what is said. */
const MOST = 200_000

const rendered = (template: Template, { patience, variables }: Begin, messages: ReadonlyArray<Said>): string => {
  const text = limited(patience, () => render(template, variables, messages))
  const said = messages.reduce((sum, { content }) => sum + content.length, 0)
  if (text.length > 2 * said + MOST) throw new Error(`makes ${text.length} characters of ${said}`)
  return text
}

const answered = (work: () => Reply): Reply => {
  try {
    return work()
  } catch (cause) {
    return { reason: reasonOf(cause as Error) }
  }
}

/** Why rendering ended, where the engine ended it. */
const reasonOf = (cause: Error): string => {
  if (!(cause instanceof RangeError)) return cause.message
  return /call stack/.test(cause.message)
    ? "is nested too deeply, or calls itself without end"
    : `makes a text that is too long (${cause.message})`
}

/** Reads the template, then renders it as often as it is asked to. */
const serve = (begin: Begin): void => {
  let template: Template | undefined
  const first = answered(() => {
    template = limited(begin.patience, () => compile(begin.template))
    return { texts: [] }
  })
  process.on(
    "message",
    ({ chats }: Request) =>
      void process.send!(answered(() => ({ texts: chats.map((one) => rendered(template!, begin, one)) })))
  )
  process.send!(first)
}

/** Signals may go to every process of a terminal or a job; when this one ends, its program says. */
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined)
process.on("disconnect", () => process.exit())
process.once("message", serve)
