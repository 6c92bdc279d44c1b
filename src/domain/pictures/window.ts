/** Gray levels of measured values: what a window shows of them (DICOM PS3.3, C.11.2.1). */

/** The functions by which values become levels. */
export const shapes = ["LINEAR", "LINEAR_EXACT", "SIGMOID"] as const

/** The values that are shown: around `center`, as many as `width`. */
export interface Window {
  readonly center: number
  /** At least 1 where the shape is LINEAR, above 0 elsewhere. */
  readonly width: number
  readonly shape: typeof shapes[number]
}

/** How stored numbers are shown. */
export interface Display {
  /** A value is `slope` · stored + `intercept`. */
  readonly slope: number
  readonly intercept: number
  /** Without one, the lowest value is 0 and the highest 255. */
  readonly window: Window | undefined
  /** Whether the lowest value is white. */
  readonly inverted: boolean
  /** Stored numbers that stand for no value, from and to; they do not count as lowest or highest. */
  readonly padding: readonly [from: number, to: number] | undefined
}

const exact = (low: number, width: number) => (value: number): number => 255 * (value - low) / width

/** The level of a value, before it is rounded and brought to 0 to 255. */
const levelOf = ({ center, shape, width }: Window): (value: number) => number => {
  if (shape === "SIGMOID") return (value) => 255 / (1 + Math.exp(-4 * (value - center) / width))
  if (shape === "LINEAR_EXACT") return exact(center - width / 2, width)
  /** Whole numbers from center - width / 2 on: the ends of the window are levels 0 and 255. */
  const low = center - 0.5 - (width - 1) / 2
  return width === 1 ? (value) => value <= low ? 0 : 255 : exact(low, width - 1)
}

/** The lowest and the highest value; of a picture without any, 0 and 0. */
const rangeOf = (stored: Int32Array, { intercept, padding, slope }: Display): readonly [low: number, high: number] => {
  let [low, high] = [Infinity, -Infinity]
  for (const number of stored) {
    if (padding !== undefined && number >= padding[0] && number <= padding[1]) continue
    const value = slope * number + intercept
    low = Math.min(low, value)
    high = Math.max(high, value)
  }
  return low > high ? [0, 0] : [low, high]
}

/** Levels from 0 (black) to 255 (white) of stored numbers; all are 0 where there is one value alone and no window, or 255 inverted. */
export const levels = (stored: Int32Array, display: Display): Uint8Array => {
  const { intercept, inverted, slope, window } = display
  const [low, high] = window === undefined ? rangeOf(stored, display) : [0, 0]
  const level = window === undefined ? exact(low, high - low || 1) : levelOf(window)
  return Uint8Array.from(stored, (number) => {
    const own = Math.min(255, Math.max(0, Math.round(level(slope * number + intercept))))
    return inverted ? 255 - own : own
  })
}
