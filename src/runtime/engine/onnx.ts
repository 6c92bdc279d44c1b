/** Programs on ONNX Runtime, with any execution provider. */
import * as Effect from "effect/Effect"
import type * as OrtModule from "onnxruntime-node"
import type { Half } from "../../kernels/half.ts"
import { encode, type EncodeOptions, type Graph } from "../../kernels/onnx/encode.ts"
import { bytesOf, type Target, type Tensor, topological } from "../../kernels/Tensor.ts"
import { capacity } from "./memory.ts"
import { bySizes, standing } from "./opened.ts"
import { compileFailed, runFailed } from "./outOfMemory.ts"
import {
  CompileFailed,
  type Data,
  type Family,
  type Feeds,
  mismatch,
  OutOfMemory,
  type Program,
  SessionError
} from "./Session.ts"
import { sessionSettings } from "./sessionSettings.ts"

/** The native library. */
export type Ort = typeof OrtModule
/** A tensor of ONNX Runtime, on the host or on a device. */
export type OrtTensor = OrtModule.Tensor

/** Loaded on first use: commands that run no graph start without the native library. */
export const load: Effect.Effect<Ort> = Effect.promise(() => import("onnxruntime-node"))

/** How ONNX Runtime runs a graph. */
export interface Options {
  readonly threads: number
  /** See `sessionSettings`. */
  readonly spin?: number | undefined
  readonly executionProviders: ReadonlyArray<OrtModule.InferenceSession.ExecutionProviderConfig>
  readonly target: Target
  /** Type of matrix products, if not float32. */
  readonly products?: Half | undefined
}

/**
 * One intra-op thread pool per session, with as many threads as asked.
 *
 * No memory arena and no memory pattern: each program would hold the memory of its largest run. The allocator caches
 * freed memory instead, for all programs together (`src/cli/allocator.ts`).
 */
const sessionOptions = (
  { executionProviders, spin, target, threads }: Options,
  whole: boolean
): OrtModule.InferenceSession.SessionOptions => ({
  executionProviders,
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  executionMode: "sequential",
  graphOptimizationLevel: "all",
  enableCpuMemArena: false,
  enableMemPattern: false,
  logSeverityLevel: 3,
  extra: sessionSettings(target.device && !executionProviders.includes("cpu"), whole, spin)
})

/** ORT tensors over our arrays, made once per array: weights and buffers are the same arrays every step. */
const wrapper = (ort: Ort, tensor: Tensor): (data: Data) => OrtTensor => {
  const known = new WeakMap<Data, OrtTensor>()
  return (data) => {
    const existing = known.get(data)
    if (existing) return existing
    const made = new ort.Tensor(tensor.type.dtype, data as never, tensor.type.shape)
    known.set(data, made)
    return made
  }
}

const wrappers = (ort: Ort, tensors: Readonly<Record<string, Tensor>>) =>
  new Map(Object.entries(tensors).map(([name, t]) => [name, { tensor: t, wrap: wrapper(ort, t) }]))

/**
 * The array with a result: the preallocated one, if any. onnxruntime-node copies such results all the same; the copies,
 * as large as all trainable weights, are freed at once.
 */
const kept = (result: Data, given: Data | undefined): Data => {
  if (given === undefined) return result
  if (result.buffer !== given.buffer) (result.buffer as ArrayBuffer).transfer(0)
  return given
}

const create = (ort: Ort, name: string, model: Uint8Array, options: OrtModule.InferenceSession.SessionOptions) =>
  Effect.acquireRelease(
    Effect.tryPromise({
      try: () => ort.InferenceSession.create(model, options),
      catch: (cause) => compileFailed(name, cause)
    }),
    (session) => Effect.promise(() => session.release())
  )

