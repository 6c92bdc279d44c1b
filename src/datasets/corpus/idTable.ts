/** Ids by row and rows by id, in a few typed arrays: no string is kept. */
import { withRoom } from "./room.ts"

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

/** FNV-1a, its bits mixed as MurmurHash3 ends. */
const hashOf = (bytes: Uint8Array, from: number, to: number): number => {
  let hash = 0x811c9dc5
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** Ids are told apart by their UTF-8, which follows that of the one before; half a character is U+FFFD. */
export class IdTable {
  private bytes = new Uint8Array(1 << 12)
  /** Where each id's bytes end. */
  private ends = new Float64Array(1 << 8)
  /** Open addressing: 1 + row; 0 where there is none. At most half full. */
  private table = new Int32Array(1 << 9)
  private count = 0

  get size(): number {
    return this.count
  }
  id(row: number): string {
    return decoder.decode(this.bytes.subarray(this.start(row), this.ends[row]!))
  }
  /** Row of an id; -1 where there is none. */
  find(id: string): number {
    return this.table[this.slot(this.write(id))]! - 1
  }
  /** Row of an id, which is the next one where the id is new. */
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
  /** Puts an id's bytes after those of the last row; where they end. */
  private write(id: string): number {
    const at = this.start(this.count)
    this.bytes = withRoom(this.bytes, at + 3 * id.length)
    return at + encoder.encodeInto(id, this.bytes.subarray(at)).written
  }
  /** Where the id whose bytes were written stands, or would. */
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
