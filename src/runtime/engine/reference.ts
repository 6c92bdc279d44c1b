/** Programs on the reference interpreter: float64 semantics behind the interface of an execution provider. */
import * as Effect from "effect/Effect"
import { interpret } from "../../kernels/interpret.ts"
import type { Graph } from "../../kernels/onnx/encode.ts"
import type { Tensor } from "../../kernels/Tensor.ts"
import {
  allocate,
  type Data,
  type Family,
  mismatch,
  type Open,
  type Program,
  RunFailed,
  SessionError
} from "./Session.ts"

/** A graph as a program that the interpreter runs; a feed that does not fit its input fails with `RunFailed`. */
export const compile = <I extends string, O extends string>(graph: Graph<I, O>): Program<I, O> => {
  const names = Object.keys(graph.outputs) as Array<O>
  const evaluate = (feeds: Readonly<Record<I, Data>>, into?: Readonly<Partial<Record<O, Data>>>): Record<O, Data> => {
    const arrays = Object.entries<Tensor>(graph.inputs).map(([name, t]) => {
      const problem = mismatch(name, t, feeds[name as I])
      if (problem) throw new RangeError(problem)
      return [name, { shape: t.type.shape, data: Float64Array.from(feeds[name as I]) }] as const
    })
    const values = interpret(names.map((name) => graph.outputs[name]), Object.fromEntries(arrays))
    return Object.fromEntries(names.map((name, i) => {
      const target = into?.[name] ?? allocate(graph.outputs[name].type.dtype, values[i]!.data.length)
      target.set(values[i]!.data)
      return [name, target]
    })) as Record<O, Data>
  }
  return {
    graph,
    run: (feeds, into) =>
      Effect.try({
        try: () => evaluate(feeds, into),
        catch: (cause) => new SessionError({ reason: new RunFailed({ program: graph.name, cause }) })
      })
  }
}

/** A family of graphs as a program for each choice of sizes. */
export const open =
  <N extends string>({ at }: Family<N>, fixed: Readonly<Record<string, Data>>): Open<N> => (sizes) => {
    const { graph, run } = compile(at(sizes))
    return { graph, run: (feeds, into) => run({ ...fixed, ...feeds }, into) }
  }
