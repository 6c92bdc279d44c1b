/** Reads untrusted JSON field by field; errors name the place. */

/** An error and its place ("model.vocab"). Caught when a file is loaded; never visible outside. */
export class Misfit extends Error {
  readonly place: string
  readonly reason: string

  constructor(place: string, reason: string) {
    super(`${place}: ${reason}`)
    this.place = place
    this.reason = reason
  }
}

const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? "nothing"
  return text.length > 60 ? `${text.slice(0, 60)}...` : text
}

/** Maximum nesting of components, so that recursion cannot overflow the stack. */
const maxDepth = 64

/** Well-formed Unicode text, without lone surrogates. */
export const isText = (value: unknown): value is string => typeof value === "string" && value.isWellFormed()

/** Whether a value is a valid token id. */
export const isId = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31

/** The fields of an object, with typed access. */
export class Fields {
  readonly place: string
  private readonly record: Readonly<Record<string, unknown>>
  private readonly depth: number

  /** @throws Misfit if `value` is not an object, or is nested too deeply. */
  constructor(value: unknown, place: string, depth = 0) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new Misfit(place, `an object is expected, not ${shown(value)}`)
    }
    if (depth > maxDepth) throw new Misfit(place, `nested more than ${maxDepth} deep`)
    this.record = value as Readonly<Record<string, unknown>>
    this.place = place
    this.depth = depth
  }

  at(key: string): string {
    return this.place === "" ? key : `${this.place}.${key}`
  }

  fail(key: string, reason: string): never {
    throw new Misfit(this.at(key), reason)
  }

  /** Own keys only, with their values. */
  entries(): ReadonlyArray<readonly [string, unknown]> {
    return Object.entries(this.record)
  }

  /** Visits the entries without building a list. */
  each(visit: (key: string, value: unknown) => void): void {
    for (const key in this.record) if (Object.hasOwn(this.record, key)) visit(key, this.record[key])
  }

  /** The value of a key; `undefined` if missing. */
  get(key: string): unknown {
    return Object.hasOwn(this.record, key) ? this.record[key] : undefined
  }

  has(key: string): boolean {
    return (this.get(key) ?? null) !== null
  }

  /** Fails on other keys, since an unknown option could change every id. */
  only(...keys: ReadonlyArray<string>): this {
    for (const [key] of this.entries()) {
      if (!keys.includes(key)) this.fail(key, `not an option that is known here (${keys.join(", ")})`)
    }
    return this
  }

  private expected<A>(key: string, what: string, is: (value: unknown) => value is A): A {
    const value = this.get(key)
    return is(value) ? value : this.fail(key, `${what} is expected, not ${shown(value)}`)
  }

  text(key: string): string {
    return this.expected(key, "text", isText)
  }

  flag(key: string): boolean {
    return this.expected(key, "true or false", (value) => typeof value === "boolean")
  }

  id(key: string): number {
    return this.expected(key, "a whole number from 0", isId)
  }

  /** One character (code point), of up to two UTF-16 units. */
  character(key: string): string {
    return this.expected(key, "one character", (value): value is string => isText(value) && [...value].length === 1)
  }

  list(key: string): ReadonlyArray<unknown> {
    return this.expected(key, "a list", (value) => Array.isArray(value))
  }

  oneOf<A extends string>(key: string, choices: ReadonlyArray<A>): A {
    return this.expected(key, choices.map((c) => `"${c}"`).join(", "), (v): v is A => choices.includes(v as A))
  }

  /** Reads a key; `fallback` if it is missing or null. */
  optional<A, B>(key: string, read: (key: string) => A, fallback: B): A | B {
    return this.has(key) ? read.call(this, key) : fallback
  }

  fields(key: string): Fields {
    return new Fields(this.get(key), this.at(key), this.depth + 1)
  }

  /** The objects of a list; places have their indices. */
  items(key: string): ReadonlyArray<Fields> {
    return this.list(key).map((value, i) => new Fields(value, `${this.at(key)}[${i}]`, this.depth + 1))
  }
}

/** Readers of components, by `type`. */
export type Kinds<A> = Readonly<Record<string, (fields: Fields) => A>>

/** @throws Misfit if the type is not in `kinds`. */
export const component = <A>(fields: Fields, kinds: Kinds<A>): A => {
  const type = fields.text("type")
  if (!Object.hasOwn(kinds, type)) {
    fields.fail("type", `"${type}" is not known here (known: ${Object.keys(kinds).join(", ")})`)
  }
  return kinds[type]!(fields)
}
