/** Work on what others wrote, which may never end by itself. */
import { runInThisContext } from "node:vm"

const HOLD = "~anamnesis/limited"
const holder = globalThis as unknown as Record<string, (() => void) | undefined>

/** What `work` gives; throws where it takes longer than so many milliseconds. It must not wait for anything. */
export const within = <A>(milliseconds: number, work: () => A): A => {
  const outer = holder[HOLD]
  let result: { readonly value: A } | undefined
  holder[HOLD] = () => {
    result = { value: work() }
  }
  try {
    runInThisContext(`globalThis[${JSON.stringify(HOLD)}]()`, { timeout: Math.ceil(milliseconds), breakOnSigint: true })
  } finally {
    holder[HOLD] = outer
  }
  return result!.value
}
