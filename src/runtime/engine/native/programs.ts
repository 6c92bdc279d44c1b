/** Programs on ONNX Runtime's C interface, which read and write kept arrays on a device. */
import * as Effect from "effect/Effect"
import type { Half } from "../../../kernels/half.ts"
import * as Nd from "../../../kernels/NdArray.ts"
import { elementTypes, type Graph } from "../../../kernels/onnx/encode.ts"
import { elementType } from "../../../kernels/onnx/proto.ts"
import type { Target, Tensor } from "../../../kernels/Tensor.ts"
import { modelOf, outside } from "../onnx.ts"
import { bySizes, standing } from "../opened.ts"
import { compileFailed, runFailed } from "../outOfMemory.ts"
import { allocate, type Data, type Family, type Feeds, mismatch, type Program } from "../Session.ts"
import { type Address, alive, type Api, type Texts } from "./api.ts"
import { type DeviceArrays, type Form, form, type Lent } from "./arrays.ts"

/** A device, and how programs run on it. */
export interface Device {
  readonly api: Api
  readonly arrays: DeviceArrays
  readonly target: Target
  /** Type of matrix products, if not float32. */
  readonly products?: Half | undefined
  /** Adds the execution provider to the options of a session. */
  readonly append: (options: Address) => void
  /** ONNX Runtime's settings of sessions, by key; `whole` ones have no node on the host. */
  readonly settings: (whole: boolean) => Readonly<Record<string, string>>
  readonly threads: number
}

/** Values of ONNX Runtime's GraphOptimizationLevel, ExecutionMode and log severity. */
const [ALL, SEQUENTIAL, ERROR] = [99, 0, 3]

interface Constants {
  readonly path: string
  readonly data: Uint8Array
}

const withOptions = async <A>(
  { api, append, settings, threads }: Device,
  whole: boolean,
  constants: ReadonlyArray<Constants>,
  use: (options: Address) => Promise<A>
): Promise<A> => {
  const options = api.made("CreateSessionOptions")
  try {
    api.call("SetIntraOpNumThreads", options, threads)
    api.call("SetInterOpNumThreads", options, 1)
    api.call("SetSessionExecutionMode", options, SEQUENTIAL)
    api.call("SetSessionGraphOptimizationLevel", options, ALL)
    api.call("SetSessionLogSeverityLevel", options, ERROR)
    api.call("DisableMemPattern", options)
    api.call("DisableCpuMemArena", options)
    for (const [key, value] of Object.entries(settings(whole))) api.call("AddSessionConfigEntry", options, key, value)
    append(options)
    const paths = api.texts(constants.map(({ path }) => path))
    const places = BigUint64Array.from(constants, ({ data }) => api.addressOf(data))
    const sizes = BigUint64Array.from(constants, ({ data }) => BigInt(data.byteLength))
    if (constants.length > 0) {
      const count = constants.length
      api.call("AddExternalInitializersFromFilesInMemory", options, paths.addresses, places, sizes, count)
    }
    return await use(options)
  } finally {
    api.release("ReleaseSessionOptions", options)
  }
}

const create = (device: Device, name: string, model: Uint8Array, whole: boolean, constants: ReadonlyArray<Constants>) =>
  Effect.acquireRelease(
    Effect.tryPromise({
      try: () =>
        withOptions(device, whole, constants, async (options) => {
          const { api } = device
          const out = new BigUint64Array(8)
          const at = api.addressOf(model)
          await api.later("CreateSessionFromArray", api.env, at, model.byteLength, options, api.addressOf(out))
          alive(model, constants)
          return out[0]!
        }),
      catch: (cause) => compileFailed(name, cause)
    }),
    (session) => Effect.sync(() => device.api.release("ReleaseSession", session))
  )

type Tensors = ReadonlyArray<readonly [name: string, tensor: Tensor, form: Form]>

/** Inputs and outputs of a program, as ONNX Runtime takes them. */
interface Ports {
  readonly tensors: Tensors
  readonly names: Texts
}

const ports = (api: Api, tensors: Tensors): Ports => ({ tensors, names: api.texts(tensors.map(([name]) => name)) })

