/** Counts of what is left out. */

/** How many were left out, by reason. */
export class Tally {
  readonly counts: Record<string, number> = {}
  add(reason: string, count = 1): void {
    this.counts[reason] = (this.counts[reason] ?? 0) + count
  }
}
