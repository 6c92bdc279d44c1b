/** How much memory there is: for whoever would rather refuse than run out of it. */
import { totalmem } from "node:os"
import { getHeapStatistics } from "node:v8"

/** Bytes of the machine's memory, or of the process's control group where that has less. */
export const capacity = (): number => {
  const allowed = process.constrainedMemory()
  return allowed > 0 ? Math.min(allowed, totalmem()) : totalmem()
}

/** Bytes of it that this process does not hold yet. */
export const left = (): number => capacity() - process.memoryUsage.rss()

/** Bytes that JavaScript's own objects, typed arrays apart, may take. */
export const heap = (): number => getHeapStatistics().heap_size_limit
