/**
 * A process that renders one chat template, as templates can loop forever or exhaust memory: the heap limit ends this
 * process, not the program. Started by `templates.ts`; one message per request.
 */
import { limited } from "../../files/timeLimit.ts"
import { type Pieced, render, type Said } from "./jinja/render.ts"
import { compile, type Template } from "./jinja/source.ts"

/** The first message to the process. */
export interface Begin {
  readonly template: string
  /** Time limit per text in milliseconds. */
  readonly patience: number
  /** Variables of the template, besides the messages. */
  readonly variables: Readonly<Record<string, unknown>>
}
export interface Request {
  readonly chats: ReadonlyArray<ReadonlyArray<Said | Pieced>>
  /** Variables that win over those of the beginning. */
  readonly over: Begin["variables"]
}
export type Reply = { readonly texts: ReadonlyArray<string> } | { readonly reason: string }

/** Maximum length of a rendered text beyond twice that of the messages, in characters. */
const MOST = 200_000

const rendered = (
  template: Template,
  { patience, variables }: Begin,
  over: Begin["variables"],
  messages: ReadonlyArray<Said | Pieced>
): string => {
  const text = limited(patience, () => render(template, { ...variables, ...over }, messages))
  const length = (content: (Said | Pieced)["content"]): number =>
    typeof content === "string" ? content.length : JSON.stringify(content).length
  const said = messages.reduce((sum, { content }) => sum + length(content), JSON.stringify(over).length)
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

/** The error message, with engine errors explained. */
const reasonOf = (cause: Error): string => {
  if (!(cause instanceof RangeError)) return cause.message
  return /call stack/.test(cause.message)
    ? "is nested too deeply, or calls itself without end"
    : `makes a text that is too long (${cause.message})`
}

/** Compiles the template, then renders it on request. */
const serve = (begin: Begin): void => {
  let template: Template | undefined
  const first = answered(() => {
    template = limited(begin.patience, () => compile(begin.template))
    return { texts: [] }
  })
  process.on(
    "message",
    ({ chats, over }: Request) =>
      void process.send!(answered(() => ({ texts: chats.map((one) => rendered(template!, begin, over, one)) })))
  )
  process.send!(first)
}

/** A terminal or job may signal all its processes; the parent program decides when this one ends. */
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined)
process.on("disconnect", () => process.exit())
process.once("message", serve)
