/** A two-way mapping of ids and rows in a few typed arrays, without storing strings. */
import { withRoom } from "./room.ts"

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

/** FNV-1a with MurmurHash3's finaliser. */
const hashOf = (bytes: Uint8Array, from: number, to: number): number => {
  let hash = 0x811c9dc5
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** Ids are stored as consecutive UTF-8 and compared by their bytes; a lone surrogate becomes U+FFFD. */
export class IdTable {
  private bytes = new Uint8Array(1 << 12)
  /** End offset of each id, in bytes. */
  private ends = new Float64Array(1 << 8)
  /** Open-addressing hash table of 1 + row; 0 marks a free slot. At most half full. */
  private table = new Int32Array(1 << 9)
  private count = 0

  get size(): number {
    return this.count
  }
  id(row: number): string {
    return decoder.decode(this.bytes.subarray(this.start(row), this.ends[row]!))
  }
  /** Row of an id; -1 if the id is unknown. */
  find(id: string): number {
    return this.table[this.slot(this.write(id))]! - 1
  }
  /** Row of an id; a new id gets the next row. */
  add(id: string): number {
    const end = this.write(id)
    const slot = this.slot(end)
    const known = this.table[slot]!
    if (known > 0) return known - 1
    this.ends = withRoom(this.ends, this.count + 1)
    this.ends[this.count++] = end
    this.table[slot] = this.count
    if (2 * this.count > this.table.length) this.rehash()
    return this.count - 1
  }

  private start(row: number): number {
    return row === 0 ? 0 : this.ends[row - 1]!
  }
  /** Writes an id's bytes after those of the last row; returns their end offset. */
  private write(id: string): number {
    const at = this.start(this.count)
    this.bytes = withRoom(this.bytes, at + 3 * id.length)
    return at + encoder.encodeInto(id, this.bytes.subarray(at)).written
  }
  /** The slot that holds the id just written, or the free slot where it belongs. */
  private slot(end: number): number {
    const at = this.start(this.count)
    const last = this.table.length - 1
    let slot = hashOf(this.bytes, at, end) & last
    while (this.table[slot]! > 0 && !this.same(this.table[slot]! - 1, at, end)) slot = (slot + 1) & last
    return slot
  }
  private same(row: number, at: number, end: number): boolean {
    const start = this.start(row)
    if (this.ends[row]! - start !== end - at) return false
    for (let i = 0; i < end - at; i++) if (this.bytes[start + i] !== this.bytes[at + i]) return false
    return true
  }
  private rehash(): void {
    const last = 2 * this.table.length - 1
    this.table = new Int32Array(last + 1)
    for (let row = 0; row < this.count; row++) {
      let slot = hashOf(this.bytes, this.start(row), this.ends[row]!) & last
      while (this.table[slot]! > 0) slot = (slot + 1) & last
      this.table[slot] = row + 1
    }
  }
}
