/** Quantities formatted for people. */

/** Formats a quantity in the largest suitable unit. */
export const inUnits = (units: ReadonlyArray<string>, base: number) => (value: number): string => {
  const last = units.length - 1
  const power = value < base ? 0 : Math.min(last, Math.floor(Math.log(value) / Math.log(base)))
  const scaled = value / base ** power
  return `${scaled >= 100 || Number.isInteger(scaled) ? Math.round(scaled) : scaled.toPrecision(3)} ${units[power]}`
}

/** Formats a number of bytes in units of 1024. */
export const bytesText = inUnits(["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"], 1024)