const formsOf = (tensors: Graph["inputs"], typeOf: (name: string) => number): Tensors =>
  Object.entries<Tensor>(tensors).map(([name, t]) => [name, t, form(typeOf(name), t.type.shape)] as const)

/** A session as a program; `given` are the values of inputs that need not be fed. */
const programOf = <I extends string, O extends string>(
  { api, arrays }: Device,
  session: Address,
  graph: Graph<I, O>,
  inputs: Ports,
  outputs: Ports,
  given: Feeds<string>
): Program<I, O> => {
  const runs = async (feeds: Readonly<Record<string, Data>>, into: Readonly<Record<string, Data | undefined>>) => {
    const own = { ...feeds, ...given }
    const read = new Set<Data>()
    for (const [name, t] of inputs.tensors) {
      const problem = mismatch(name, t, own[name])
      if (problem) throw new RangeError(problem)
      read.add(own[name]!)
    }
    const results = outputs.tensors.map(([name, { type }]) =>
      [name, into[name] ?? allocate(type.dtype, Nd.size(type.shape))] as const
    )
    const lent: Array<Lent> = []
    const lend = (one: Lent): Address => {
      lent.push(one)
      return one.tensor
    }
    let succeeded = false
    try {
      const from = BigUint64Array.from(inputs.tensors, ([name, _, form]) => lend(arrays.input(own[name]!, form)))
      const to = BigUint64Array.from(outputs.tensors, ([_, __, form], i) => {
        const data = results[i]![1]
        return lend(arrays.output(data, form, read.has(data)))
      })
      arrays.settle()
      await api.later(
        "Run",
        session,
        null,
        api.addressOf(inputs.names.addresses),
        api.addressOf(from),
        inputs.tensors.length,
        api.addressOf(outputs.names.addresses),
        outputs.tensors.length,
        api.addressOf(to)
      )
      alive(from, to)
      succeeded = true
    } finally {
      for (const { done } of lent) done(succeeded)
    }
    return Object.fromEntries(results) as Record<O, Data>
  }
  /** A run cannot be interrupted: ONNX Runtime would continue on arrays that may be gone by then. */
  const run: Program<I, O>["run"] = (feeds, into) =>
    Effect.uninterruptible(Effect.tryPromise({
      try: () => runs(feeds, into ?? {}),
      catch: (cause) => runFailed(graph.name, cause)
    }))
  return { graph, run }
}

const portsOf = ({ api, target }: Device, graph: Graph<any, any>, fed: (input: string) => boolean) => {
  const halves = elementTypes(graph, target)
  const own = Object.fromEntries(Object.entries<Tensor>(graph.inputs).filter(([name]) => fed(name)))
  return {
    inputs: ports(api, formsOf(own, (name) => elementType[halves.get(name) ?? own[name]!.type.dtype])),
    outputs: ports(api, formsOf(graph.outputs, (name) => elementType[graph.outputs[name]!.type.dtype]))
  }
}

/** A graph as a program, released with its scope. Its fixed inputs are kept on the device, once for all programs. */
export const compile = Effect.fnUntraced(function*<I extends string, O extends string>(
  device: Device,
  graph: Graph<I, O>,
  fixed: Feeds<string> = {}
) {
  const given = Object.fromEntries(Object.entries(fixed).filter(([name]) => name in graph.inputs))
  const model = yield* modelOf(graph, device)
  const session = yield* create(device, graph.name, model, true, [])
  device.arrays.keep(Object.values(given))
  const { inputs, outputs } = portsOf(device, graph, () => true)
  return programOf(device, session, graph, inputs, outputs, given)
})

/** Fixed inputs become constants of the session, which can choose their layout once. */
export const open = Effect.fnUntraced(function*<N extends string>(
  device: Device,
  family: Family<N>,
  fixed: Feeds<string>
) {
  const { target, products } = device
  const { graph, open: sizes } = standing(family)
  const { externalData, weights } = outside(fixed)
  const model = yield* modelOf(graph, { target, products, open: sizes, weights })
  const session = yield* create(device, graph.name, model, family.sizes.length === 0, externalData)
  return bySizes(family, (own) => {
    const { inputs, outputs } = portsOf(device, own, (name) => !(name in fixed))
    return programOf(device, session, own, inputs, outputs, {})
  })
})
