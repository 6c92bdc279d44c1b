/** The schema that JSON values have in common, as far as values show it: keys and types. */
import { canonical } from "../texts/canonical.ts"

const merged = (shapes: ReadonlyArray<unknown>): unknown => {
  const distinct = new Map(shapes.map((shape) => [canonical(shape), shape]))
  return [...distinct].toSorted(([a], [b]) => a < b ? -1 : 1).map(([, shape]) => shape)
}

/** Types in place of values; elements of a list count once each, and whole numbers are numbers. */
const typed = (value: unknown): unknown => {
  if (Array.isArray(value)) return { list: merged(value.map(typed)) }
  if (typeof value !== "object" || value === null) return value === null ? "null" : typeof value
  return { object: Object.fromEntries(Object.entries(value).map(([key, own]) => [key, typed(own)])) }
}

type Shape = "null" | "string" | "number" | "boolean" | {
  readonly list?: ReadonlyArray<Shape>
  readonly object?: Readonly<Record<string, Shape>>
}

/** Whether two shapes may be of one schema: null and empty lists fit anything, objects need the same keys. */
const fits = (a: Shape, b: Shape): boolean => {
  if (a === "null" || b === "null") return true
  if (typeof a === "string" || typeof b === "string") return a === b
  if (a.list && b.list) return a.list.every((x) => b.list!.length === 0 || b.list!.some((y) => fits(x, y)))
  if (!a.object || !b.object) return false
  const [x, y] = [Object.keys(a.object), Object.keys(b.object)]
  return x.length === y.length
    && x.every((key) => Object.hasOwn(b.object!, key) && fits(a.object![key]!, b.object![key]!))
}

/** Whether two JSON values may be of one schema. */
export const sameSchema = (a: unknown, b: unknown): boolean => {
  const [x, y] = [typed(a) as Shape, typed(b) as Shape]
  return fits(x, y) && fits(y, x)
}

/** Which of some values have not the schema that most of them have; of equally many, that of the first counts. */
export const strangers = (values: ReadonlyArray<unknown>): ReadonlyArray<boolean> => {
  const followers = values.map((own) => values.map((other) => sameSchema(own, other)))
  const counts = followers.map((own) => own.filter(Boolean).length)
  const first = counts.indexOf(Math.max(...counts))
  return values.map((_, i) => first >= 0 && !followers[first]![i]!)
}
