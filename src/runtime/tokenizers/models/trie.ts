/** A trie over UTF-16 units. */
import { PairTable } from "./pairTable.ts"

/** Nodes are numbers; the root is 0. */
export class Trie {
  private readonly children: PairTable
  /** By node: the value of the text that ends there plus one; 0 if none does. */
  private values: Int32Array
  private nodes = 1

  /** @param units approximate total length of the texts, in UTF-16 units. */
  constructor(units: number) {
    this.children = new PairTable(units)
    this.values = new Int32Array(units + 1)
  }

  /** Sets the value of a text; a later value overwrites. */
  set(text: string, value: number): void {
    let node = 0
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i)
      let next = this.children.get(node, unit)
      if (next === -1) {
        next = this.nodes++
        this.children.set(node, unit, next)
      }
      node = next
    }
    if (node >= this.values.length) {
      const grown = new Int32Array(this.nodes * 2)
      grown.set(this.values)
      this.values = grown
    }
    this.values[node] = value + 1
  }

  /** The child of a node; -1 if there is none. */
  next(node: number, unit: number): number {
    return this.children.get(node, unit)
  }

  /** The node of a prefix; -1 if no text has it. */
  node(text: string): number {
    let node = 0
    for (let i = 0; i < text.length && node !== -1; i++) node = this.next(node, text.charCodeAt(i))
    return node
  }

  /** The value of the text that ends at a node; -1 if none does. */
  value(node: number): number {
    return (this.values[node] ?? 0) - 1
  }
}
