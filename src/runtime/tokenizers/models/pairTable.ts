/** A compact hash table from pairs of integers to integers: a few MB for several hundred thousand entries. */

/** Values must not be negative. */
export class PairTable {
  private lefts: Int32Array
  private rights: Int32Array
  /** The value plus one; 0 if the slot is free. */
  private values: Int32Array
  private count = 0

  /** @param capacity expected number of entries; the table grows beyond it. */
  constructor(capacity: number) {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(16, capacity * 2)))
    this.lefts = new Int32Array(slots)
    this.rights = new Int32Array(slots)
    this.values = new Int32Array(slots)
  }

  private slot(left: number, right: number): number {
    const mask = this.values.length - 1
    let hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right + 0x7f4a7c15, 0x85ebca6b)
    hash ^= hash >>> 15
    let slot = hash & mask
    while (this.values[slot] !== 0 && (this.lefts[slot] !== left || this.rights[slot] !== right)) slot = slot + 1 & mask
    return slot
  }

  /** The value of a pair; -1 if there is none. */
  get(left: number, right: number): number {
    return this.values[this.slot(left, right)]! - 1
  }

  /** Sets the value of a pair; a later value overwrites. */
  set(left: number, right: number, value: number): void {
    const slot = this.slot(left, right)
    if (this.values[slot] === 0 && ++this.count * 2 > this.values.length) {
      this.grow()
      this.set(left, right, value)
      return
    }
    this.lefts[slot] = left
    this.rights[slot] = right
    this.values[slot] = value + 1
  }

  private grow(): void {
    const { lefts, rights, values } = this
    this.lefts = new Int32Array(values.length * 2)
    this.rights = new Int32Array(values.length * 2)
    this.values = new Int32Array(values.length * 2)
    this.count = 0
    for (let i = 0; i < values.length; i++) if (values[i] !== 0) this.set(lefts[i]!, rights[i]!, values[i]! - 1)
  }
}
