/** A graph as text, one line per op, for golden files and for reading. */
import { showType, type Tensor, topological } from "./Tensor.ts"

const showAttrs = (attrs: object): string =>
  Object.entries(attrs).map(([name, value]) => ` ${name}=${JSON.stringify(value)}`).join("")

/** The ops that lead to `outputs`, in the order in which they run. */
export const show = (outputs: ReadonlyArray<Tensor>): string => {
  const name = new Map<Tensor, string>()
  const lines = topological(outputs).flatMap((t) => {
    if (t._tag === "Input") {
      name.set(t, t.name)
      return []
    }
    if (t._tag === "Const" && t.type.shape.length === 0) {
      name.set(t, String(t.value.data[0]))
      return []
    }
    const id = `%${name.size}`
    name.set(t, id)
    const body = t._tag === "Const"
      ? "Const"
      : `${t.op.name}(${t.inputs.map((x) => name.get(x)).join(", ")})${showAttrs(t.attrs)}`
    return [`${id}: ${showType(t.type)} = ${body}`]
  })
  return [...lines, `return ${outputs.map((t) => name.get(t)).join(", ")}`].join("\n")
}
