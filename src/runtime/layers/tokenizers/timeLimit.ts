/** Work that a file of others may make endless, ended in time. */
import { createContext, Script } from "node:vm"

export class OutOfTime extends Error {}

const script = new Script("work()")
const context = createContext({ work: () => {} })

/**
 * What `work` returns. It runs on this thread, under a watch that ends it; watching takes about 0.1 ms.
 *
 * @throws OutOfTime once `seconds` are over.
 */
export const limited = <A>(work: () => A, seconds: number): A => {
  let result: A
  context["work"] = () => {
    result = work()
  }
  try {
    script.runInContext(context, { timeout: Math.ceil(seconds * 1000) })
  } catch (cause) {
    if ((cause as { readonly code?: unknown }).code === "ERR_SCRIPT_EXECUTION_TIMEOUT") throw new OutOfTime()
    throw cause
  } finally {
    context["work"] = () => {}
  }
  return result!
}
