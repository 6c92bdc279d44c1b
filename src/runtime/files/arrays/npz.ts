/** NumPy's arrays of bytes: `.npy`, and `.npz` with several by name. */
import * as Effect from "effect/Effect"
import { brief } from "../../../domain/brief.ts"
import { FileError, readBytes } from "../disk.ts"
import { contentOf, membersOf, ZipError } from "./zip.ts"

/** An array of unsigned bytes, in C order. */
export interface Bytes {
  readonly shape: ReadonlyArray<number>
  readonly data: Uint8Array
}

const MAGIC = "\x93NUMPY"

/** The array of an `.npy` file's bytes. @throws ZipError with what is not as expected */
export const npy = (bytes: Uint8Array, name: string): Bytes => {
  const fail = (reason: string): never => {
    throw new ZipError(`${name} ${reason}`)
  }
  if (bytes.length < 12 || String.fromCharCode(...bytes.subarray(0, 6)) !== MAGIC) fail("is no NumPy array")
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const long = bytes[6]! > 1
  const [from, length] = long ? [12, view.getUint32(8, true)] : [10, view.getUint16(8, true)]
  const header = new TextDecoder("latin1").decode(bytes.subarray(from, from + length))
  const type = /'descr':\s*'([^']*)'/.exec(header)?.[1]
  const shape = /'shape':\s*\(([\d\s,]*)\)/.exec(header)?.[1]
  if (type === undefined || shape === undefined) return fail(`has a header that is not understood: ${brief(header)}`)
  if (type !== "|u1") fail(`has elements of type ${type}; unsigned bytes (|u1) are read`)
  if (/'fortran_order':\s*True/.test(header)) fail("is in Fortran order; save it in C order")
  const sizes = shape.split(",").map((one) => one.trim()).filter((one) => one !== "").map(Number)
  const data = bytes.subarray(from + length)
  const wanted = sizes.reduce((a, b) => a * b, 1)
  if (data.length !== wanted) fail(`has ${data.length} bytes for the shape (${sizes.join()})`)
  return { shape: sizes, data }
}

/** An open `.npz` file: its arrays by name, each unpacked when it is asked for. */
export interface Npz {
  readonly path: string
  /** Bytes of the file, which are in memory. */
  readonly size: number
  readonly names: ReadonlyArray<string>
  readonly array: (name: string) => Effect.Effect<Bytes, FileError>
}

/** Opens an `.npz` file of at most 2 GiB. */
export const open = Effect.fnUntraced(function*(path: string) {
  const bytes = yield* readBytes(path)
  const trying = <A>(place: string, f: () => A) =>
    Effect.try({ try: f, catch: (error) => new FileError({ path, place, reason: (error as Error).message }) })
  const members = yield* trying("", () => membersOf(bytes))
  const names = [...members.keys()].filter((name) => name.endsWith(".npy")).map((name) => name.slice(0, -4))
  const array = Effect.fnUntraced(function*(name: string) {
    const member = members.get(`${name}.npy`)
    if (member) return yield* trying("", () => npy(contentOf(bytes, member), name))
    return yield* new FileError({ path, place: "", reason: `has no array ${name}; it has ${names.join(", ")}` })
  })
  return { path, size: bytes.length, names, array } satisfies Npz as Npz
})
