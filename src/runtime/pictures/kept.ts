/** Values in memory, as many as there is room for. */

/**
 * Values of at most `room` bytes in all: the least recently used leave first. The one that was set last stays, however large.
 */
export class Kept<A> {
  private readonly values = new Map<string, readonly [value: A, bytes: number]>()
  private bytes = 0
  readonly room: number
  constructor(room: number) {
    this.room = room
  }
  /** A value, which counts as used; `undefined` if it is not kept. */
  get(key: string): A | undefined {
    const found = this.values.get(key)
    if (found === undefined) return undefined
    this.values.delete(key)
    this.values.set(key, found)
    return found[0]
  }
  /** Keeps a value of so many bytes. */
  set(key: string, value: A, bytes: number): void {
    this.bytes += bytes - (this.values.get(key)?.[1] ?? 0)
    this.values.delete(key)
    this.values.set(key, [value, bytes])
    for (const [other, [, own]] of this.values) {
      if (this.bytes <= this.room || other === key) return
      this.values.delete(other)
      this.bytes -= own
    }
  }
}
