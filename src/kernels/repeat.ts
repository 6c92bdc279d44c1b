/** Several training steps as one graph: each starts from the weights of the one before. */
import type { Graph, Repeats } from "./onnx/encode.ts"
import { reshape } from "./op/broadcast.ts"
import { slice, stack } from "./op/gather.ts"
import { names } from "./Step.ts"
import { type Input, input, type Tensor, topological } from "./Tensor.ts"

type Tensors = Readonly<Record<string, Tensor>>

/** The outputs with inputs replaced by other expressions. */
const substituted = (outputs: ReadonlyArray<Tensor>, by: Tensors): ReadonlyArray<Tensor> => {
  const made = new Map<Tensor, Tensor>()
  for (const t of topological(outputs)) {
    const own = t._tag === "Input" ? by[t.name] ?? t : t
    made.set(t, own._tag === "Apply" && own === t ? { ...t, inputs: own.inputs.map((x) => made.get(x)!) } : own)
  }
  return outputs.map((t) => made.get(t)!)
}

/** Inputs carried over from the step before, and inputs that each step has of its own: batch and optimiser scalars. */
const shared = ({ inputs, outputs }: Graph): Pick<Repeats, "carried" | "each"> => ({
  carried: Object.keys(inputs).map((name) => [name, names.next(name)] as const).filter(([, next]) => next in outputs),
  each: Object.keys(inputs).filter((name) => !name.startsWith(names.param("")) && !(names.next(name) in outputs))
})

/** The steps unrolled, for code that reads expressions and not `repeats`. */
const unrolled = (
  body: Graph,
  { carried, each }: Pick<Repeats, "carried" | "each">,
  inputs: Tensors,
  times: number
) => {
  const [all, wanted] = [Object.keys(body.outputs), Object.values<Tensor>(body.outputs)]
  const turns: Array<Tensors> = []
  for (let k = 0; k < times; k++) {
    const own = each.map((name) =>
      [name, reshape(slice(inputs[name]!, 0, k, k + 1), body.inputs[name]!.type.shape)] as const
    )
    const before = carried.map(([name, next]) => [name, turns.at(-1)?.[next] ?? inputs[name]!] as const)
    const made = substituted(wanted, Object.fromEntries([...own, ...before]))
    turns.push(Object.fromEntries(all.map((name, i) => [name, made[i]!])))
  }
  const next = new Set(carried.map(([, name]) => name))
  return Object.fromEntries(
    all.map((name) => [name, next.has(name) ? turns.at(-1)![name]! : stack(turns.map((turn) => turn[name]!))])
  )
}

/**
 * `times` steps of a step's graph. The inputs of each step (batch, optimiser scalars), the loss and the report have a
 * leading axis of steps; weights and slots are those before the first step, `next/...` those after the last.
 */
export const repeated = (body: Graph, times: number): Graph => {
  const parts = shared(body)
  const stacked = new Map<string, Input>(
    parts.each.map((name) => {
      const { dtype, shape } = body.inputs[name]!.type
      return [name, input(name, [times, ...shape], dtype)]
    })
  )
  const inputs = Object.fromEntries(
    Object.entries<Tensor>(body.inputs).map(([name, t]) => [name, stacked.get(name) ?? t])
  )
  const outputs = unrolled(body, parts, inputs, times)
  return { name: `${body.name} ${times} steps`, inputs, outputs, repeats: { ...parts, body, times } }
}
