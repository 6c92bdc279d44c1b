/** JSON that spells numbers as another text does: 2.0 stays 2.0, which some readers, transformers among them, tell from 2. */

type Tree = { readonly [key: string]: unknown }

/** `JSON.rawJSON` and a reviver's third argument, which TypeScript's library does not declare yet. */
const Exact = JSON as unknown as {
  readonly rawJSON: (text: string) => object
  readonly isRawJSON: (value: unknown) => value is { readonly rawJSON: string }
  readonly parse: (
    text: string,
    reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown
  ) => unknown
}

const isTree = (value: unknown): value is Tree => typeof value === "object" && value !== null

/** Whole numbers that are spelled with a fraction or an exponent, as they are spelled. */
const raw = (text: string): unknown =>
  Exact.parse(
    text,
    (_, value, { source }) =>
      Number.isInteger(value) && source !== undefined && /[.eE]/.test(source) ? Exact.rawJSON(source) : value
  )

const merged = (value: unknown, as: unknown): unknown => {
  if (typeof value === "number") return Exact.isRawJSON(as) && Number(as.rawJSON) === value ? as : value
  if (!isTree(value) || !isTree(as) || Array.isArray(value) !== Array.isArray(as)) return value
  if (Array.isArray(value)) return value.map((one, i) => merged(one, (as as unknown as ReadonlyArray<unknown>)[i]))
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, merged(one, as[key])]))
}

/** The JSON of a value, indented, with whole numbers spelled as at the same places of a valid JSON text. */
export const spelledAs = (value: unknown, text: string): string => JSON.stringify(merged(value, raw(text)), null, 2)
