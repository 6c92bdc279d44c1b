/** One text for each JSON value, to hash it by. */

/** JSON with sorted keys and no blanks; fields that are `undefined` are left out. */
export const canonical = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item ?? null)).join(",")}]`
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  const entries = Object.entries(value).filter(([, own]) => own !== undefined).toSorted(([a], [b]) => a < b ? -1 : 1)
  return `{${entries.map(([key, own]) => `${JSON.stringify(key)}:${canonical(own)}`).join(",")}}`
}
