/** Memory limits, for code that refuses work rather than run out of memory. */
import { totalmem } from "node:os"
import { getHeapStatistics } from "node:v8"

/** Bytes of the machine's memory, or of the process's control group if that has less. */
export const capacity = (): number => {
  const allowed = process.constrainedMemory()
  return allowed > 0 ? Math.min(allowed, totalmem()) : totalmem()
}

/** Bytes of `capacity` that this process does not hold yet. */
export const left = (): number => capacity() - process.memoryUsage.rss()

/** Limit of the JavaScript heap in bytes; typed arrays are outside it. */
export const heap = (): number => getHeapStatistics().heap_size_limit
