/** A curve in a few characters of a line. */

const BARS = [..."▁▂▃▄▅▆▇█"]

/** Values as bars between the lowest and the highest; a blank for what is not finite. */
export const sparkline = (values: ReadonlyArray<number>): string => {
  const finite = values.filter(Number.isFinite)
  const [low, high] = [Math.min(...finite), Math.max(...finite)]
  /** Halves, so that the difference of the greatest numbers is finite. */
  const range = high / 2 - low / 2
  return values.map((value) => {
    if (!Number.isFinite(value)) return " "
    const share = range > 0 ? (value / 2 - low / 2) / range : 0.5
    return BARS[Math.min(BARS.length - 1, Math.floor(share * BARS.length))]!
  }).join("")
}

/** Any number of values as at most `width` means of equally many, but for the last. */
export class History {
  private means: Array<number> = []
  private each = 1
  private readonly open = { sum: 0, count: 0 }
  private readonly width: number
  constructor(width: number) {
    this.width = width
  }
  add(value: number): void {
    const { open } = this
    open.sum += value
    if (++open.count < this.each) return
    this.means.push(open.sum / open.count)
    Object.assign(open, { sum: 0, count: 0 })
    if (this.means.length < this.width) return
    this.means = this.means.flatMap((mean, i) => i % 2 === 1 ? [(this.means[i - 1]! + mean) / 2] : [])
    this.each *= 2
  }
  values(): ReadonlyArray<number> {
    const { count, sum } = this.open
    return count === 0 ? this.means : [...this.means, sum / count]
  }
}
