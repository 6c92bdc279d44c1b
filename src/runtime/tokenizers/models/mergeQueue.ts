/** A heap of pending merges: lowest rank first, then leftmost. */

/** Positions are below 2^31, ranks below 2^22. */
export class MergeQueue {
  private keys = new Float64Array(64)
  private size = 0

  push(rank: number, position: number): void {
    if (this.size === this.keys.length) {
      const grown = new Float64Array(this.size * 2)
      grown.set(this.keys)
      this.keys = grown
    }
    const key = rank * 2 ** 31 + position
    let at = this.size++
    while (at > 0) {
      const parent = at - 1 >> 1
      if (this.keys[parent]! <= key) break
      this.keys[at] = this.keys[parent]!
      at = parent
    }
    this.keys[at] = key
  }

  /** Rank times 2^31 plus position; -1 if the queue is empty. */
  pop(): number {
    if (this.size === 0) return -1
    const top = this.keys[0]!
    const key = this.keys[--this.size]!
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= this.size) break
      if (child + 1 < this.size && this.keys[child + 1]! < this.keys[child]!) child++
      if (this.keys[child]! >= key) break
      this.keys[at] = this.keys[child]!
      at = child
    }
    this.keys[at] = key
    return top
  }
}
