/** Integer ranges, for masks and position embeddings of any size. */
import * as Nd from "../NdArray.ts"
import { apply, type Op, type Shape, type Tensor } from "../Tensor.ts"
import { reshape } from "./broadcast.ts"

interface Count {
  readonly start: number
  readonly length: number
}

/** start, start + 1, ... as int32. */
export const Iota: Op<Count> = {
  name: "Iota",
  infer: (_, { length }) => ({ dtype: "int32", shape: [length] }),
  evaluate: (_, { start }, type) => Nd.make(type.shape, ([i]) => start + i!),
  vjp: () => [],
  onnx: (emit, _, { start, length }) => {
    const range = emit.node("Range", [0, length, 1].map((v) => emit.scalar("int32", v)))
    return start === 0 ? range : emit.node("Add", [range, emit.scalar("int32", start)])
  },
  law: {
    ranges: [],
    cases: [{ shapes: [], attrs: { start: 0, length: 4 } }, { shapes: [], attrs: { start: 3, length: 2 } }]
  }
}

/** start, start + 1, ... as int32 along the one axis of `shape` that is not 1. */
export const iota = (shape: Shape, start = 0): Tensor => {
  const places = apply(Iota, [], { start, length: Nd.size(shape) })
  return shape.length === 1 ? places : reshape(places, shape)
}
