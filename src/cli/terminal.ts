/** Messages of the command line besides results: usage errors, failures, warnings; and signal handling. */
import * as Cause from "effect/Cause"
import * as CliError from "effect/cli/CliError"
import * as CliOutput from "effect/cli/CliOutput"
import * as Console from "effect/Console"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Runtime from "effect/Runtime"
import { brief, cut } from "../domain/brief.ts"

/** Maximum lines of a message, and characters of a line. */
const [LINES, WIDTH] = [12, 500]

/** Controls but line breaks: a terminal might obey them. */
// oxlint-disable-next-line no-control-regex
const controls = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]+/g

/** The message shortened to a few lines, whatever it quotes. */
export const short = (message: string): string => {
  const lines = cut(message, LINES * WIDTH).trimEnd().replace(controls, " ").split("\n")
  const told = lines.length > LINES
    ? [...lines.slice(0, LINES - 1), `... ${lines.length - LINES + 1} more lines`]
    : lines
  return told.map((line) => cut(line, WIDTH)).join("\n")
}

/** The values a flag or argument accepts, in place of Effect's wording. */
const wanted = (expected: string): string => {
  if (/finite number|integer/.test(expected)) return "a whole number"
  return expected.includes(" | ") ? `one of ${expected.replaceAll("\"", "").split(" | ").join(", ")}` : expected
}

const invalid = ({ expected, kind, option, value }: CliError.InvalidValue): string => {
  const name = kind === "flag" ? `--${option}` : option
  if (/^\d+ occurrences$/.test(value)) return `${name} is given more than once`
  if (value === "") return `${name} needs a value`
  const [, path] = /^(?:Expected:? )?Path (.*)/s.exec(expected) ?? []
  return path === undefined
    ? `${name}: must be ${wanted(expected.replace(/^Expected:? /, ""))}; given ${brief(value)}`
    : `${name}: ${path}`
}

const plain = (error: CliError.NonShowHelpErrors): string => {
  switch (error._tag) {
    case "InvalidValue":
      return invalid(error)
    case "UnexpectedArgument":
      return `unexpected argument ${brief(error.arguments.join(" "))}`
    case "UnrecognizedOption":
      return `there is no flag ${cut(error.option)}${suggested(error.suggestions)}`
    case "UnknownSubcommand":
      return `there is no command ${cut(error.subcommand)}${suggested(error.suggestions)}`
    case "MissingOption":
      return `--${error.option} is missing`
    case "MissingArgument":
      return `the argument ${error.argument} is missing`
    default:
      return error.message
  }
}
const suggested = ([nearest]: ReadonlyArray<string>): string =>
  nearest === undefined ? "" : `, did you mean ${nearest}?`

/** One line per usage error, then where to find help; the help itself if requested. */
export const presenter = CliOutput.layerPresenter({
  present: (event) => {
    if (event._tag !== "InvalidInvocation") return CliOutput.defaultPresenter.present(event)
    const command = event.commandPath.join(" ")
    const lines = event.errors.map((error) => `${command}: ${plain(error)}`)
    return Console.error(short([...lines, `${command} --help tells more`].join("\n")))
  }
})

/** Whether the user asked for debug output: `--log-level debug` or finer. */
const debugging = /(^|\s)--log-level[\s=](debug|trace|all)(\s|$)/.test(process.argv.slice(2).join(" "))

/** Log messages on standard error: `anamnesis: warning: run.yaml: ...` */
export const logger: Layer.Layer<never> = Logger.layer([
  Logger.make(({ cause, logLevel, message }) => {
    const text = [message].flat().map(String).join(" ")
    const why = cause.reasons.length > 0 ? `\n${Cause.pretty(cause)}` : ""
    const level = logLevel === "Warn" ? "warning" : logLevel.toLowerCase()
    process.stderr.write(`anamnesis: ${level}: ${debugging ? text + why : short(text + why)}\n`)
  })
])

/** Errors that mean the machine has too little memory. */
const exhausted = /^(Array buffer allocation failed|Invalid (typed )?array length|Cannot create a string longer)/

/** A failure in a few lines. Typed errors have their own message; all others are bugs. */
export const explanation = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  const { _tag, message: own } = Object(error) as { readonly _tag?: unknown; readonly message?: unknown }
  const trace = debugging ? `\n${Cause.pretty(cause)}` : ""
  if (typeof _tag === "string") return `anamnesis: ${short(String(own))}${trace}`
  const message = short(String(own ?? error))
  if (error instanceof RangeError && exhausted.test(message)) {
    return `anamnesis: out of memory (${message}); anamnesis plan tells what a run takes${trace}`
  }
  const report = "this is a fault of anamnesis: please report it with what --log-level debug adds"
  return `anamnesis: internal error: ${message}\n${debugging ? Cause.pretty(cause) : report}`
}

/** Prints the failure, unless it was already printed, and exits with 1; with 130 after an interruption. */
export const teardown: Runtime.Teardown = (exit, onExit) => {
  const shown = Exit.isFailure(exit) && CliError.isCliError(Cause.squash(exit.cause))
  if (Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause) && !shown) {
    process.stderr.write(`${explanation(exit.cause)}\n`)
  }
  Runtime.defaultTeardown(exit, (code) => onExit(shown ? 1 : code))
}

/** Errors that are safe to ignore: a reader that went away, a terminal that was closed. */
const gone: ReadonlySet<string | undefined> = new Set(["EPIPE", "EIO"])

/**
 * Installs process handlers: a closed terminal (SIGHUP) counts as SIGTERM, on which a run saves; writing to a closed
 * pipe or terminal is not an error; any other unexpected error ends the program with a short message.
 */
export const watch = (): void => {
  process.on("SIGHUP", () => process.emit("SIGTERM", "SIGTERM") || process.exit(129))
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (!gone.has(error.code)) throw error
    })
  }
  process.on("uncaughtException", (error) => {
    process.stderr.write(`${explanation(Cause.die(error))}\n`)
    process.exit(1)
  })
}
