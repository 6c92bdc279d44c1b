/** Writes expressions as ONNX nodes. */
import { type Emitter, type Tensor, topological } from "../Tensor.ts"

const emitTensor = (emit: Emitter, t: Tensor, name: ReadonlyMap<Tensor, string>): string => {
  switch (t._tag) {
    case "Input":
      return t.name
    case "Const":
      return emit.constant(t.type.dtype, t.type.shape, t.value.data)
    case "Apply": {
      const types = { inputs: t.inputs.map((x) => x.type), output: t.type }
      const value = t.op.onnx(emit, t.inputs.map((x) => name.get(x)!), t.attrs, types)
      emit.typed(value, t.type)
      return value
    }
  }
}

/** Writes each expression once, operands first, except `known` ones. Returns the names of the outputs. */
export const emitAll = (
  emit: Emitter,
  outputs: ReadonlyArray<Tensor>,
  known: ReadonlyMap<Tensor, string> = new Map()
): ReadonlyArray<string> => {
  const name = new Map(known)
  for (const t of topological(outputs)) if (!name.has(t)) name.set(t, emitTensor(emit, t, name))
  return outputs.map((t) => name.get(t)!)
}
