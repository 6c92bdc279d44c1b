/** Records of a multiple-choice task with their options in another order. */

/** A record, as it is read. */
type Document = Readonly<Record<string, unknown>>

/** Which fields of a record name its options, and how many orders are read. */
export interface OrdersSpec {
  /** A list of options, or an object of them by letter or name. */
  readonly options: string
  /** The place of the right one, from 0, or its name; nothing has to change if the target names it by its text. */
  readonly answer: string | undefined
  readonly count: number
}

const named = (options: unknown): ReadonlyArray<string> | undefined =>
  Array.isArray(options)
    ? [...options.keys()].map((i) => String.fromCharCode(65 + i))
    : options !== null && typeof options === "object"
    ? Object.keys(options)
    : undefined

/** How many options a record has. @throws Error if it has no list of them */
export const optionsIn = (document: Document, { options }: OrdersSpec): number => {
  const names = named(document[options])
  if (names === undefined) {
    throw new Error(`${options} is neither a list of options nor an object of them (debiased_acc)`)
  }
  return names.length
}

/** The answer's field after its option has moved. */
const moved = (answer: unknown, names: ReadonlyArray<string>, order: ReadonlyArray<number>, field: string): unknown => {
  if (typeof answer === "number" && answer >= 0 && answer < order.length) return order.indexOf(answer)
  const place = names.indexOf(String(answer))
  if (place < 0) throw new Error(`${field} is neither a place among the options nor the name of one (debiased_acc)`)
  return names[order.indexOf(place)]!
}

/** The record with option `order[i]` at place i; names of options stay at their places. @throws Error as above */
export const reordered = (document: Document, order: ReadonlyArray<number>, spec: OrdersSpec): Document => {
  const own = document[spec.options]
  const names = named(own) ?? []
  const values = Array.isArray(own) ? own as ReadonlyArray<unknown> : names.map((name) => (own as Document)[name])
  const turned = order.map((i) => values[i])
  return {
    ...document,
    [spec.options]: Array.isArray(own) ? turned : Object.fromEntries(names.map((name, i) => [name, turned[i]])),
    ...(spec.answer === undefined
      ? {}
      : { [spec.answer]: moved(document[spec.answer], names, order, spec.answer) })
  }
}
