/** Events of TensorBoard as protocol buffers: versions, starts and scalars (event.proto, summary.proto). */

/** A named number of a step. */
export type Scalars = Readonly<Record<string, number>>

/** What an event is about besides its time and step. */
export type What =
  | { readonly _tag: "Version" }
  /** Training begins, or goes on: what was told of this step and later ones is void. */
  | { readonly _tag: "Start" }
  | { readonly _tag: "Scalars"; readonly scalars: Scalars }

/** An event: seconds since 1970, and updates so far. */
export interface Event {
  readonly time: number
  readonly step: number
  readonly what: What
}

/** The version that files begin with. */
const VERSION = "brain.Event:2"

const varint = (value: number): ReadonlyArray<number> => {
  const bytes: Array<number> = []
  let rest = value
  do {
    const low = rest % 128
    rest = Math.floor(rest / 128)
    bytes.push(rest > 0 ? low + 128 : low)
  } while (rest > 0)
  return bytes
}
const text = new TextEncoder()
const blob = (field: number, bytes: ArrayLike<number>): ReadonlyArray<number> => [
  ...varint(field * 8 + 2),
  ...varint(bytes.length),
  ...Array.from(bytes)
]
const bytesOf = (array: Float32Array | Float64Array): ReadonlyArray<number> => [...new Uint8Array(array.buffer)]
/** Little-endian, as all platforms of Node are. */
const double = (field: number, value: number) => [...varint(field * 8 + 1), ...bytesOf(Float64Array.of(value))]
const float = (field: number, value: number) => [...varint(field * 8 + 5), ...bytesOf(Float32Array.of(value))]
const int = (field: number, value: number) => [...varint(field * 8), ...varint(value)]

const value = ([tag, own]: readonly [string, number]) => blob(1, [...blob(1, text.encode(tag)), ...float(2, own)])

/** The event's own fields: file_version 3, summary 5, session_log 7 with status START. */
const whatBytes = (what: What): ReadonlyArray<number> => {
  switch (what._tag) {
    case "Version":
      return blob(3, text.encode(VERSION))
    case "Start":
      return blob(7, int(1, 1))
    case "Scalars":
      return blob(5, Object.entries(what.scalars).flatMap(value))
  }
}

/** An Event message; proto3 leaves a step of 0 out. */
export const encode = ({ step, time, what }: Event): Uint8Array =>
  Uint8Array.from([...double(1, time), ...(step === 0 ? [] : int(2, step)), ...whatBytes(what)])

/** A field of a message: its number, and its value as bytes or as a number. */
interface Field {
  readonly field: number
  readonly number: number
  readonly bytes: Uint8Array
}

/** The fields of a message, in order; fails on other bytes. */
const fieldsOf = (message: Uint8Array): ReadonlyArray<Field> => {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength)
  let at = 0
  const next = (): number => {
    let [result, unit] = [0, 1]
    for (let more = true; more; unit *= 128) {
      const byte = view.getUint8(at++)
      result += (byte & 127) * unit
      more = byte >= 128
    }
    return result
  }
  const fields: Array<Field> = []
  while (at < message.length) {
    const key = next()
    const [field, wire] = [Math.floor(key / 8), key % 8]
    if (wire === 0) fields.push({ field, number: next(), bytes: new Uint8Array(0) })
    else if (wire === 1 || wire === 5) {
      const number = wire === 1 ? view.getFloat64(at, true) : view.getFloat32(at, true)
      fields.push({ field, number, bytes: new Uint8Array(0) })
      at += wire === 1 ? 8 : 4
    } else {
      if (wire !== 2) throw new RangeError(`wire type ${wire}`)
      const length = next()
      if (at + length > message.length) throw new RangeError("a field ends outside its message")
      fields.push({ field, number: 0, bytes: message.subarray(at, at + length) })
      at += length
    }
  }
  return fields
}

/** Scalars of a summary; values of other kinds are left out. */
const scalarsOf = (summary: Uint8Array): Scalars =>
  Object.fromEntries(
    fieldsOf(summary).filter(({ field }) => field === 1).flatMap(({ bytes }) => {
      const own = fieldsOf(bytes)
      const [tag, number] = [own.find(({ field }) => field === 1), own.find(({ field }) => field === 2)]
      return tag && number ? [[new TextDecoder().decode(tag.bytes), number.number] as const] : []
    })
  )

/** The event that a message is; `undefined` for messages of other kinds. */
export const decode = (message: Uint8Array): Event | undefined => {
  const fields = fieldsOf(message)
  const of = (field: number) => fields.find((own) => own.field === field)
  const [time, step] = [of(1)?.number ?? 0, of(2)?.number ?? 0]
  if (of(3)) return { time, step, what: { _tag: "Version" } }
  if (of(7)) return { time, step, what: { _tag: "Start" } }
  const summary = of(5)
  return summary && { time, step, what: { _tag: "Scalars", scalars: scalarsOf(summary.bytes) } }
}
