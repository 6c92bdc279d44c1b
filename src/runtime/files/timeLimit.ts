/** Functions that other people's files can make endless, under a limit of time. */
import * as vm from "node:vm"

/** A function took longer than it may. */
export class TookTooLong extends Error {
  override readonly name = "TookTooLong"
}

const call = new vm.Script("run()")
const context: { run?: () => unknown } = vm.createContext({})

/**
 * What a synchronous function returns; what it throws is thrown. After so many milliseconds it is stopped where it is,
 * also within a regular expression, and `TookTooLong` is thrown.
 */
export const limited = <A>(milliseconds: number, run: () => A): A => {
  const outer = context.run
  context.run = run
  try {
    return call.runInContext(context, { timeout: Math.ceil(milliseconds) }) as A
  } catch (cause) {
    const timedOut = (cause as { readonly code?: unknown }).code === "ERR_SCRIPT_EXECUTION_TIMEOUT"
    throw timedOut ? new TookTooLong(`takes more than ${milliseconds / 1000} s`) : cause
  } finally {
    if (outer) context.run = outer
    else delete context.run
  }
}
