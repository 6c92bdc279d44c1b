/** Renders a template: a chat, and the start of the answer. */
import { PythonInterpreter } from "./interpreter.ts"
import { Environment } from "./library.ts"
import type { Template } from "./source.ts"
import { strftime } from "./strftime.ts"
import { textOf } from "./values.ts"

/** A fixed date, so that rendering is deterministic. */
const DAY = new Date(2024, 6, 26)

const raise = (reason: unknown): never => {
  throw new Error(String(reason))
}

const range = (from: number, to?: number, step = 1): ReadonlyArray<number> => {
  const [start, stop] = to === undefined ? [0, from] : [from, to]
  return Array.from({ length: Math.max(0, Math.ceil((stop - start) / step)) }, (_, i) => start + i * step)
}

const globals = {
  true: true,
  false: false,
  none: null,
  True: true,
  False: false,
  None: null,
  raise_exception: raise,
  range,
  strftime_now: (format: unknown) => {
    if (typeof format !== "string") throw new Error("strftime_now: its format is no text")
    return strftime(DAY, format)
  }
}

/** A piece of a message, for templates that take them apart. */
export type Piece = { readonly type: "text"; readonly text: string } | { readonly type: "image" }

/** A message as passed to templates. */
export interface Said {
  readonly role: string
  readonly content: string
  readonly tool_calls?: ReadonlyArray<unknown>
}

/** A message in pieces. */
export interface Pieced {
  readonly role: string
  readonly content: ReadonlyArray<Piece>
}

/** @throws Error if the template cannot be rendered. */
export const render = (
  { program, roles }: Template,
  variables: Readonly<Record<string, unknown>>,
  messages: ReadonlyArray<Said | Pieced>
): string => {
  const environment = new Environment()
  const all = { ...globals, ...variables, messages }
  for (const [name, value] of Object.entries(all)) environment.set(name, value)
  return textOf(new PythonInterpreter(environment, roles).run(program))
}
