/** Which outputs may overwrite inputs: those whose input is no longer read. */
import type { Graph } from "./onnx/encode.ts"
import { Add, Div, Mul, Sub } from "./op/elementwise.ts"
import { type Op, type Tensor, topological } from "./Tensor.ts"

/** Elementwise ops: an element of the result depends only on the same elements of the operands. */
const byElement: ReadonlySet<Op<any>> = new Set([Add, Sub, Mul, Div])

type Readers = ReadonlyMap<Tensor, Array<Tensor>>

const readersOf = (all: ReadonlyArray<Tensor>): Readers => {
  const readers = new Map<Tensor, Array<Tensor>>()
  for (const t of all) {
    if (t._tag !== "Apply") continue
    for (const operand of t.inputs) {
      const known = readers.get(operand)
      if (known) known.push(t)
      else readers.set(operand, [t])
    }
  }
  return readers
}

/** The readers of `t`'s memory, including through views. */
const reading = (t: Tensor, readers: Readers): ReadonlyArray<Tensor> => {
  const own = readers.get(t) ?? []
  return own.concat(own.flatMap((r) => r._tag === "Apply" && r.op.view ? reading(r, readers) : []))
}

/** Whether `writer` reads each element of `given` before it writes that element. */
const reads = (writer: Tensor, given: Tensor): boolean =>
  writer._tag === "Apply" && byElement.has(writer.op) && String(writer.type.shape) === String(given.type.shape)

/**
 * The outputs of a graph that cannot overwrite the inputs paired with them: another op may read the input after the
 * output is begun, or the output's own op reads elements that it has already written. All others can, in any execution
 * order.
 */
export const unsafe = (
  { inputs, outputs }: Graph<any, any>,
  over: ReadonlyArray<readonly [output: string, input: string]>
): ReadonlyArray<string> => {
  const given = outputs as Readonly<Record<string, Tensor>>
  const all = topological(Object.values(given))
  const [readers, results] = [readersOf(all), new Set(Object.values(given))]
  return over.filter(([output, input]) => {
    const [writer, x] = [given[output]!, (inputs as Readonly<Record<string, Tensor>>)[input]!]
    const found = reading(x, readers)
    const others = found.filter((r) => r !== writer)
    if (found.some((r) => r !== writer && results.has(r))) return true
    if (found.includes(writer) && !reads(writer, x)) return true
    if (others.length === 0) return false
    const before = new Set(topological([writer]))
    return others.some((r) => !before.has(r))
  }).map(([output]) => output)
}
