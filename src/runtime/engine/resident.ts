/** Programs of several steps, for providers without loops on the device: step by step, carried state staying there. */
import * as Effect from "effect/Effect"
import type { Graph } from "../../kernels/onnx/encode.ts"
import { mul } from "../../kernels/op/elementwise.ts"
import { input, scalar, type Tensor } from "../../kernels/Tensor.ts"
import * as Onnx from "./onnx.ts"
import { runFailed } from "./outOfMemory.ts"
import { type Data, type Feeds, mismatch, type Program } from "./Session.ts"
import { joined } from "./turns.ts"

type Tensors = Readonly<Record<string, Onnx.OrtTensor>>
type Arrays = Readonly<Record<string, Data>>

/** Copies tensors to the host unchanged: what was left on the device cannot be read in another way. */
const copies = (graph: Graph, carried: ReadonlyArray<readonly [string, string]>): Graph => {
  const inputs = carried.map(([name]) => input(name, graph.inputs[name]!.type.shape))
  return {
    name: `${graph.name}, read back`,
    inputs: Object.fromEntries(inputs.map((x) => [x.name, x])),
    outputs: Object.fromEntries(inputs.map((x, i) => [carried[i]![1], mul(x, scalar(1))]))
  }
}

const freed = (tensors: Tensors): void => {
  for (const t of Object.values(tensors)) if (t.location === "gpu-buffer") t.dispose()
}

/** The k-th of `times` equal parts. */
const part = (data: Data, times: number, k: number): Data =>
  data.slice(k * data.length / times, (k + 1) * data.length / times)

const repeating = Effect.fnUntraced(function*<I extends string, O extends string>(
  ort: Onnx.Ort,
  graph: Graph<I, O>,
  options: Onnx.Options,
  fixed: Feeds<string>
) {
  const { body, carried, each, times } = graph.repeats!
  const stays = Object.fromEntries(carried.map(([, next]) => [next, "gpu-buffer" as const]))
  const { fed, session } = yield* Onnx.sessionOf(ort, body, options, fixed, { preferredOutputLocation: stays })
  const reading = (yield* Onnx.sessionOf(ort, copies(body, carried), options, {})).session
  const wrapped = (name: string, data: Data): Onnx.OrtTensor => {
    const { dtype, shape } = body.inputs[name]!.type
    return new ort.Tensor(dtype, data as never, shape)
  }
  const wrap = (names: ReadonlyArray<string>, of: (name: string) => Data): Tensors =>
    Object.fromEntries(names.map((name) => [name, wrapped(name, of(name))]))
  const moving = new Set([...each, ...carried.map(([name]) => name)])
  const others = Object.keys(body.inputs).filter((name) => !moving.has(name) && fed(name))

  /** Runs on tensors, and frees them afterwards. */
  const consumed = async (state: Tensors, run: (state: Tensors) => Promise<Tensors>): Promise<Tensors> => {
    try {
      return await run(state)
    } finally {
      freed(state)
    }
  }
  const turns = async (feeds: Arrays) => {
    const still = wrap(others, (name) => feeds[name]!)
    const reports: Array<Arrays> = []
    const from = async (k: number, state: Tensors): Promise<Tensors> => {
      if (k === times) return consumed(state, (last) => reading.run(last))
      const own = wrap(each, (name) => part(feeds[name]!, times, k))
      const results = await consumed(state, (before) => session.run({ ...still, ...own, ...before }))
      const told = Object.entries(results).filter(([name]) => !(name in stays))
      reports.push(Object.fromEntries(told.map(([name, t]) => [name, t.data as Data])))
      return from(k + 1, Object.fromEntries(carried.map(([name, next]) => [name, results[next]!])))
    }
    const back = await from(0, wrap(carried.map(([name]) => name), (name) => feeds[name]!))
    return {
      ...joined(reports),
      ...Object.fromEntries(Object.entries(back).map(([name, t]) => [name, t.data as Data]))
    }
  }
  const run: Program<I, O>["run"] = (feeds, into) =>
    Effect.uninterruptible(Effect.tryPromise({
      try: async () => {
        for (const [name, t] of Object.entries<Tensor>(graph.inputs)) {
          const problem = fed(name) ? mismatch(name, t, (feeds as Arrays)[name]) : undefined
          if (problem) throw new RangeError(problem)
        }
        const results = await turns(feeds)
        const placed = Object.entries(results).map(([name, data]) => {
          const given = into?.[name as O]
          given?.set(data)
          return [name, given ?? data]
        })
        return Object.fromEntries(placed) as Feeds<O>
      },
      catch: (cause) => runFailed(graph.name, cause)
    }))
  return { graph, run } satisfies Program<I, O>
})

/** A program of the graph. If the graph repeats a step, the weights stay on the device between repetitions. */
export const compile = <I extends string, O extends string>(
  ort: Onnx.Ort,
  graph: Graph<I, O>,
  options: Onnx.Options,
  fixed: Feeds<string> = {}
) => graph.repeats ? repeating(ort, graph, options, fixed) : Onnx.compile(ort, graph, options, fixed)
