/** Which results may be written over inputs, by graphs that may and graphs that may not. */
import { assert, describe, it } from "@effect/vitest"
import { unsafe } from "../../src/kernels/inPlace.ts"
import { expand, reshape, sumAll } from "../../src/kernels/op/broadcast.ts"
import { matmul, transpose } from "../../src/kernels/op/contract.ts"
import { add, mul, sqrt, sub } from "../../src/kernels/op/elementwise.ts"
import { saved } from "../../src/kernels/op/scheduling.ts"
import { input, type Tensor } from "../../src/kernels/Tensor.ts"

const [x, y] = [input("x", [3, 3]), input("y", [3, 3])]
const sum = add(x, y)

type Outputs = Readonly<Record<string, Tensor>>
const over = (outputs: Outputs) => unsafe({ name: "g", inputs: { x, y }, outputs }, [["next/x", "x"]])

describe("an output may be written over an input", () => {
  const sound: Readonly<Record<string, Outputs>> = {
    "that nothing else reads": { "next/x": sum },
    "that it does not read": { "next/x": mul(y, y) },
    "that what it is made of reads": { "next/x": add(x, matmul(transpose(x, [1, 0]), sub(y, x))) },
    "that only its own operand reads, if all of it": { "next/x": expand(sumAll(x), [3, 3]) },
    "that it reads by way of a view": { "next/x": add(saved(x), mul(saved(x), y)) },
    "whose new value others read": { "next/x": sum, root: sqrt(sum), view: reshape(sum, [9]) }
  }
  for (const [name, outputs] of Object.entries(sound)) it(name, () => assert.deepStrictEqual(over(outputs), []))
})

describe("an output may not be written over an input", () => {
  const unsound: Readonly<Record<string, Outputs>> = {
    "that another output reads": { "next/x": sum, other: sqrt(x) },
    "that another output is a view of": { "next/x": sum, other: reshape(x, [9]) },
    "that another output reads by way of a view": { "next/x": sum, other: sumAll(saved(x)) },
    "that what is made of it reads as well": { "next/x": sum, other: mul(sum, x) },
    "whose other elements it reads": { "next/x": matmul(x, y) }
  }
  for (const [name, outputs] of Object.entries(unsound)) {
    it(name, () => assert.deepStrictEqual(over(outputs), ["next/x"]))
  }
  it("of which it reads one element for many of its own", () => {
    const row = input("row", [1, 3])
    const graph = { name: "g", inputs: { row, y }, outputs: { next: add(row, y) } }
    assert.deepStrictEqual(unsafe(graph, [["next", "row"]]), ["next"])
  })
})
