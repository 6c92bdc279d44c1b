/**
 * A process that renders one chat template, since a template can be endless or eat all memory: a limit of the heap ends the
 * process, not the program. Told by `templates.ts`, one message a request.
 */
import { Environment, Interpreter, parse, tokenize } from "@huggingface/jinja"
import { limited } from "../../files/timeLimit.ts"
import { strftime } from "./strftime.ts"

/** What the process is told first. */
export interface Begin {
  readonly template: string
  /** Milliseconds that a text may take. */
  readonly patience: number
  /** Variables of the template, beside the messages. */
  readonly variables: Readonly<Record<string, unknown>>
}
export interface Request {
  /** What the user says, message by message. */
  readonly said: ReadonlyArray<string>
}
export type Reply = { readonly texts: ReadonlyArray<string> } | { readonly reason: string }

/** Characters that a template may add to what a user says. */
const MOST = 200_000
/** A template that asks for the day gets the same one every day. */
const DAY = new Date(2024, 6, 26)

const raise = (reason: unknown): never => {
  throw new Error(String(reason))
}

type Program = ReturnType<typeof parse>

const environmentOf = (variables: Begin["variables"], said: string): Environment => {
  const environment = new Environment()
  const globals = {
    true: true,
    false: false,
    none: null,
    True: true,
    False: false,
    None: null,
    raise_exception: raise,
    range: (from: number, to?: number, step?: number) => range(from, to, step),
    strftime_now: (format: string) => strftime(DAY, format),
    ...variables,
    messages: [{
      role: "user",
      content: said
    }]
  }
  for (const [name, value] of Object.entries(globals)) environment.set(name, value)
  return environment
}

const range = (from: number, to?: number, step = 1): ReadonlyArray<number> => {
  const [start, stop] = to === undefined ? [0, from] : [from, to]
  if (!Number.isInteger(step) || step === 0) raise("range() takes a step that is not zero")
  return Array.from({ length: Math.max(0, Math.ceil((stop - start) / step)) }, (_, i) => start + i * step)
}

const rendered = (program: Program, { patience, variables }: Begin, said: string): string => {
  const text = limited(patience, () => {
    const { value } = new Interpreter(environmentOf(variables, said)).run(program)
    return String(value)
  })
  if (text.length > 2 * said.length + MOST) raise(`makes ${text.length} characters of ${said.length}`)
  return text
}

const answered = (work: () => Reply): Reply => {
  try {
    return work()
  } catch (cause) {
    return { reason: (cause as Error).message }
  }
}

/** Reads the template, then renders it as often as it is asked to. */
const serve = (begin: Begin): void => {
  let program: Program | undefined
  const first = answered(() => {
    program = limited(begin.patience, () => parse(tokenize(begin.template, { lstrip_blocks: true, trim_blocks: true })))
    return { texts: [] }
  })
  process.on(
    "message",
    ({ said }: Request) =>
      void process.send!(answered(() => ({ texts: said.map((one) => rendered(program!, begin, one)) })))
  )
  process.send!(first)
}

/** Signals may go to every process of a terminal or a job; when this one ends, its program says. */
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined)
process.on("disconnect", () => process.exit())
process.once("message", serve)