/** The session as a program of the graph; only the inputs for which `fed` is true are fed. */
const programOf = <I extends string, O extends string>(
  ort: Ort,
  session: OrtModule.InferenceSession,
  graph: Graph<I, O>,
  fed: (input: string) => boolean
): Program<I, O> => {
  const inputs = wrappers(ort, Object.fromEntries(Object.entries<Tensor>(graph.inputs).filter(([name]) => fed(name))))
  const outputs = wrappers(ort, graph.outputs)
  const fail = (cause: unknown) => runFailed(graph.name, cause)

  const feed = (feeds: Readonly<Record<string, Data>>): Record<string, OrtTensor> => {
    const made: Record<string, OrtTensor> = {}
    for (const [name, { tensor, wrap }] of inputs) {
      const data = feeds[name]
      const problem = mismatch(name, tensor, data)
      if (problem) throw new RangeError(problem)
      made[name] = wrap(data!)
    }
    return made
  }
  /** A run cannot be interrupted: ONNX Runtime would continue on a session that may be released by then. */
  const run: Program<I, O>["run"] = (feeds, into) =>
    Effect.uninterruptible(Effect.tryPromise({
      try: async () => {
        const fetches: Record<string, OrtTensor | null> = {}
        for (const [name, { wrap }] of outputs) {
          const data = into?.[name as O]
          fetches[name] = data ? wrap(data) : null
        }
        const results = await session.run(feed(feeds), fetches)
        return Object.fromEntries(
          Object.entries(results).map(([name, t]) => [name, kept(t.data as Data, into?.[name as O])])
        ) as Record<O, Data>
      },
      catch: fail
    }))
  return { graph, run }
}

/** Refuses a program with a single array larger than the machine's memory. */
export const affordable = (graph: Graph<any, any>): Effect.Effect<void, SessionError> => {
  const largest = topological(Object.values<Tensor>(graph.outputs)).reduce(
    (most, t) => Math.max(most, bytesOf(t.type)),
    0
  )
  if (largest <= capacity()) return Effect.void
  const [takes, has] = [largest, capacity()].map((bytes) => `${(bytes / 2 ** 30).toFixed(1)} GiB`)
  const cause = new Error(`an array of it takes ${takes}, the machine has ${has}`)
  return Effect.fail(new SessionError({ reason: new OutOfMemory({ program: graph.name, needed: largest, cause }) }))
}

/** The encoded model of a graph; fails with `CompileFailed` if it cannot be encoded for the provider. */
export const modelOf = (graph: Graph<any, any>, options: EncodeOptions): Effect.Effect<Uint8Array, SessionError> =>
  Effect.try({
    try: () => encode(graph, options),
    catch: (cause) => new SessionError({ reason: new CompileFailed({ program: graph.name, cause }) })
  })

/** Arrays as external-data files of a model, by name. */
export const outside = (fixed: Feeds<string>) => ({
  weights: new Map(Object.keys(fixed).map((name) => [name, { location: name, offset: 0 }])),
  externalData: Object.entries(fixed).map(([path, { buffer, byteLength, byteOffset }]) => ({
    path,
    data: new Uint8Array(buffer, byteOffset, byteLength)
  }))
})

/** A session of a graph, and which of its inputs are fed: on a device, those that are not fixed. */
export const sessionOf = Effect.fnUntraced(function*(
  ort: Ort,
  graph: Graph<any, any>,
  options: Options,
  fixed: Feeds<string>,
  more: OrtModule.InferenceSession.SessionOptions = {}
) {
  yield* affordable(graph)
  const own = options.target.device ? Object.fromEntries(Object.entries(fixed).filter(([n]) => n in graph.inputs)) : {}
  const { externalData, weights } = outside(own)
  const model = yield* modelOf(graph, { ...options, weights })
  const session = yield* create(ort, graph.name, model, {
    ...sessionOptions(options, true),
    ...(weights.size > 0 ? { externalData } : {}),
    ...more
  })
  return { session, fed: (name: string) => !(name in own) }
})

/** A graph as a program of ONNX Runtime, released with its scope. */
export const compile = Effect.fnUntraced(function*<I extends string, O extends string>(
  ort: Ort,
  graph: Graph<I, O>,
  options: Options,
  fixed: Feeds<string> = {}
) {
  const { fed, session } = yield* sessionOf(ort, graph, options, fixed)
  return programOf(ort, session, graph, fed)
})

/** Fixed inputs become constants of the session, which can choose their layout once. */
export const open = Effect.fnUntraced(function*<N extends string>(
  ort: Ort,
  family: Family<N>,
  fixed: Readonly<Record<string, Data>>,
  options: Options
) {
  const { graph, open: sizes } = standing(family)
  const { externalData, weights } = outside(fixed)
  const model = yield* modelOf(graph, { ...options, open: sizes, weights })
  const session = yield* create(ort, graph.name, model, {
    ...sessionOptions(options, family.sizes.length === 0),
    externalData
  })
  return bySizes(family, (own) => programOf(ort, session, own, (name) => !(name in fixed)))
})
