/** A kind of input, and what becomes of a case of it. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as Scope from "effect/Scope"
import type * as fc from "fast-check"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { isDeepStrictEqual } from "node:util"
import { short } from "../../src/cli/terminal.ts"

/**
 * What was right about a case: it was refused; it was read as the case says, or as what it was made from says since
 * the two mean the same; or it was read otherwise, which was told.
 */
export type Verdict = "refused" | "changed" | "same" | "told"

export interface Kind<C> {
  readonly cases: fc.Arbitrary<C>
  /** Cases that were judged wrongly once. */
  readonly examples?: ReadonlyArray<C>
  /** Reads the case as a command would. The folder is empty at first. @throws Fault where what comes of it is wrong. */
  readonly judge: (c: C, folder: string) => Promise<Verdict>
}

export const kind = <C>(own: Kind<C>): Kind<C> => own

/** What is wrong about what became of a case. */
export class Fault extends Error {}

export type Outcome<A> =
  | { readonly _tag: "Refused"; readonly message: string; readonly told: ReadonlyArray<string> }
  | { readonly _tag: "Read"; readonly value: A; readonly told: ReadonlyArray<string> }

/** Errors that were foreseen. */
const typed: ReadonlySet<unknown> = new Set([
  "FileError",
  "ConfigError",
  "CheckpointError",
  "ContextOverflow",
  "IndexError"
])

/** What the program makes of an input. @throws Fault for what is no typed error: a user would see a stack trace. */
export const attempt = async <A, E>(
  effect: Effect.Effect<A, E, FileSystem.FileSystem | Scope.Scope>
): Promise<Outcome<A>> => {
  const told: Array<string> = []
  const logger = Logger.layer([Logger.make(({ message }) => void told.push([message].flat().map(String).join(" ")))])
  const run = effect.pipe(Effect.scoped, Effect.provide(Layer.merge(NodeFileSystem.layer, logger)))
  const exit = await Effect.runPromiseExit(run)
  if (Exit.isSuccess(exit)) return { _tag: "Read", value: exit.value, told }
  const error = Cause.squash(exit.cause) as { readonly _tag?: unknown; readonly message: string }
  if (!typed.has(error._tag)) throw new Fault(`no typed error: ${Cause.pretty(exit.cause)}`)
  return { _tag: "Refused", message: error.message, told }
}

/** What no message has in it: values that nobody wrote there. */
const leaked = /\bundefined\b(?! entity)|\[object |\bat file:|\bat .*\.ts:\d+|Error: /

/** A refusal that tells in a few lines what is wrong with which file. @throws Fault where it does not. */
export const refused = ({ message }: Outcome<unknown> & { readonly _tag: "Refused" }, name: string): Verdict => {
  if (!message.includes(name)) throw new Fault(`the message does not name ${name}: ${short(message)}`)
  if (message.replace(name, "").trim().length < 5) throw new Fault(`the message gives no reason: ${message}`)
  if (message.split("\n").length > 12) throw new Fault(`the message is long: ${short(message)}`)
  const [found] = leaked.exec(message) ?? []
  if (found !== undefined) throw new Fault(`the message has "${found}" in it: ${short(message)}`)
  return "refused"
}

const lines = (value: unknown): string => {
  const text = JSON.stringify(value) ?? "nothing"
  return text.length > 2000 ? `${text.slice(0, 2000)}...` : text
}

/** @throws Fault where they are not the same. */
export const expectSame = (found: unknown, expected: unknown, what: string): void => {
  if (isDeepStrictEqual(found, expected)) return
  throw new Fault(`${what}: read ${lines(found)}\n  where the input says ${lines(expected)}`)
}

/** Whether one of the told lines speaks of it. */
export const tells = ({ told }: Outcome<unknown>, what: RegExp | string): boolean =>
  told.some((line) => typeof what === "string" ? line.includes(what) : what.test(line))

/** A folder with nothing but these files. */
export const fill = (folder: string, files: Readonly<Record<string, string | Uint8Array>>): void => {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, content)
  }
}
