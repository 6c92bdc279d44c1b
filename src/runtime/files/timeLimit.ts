/** A time limit for functions that untrusted files could make run forever. */
import * as vm from "node:vm"

/** A function exceeded its time limit. */
export class TookTooLong extends Error {
  override readonly name = "TookTooLong"
}

const call = new vm.Script("run()")
const context: { run?: () => unknown } = vm.createContext({})

/**
 * Runs a synchronous function and returns or throws what it does. After the time limit it is interrupted, even within a
 * regular expression, and `TookTooLong` is thrown.
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
