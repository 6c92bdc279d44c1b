/** ZIP archives of a file that is read whole, as NumPy's `.npz` is one: stored and deflated members, also of ZIP64. */
import { inflateRawSync } from "node:zlib"

/** An archive that cannot be read, and why. */
export class ZipError extends Error {
  override readonly name = "ZipError"
}

/** A member of an archive. */
export interface Member {
  readonly name: string
  readonly method: number
  /** Bytes in the archive, and of the content. */
  readonly packed: number
  readonly size: number
  /** Where its local header is. */
  readonly at: number
}

const [END, CENTRAL, LOCAL] = [0x06054b50, 0x02014b50, 0x04034b50]
const WIDE = 0xffffffff

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Sizes and place of a member from its extra field of ZIP64, for those that are given there. */
const wide = (view: DataView, from: number, to: number, given: ReadonlyArray<number>): ReadonlyArray<number> => {
  for (let at = from; at + 4 <= to;) {
    const [id, length] = [view.getUint16(at, true), view.getUint16(at + 2, true)]
    if (id === 1) {
      let next = at + 4
      return given.map((value) => {
        if (value !== WIDE) return value
        next += 8
        return Number(view.getBigUint64(next - 8, true))
      })
    }
    at += 4 + length
  }
  return given
}

/** The end of the central directory, which a comment may follow. */
const endOf = (view: DataView): number => {
  for (let at = view.byteLength - 22; at >= Math.max(0, view.byteLength - 22 - 0xffff); at--) {
    if (view.getUint32(at, true) === END) return at
  }
  throw new ZipError("is no ZIP archive, or is truncated: it has no directory at its end")
}

const memberAt = (bytes: Uint8Array, view: DataView, at: number) => {
  if (view.getUint32(at, true) !== CENTRAL) throw new ZipError("has a damaged directory")
  const [method, name, extra, comment] = [10, 28, 30, 32].map((offset) => view.getUint16(at + offset, true)) as [
    number,
    number,
    number,
    number
  ]
  const start = at + 46 + name
  const given = [24, 20, 42].map((offset) => view.getUint32(at + offset, true))
  const [size, packed, local] = wide(view, start, start + extra, given) as [number, number, number]
  const member: Member = {
    name: new TextDecoder().decode(bytes.subarray(at + 46, start)),
    method,
    packed,
    size,
    at: local
  }
  return { member, next: start + extra + comment }
}

/** The members of an archive by name. @throws ZipError */
export const membersOf = (bytes: Uint8Array): ReadonlyMap<string, Member> => {
  const view = viewOf(bytes)
  const end = endOf(view)
  const [count, start] = [view.getUint16(end + 10, true), view.getUint32(end + 16, true)]
  if (count === 0xffff || start === WIDE) throw new ZipError("has more members than are read (65,534)")
  const found = new Map<string, Member>()
  let at = start
  try {
    for (let i = 0; i < count; i++) {
      const { member, next } = memberAt(bytes, view, at)
      found.set(member.name, member)
      at = next
    }
  } catch (error) {
    throw error instanceof ZipError ? error : new ZipError("has a damaged directory")
  }
  return found
}

/** The content of a member of at most `most` bytes. @throws ZipError */
export const contentOf = (
  bytes: Uint8Array,
  { at, method, name, packed, size }: Member,
  most = 2 ** 31
): Uint8Array => {
  const view = viewOf(bytes)
  if (size > most) throw new ZipError(`${name} has ${size} bytes, more than are read (${most})`)
  if (at + 30 > bytes.length || view.getUint32(at, true) !== LOCAL) {
    throw new ZipError(`${name} is not where it is said to be`)
  }
  const start = at + 30 + view.getUint16(at + 26, true) + view.getUint16(at + 28, true)
  const body = bytes.subarray(start, start + packed)
  if (body.length < packed) throw new ZipError(`${name} is truncated`)
  if (method === 0 && packed === size) return body
  if (method !== 8) throw new ZipError(`${name} is packed by method ${method}; stored and deflated members are read`)
  let content: Uint8Array
  try {
    content = inflateRawSync(body, { maxOutputLength: Math.max(1, size) })
  } catch {
    throw new ZipError(`${name} is damaged`)
  }
  if (content.length !== size) throw new ZipError(`${name} is damaged: it has ${content.length} bytes, not ${size}`)
  return content
}
