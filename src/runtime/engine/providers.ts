/** The execution providers: four layers for `Session`. Nothing else in the program knows which one it runs on. */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { availableParallelism } from "node:os"
import type { Half } from "../../kernels/half.ts"
import * as Targets from "../../kernels/onnx/target.ts"
import type { Target } from "../../kernels/Tensor.ts"
import * as CudaLibraries from "./cudaLibraries.ts"
import * as Devices from "./native/devices.ts"
import * as Native from "./native/programs.ts"
import * as Onnx from "./onnx.ts"
import * as Reference from "./reference.ts"
import * as Resident from "./resident.ts"
import { onHost, ProviderUnavailable, Session, SessionError } from "./Session.ts"
import { SPIN } from "./sessionSettings.ts"
import { traced } from "./tracing.ts"

/** Options of the CPU provider. */
export interface CpuOptions {
  /** Threads of each program; by default as many as the process may use. */
  readonly threads?: number | undefined
  /** Microseconds for which a thread waits awake before it sleeps; 0 for a machine with other work. */
  readonly spin?: number | undefined
  /** Write graphs as for another provider, to test them on any machine. */
  readonly target?: Target
  /** Round operands and results of matrix products to this type, for the same purpose: slower than float32. */
  readonly products?: Half | undefined
}

/** ONNX Runtime on the CPU. */
export const cpu = (options: CpuOptions = {}): Layer.Layer<Session> => {
  const threads = options.threads ?? availableParallelism()
  return Layer.effect(
    Session,
    Effect.map(Onnx.load, (ort) => {
      const own = {
        threads,
        spin: options.spin,
        executionProviders: ["cpu"],
        target: options.target ?? Targets.cpu,
        products: options.products
      }
      return traced({
        provider: "cpu",
        threads,
        precision: options.products ?? "float32",
        device: false,
        kept: onHost,
        compile: (graph, fixed) => Onnx.compile(ort, graph, own, fixed),
        open: (family, fixed) => Onnx.open(ort, family, fixed, own)
      })
    })
  )
}

/** The interpreter: slow, float64, no native code. */
export const reference: Layer.Layer<Session> = Layer.succeed(
  Session,
  traced({
    provider: "reference",
    threads: 1,
    precision: "float32",
    device: false,
    kept: onHost,
    compile: (graph) => Effect.sync(() => Reference.compile(graph)),
    open: (family, fixed) => Effect.sync(() => Reference.open(family, fixed))
  })
)

const remedy = "Put onnxruntime's CUDA provider of the binding's own version, and CUDA and cuDNN, where the loader "
  + "finds them (docs/cuda.md), or choose --provider cpu."

/** Index of the GPU, and the type of its matrix products. */
export interface CudaOptions {
  readonly device: number
  /** Type of matrix products, if not float32. */
  readonly products?: Half | undefined
}

/** CUDA, or an error: a missing library never means a silent run on the CPU. */
export const cuda = ({ device, products }: CudaOptions): Layer.Layer<Session, SessionError> =>
  Layer.effect(
    Session,
    Effect.gen(function*() {
      const missing = CudaLibraries.missing()
      if (missing) return yield* unavailable(missing)
      const gpu = yield* Devices.cuda(device, products)
      const explained = Effect.mapError((error: SessionError) =>
        error.reason._tag !== "OutOfMemory" && /load library|CUDA failure|cuDNN/.test(error.message)
          ? refused(error.message)
          : error
      )
      return traced({
        provider: "cuda",
        threads: 1,
        precision: products ?? "float32",
        device: true,
        kept: gpu.arrays,
        compile: (graph, fixed) => explained(Native.compile(gpu, graph, fixed)),
        open: (family, fixed, still) => explained(Native.open(gpu, family, { ...still, ...fixed }))
      })
    })
  )

/**
 * Programs of the CPU provider that run as on a device, whose memory is the host's: to test that on any machine. Products
 * as in `CpuOptions`.
 */
export const simulating = (products?: Half): Layer.Layer<Session, SessionError> =>
  Layer.effect(
    Session,
    Effect.map(Devices.host, (device) => {
      const host = { ...device, products }
      return traced({
        provider: "cpu",
        threads: 1,
        precision: products ?? "float32",
        device: true,
        kept: host.arrays,
        compile: (graph, fixed) => Native.compile(host, graph, fixed),
        open: (family, fixed, still) => Native.open(host, family, { ...still, ...fixed })
      })
    })
  )

/** The same in float32. */
export const simulated = simulating()

const adapters =
  "Install a driver for Vulkan, Metal or Direct3D 12 that has what ONNX Runtime asks for (docs/webgpu.md), "
  + "or choose --provider cpu."

/** Any GPU through WebGPU, or an error. */
export const webgpu: Layer.Layer<Session> = Layer.effect(
  Session,
  Effect.map(Onnx.load, (ort) => {
    const options = { threads: 1, executionProviders: ["webgpu"], target: Targets.webgpu }
    const explained = Effect.mapError((error: SessionError) =>
      error.reason._tag !== "OutOfMemory" && /adapter|WebGPU device/i.test(error.message)
        ? new SessionError({
          reason: new ProviderUnavailable({ provider: "webgpu", missing: error.message, remedy: adapters })
        })
        : error
    )
    return traced({
      provider: "webgpu",
      threads: 1,
      precision: "float32",
      device: true,
      kept: onHost,
      compile: (graph, fixed) => explained(Resident.compile(ort, graph, options, fixed)),
      open: (family, fixed, still) => explained(Onnx.open(ort, family, { ...still, ...fixed }, options))
    })
  })
)

const refused = (missing: string): SessionError =>
  new SessionError({ reason: new ProviderUnavailable({ provider: "cuda", missing, remedy }) })
const unavailable = (missing: string): Effect.Effect<never, SessionError> => Effect.fail(refused(missing))

/** Names of the providers. */
export const names = ["cpu", "cuda", "webgpu", "reference"] as const
/** One of `names`. */
export type Provider = typeof names[number]

/** The layer of a provider; fails with `ProviderUnavailable` if it cannot start. */
export const make = (
  provider: Provider,
  options: Pick<CpuOptions, "threads" | "spin"> & CudaOptions
): Layer.Layer<Session, SessionError> => {
  switch (provider) {
    case "cpu":
      return cpu({ threads: options.threads, spin: options.spin })
    case "cuda":
      return cuda(options)
    case "webgpu":
      return webgpu
    case "reference":
      return reference
  }
}

/** An environment variable, or the flag that overrides it, has an invalid value. */
export class BadVariable extends Schema.TaggedError<BadVariable>()("BadVariable", {
  name: Schema.String,
  wanted: Schema.String,
  given: Schema.String
}) {
  override get message(): string {
    return `${this.name}: must be ${this.wanted}; given ${JSON.stringify(this.given.slice(0, 40))}`
  }
}

const whole = (name: string, given: string, least: number, most: number): Effect.Effect<number, BadVariable> => {
  const value = Number(given)
  return /^\s*\d+\s*$/.test(given) && value >= least && value <= most
    ? Effect.succeed(value)
    : Effect.fail(new BadVariable({ name, wanted: `a whole number from ${least} to ${most}`, given }))
}

/** Parses a number of threads, which is limited: each takes memory, and more than cores slow each other down. */
export const threadsOf = (name: string, given: string): Effect.Effect<number, BadVariable> =>
  whole(name, given, 1, Math.max(64, 4 * availableParallelism()))

const providerOf = (name: string, given: string): Effect.Effect<Provider, BadVariable> => {
  const found = names.find((provider) => provider === given)
  return found
    ? Effect.succeed(found)
    : Effect.fail(new BadVariable({ name, wanted: `one of ${names.join(", ")}`, given }))
}

/** An environment variable of the process; an empty one counts as unset. */
const variable = Effect.fnUntraced(function*<A>(
  name: string,
  otherwise: A,
  read: (name: string, given: string) => Effect.Effect<A, BadVariable>
) {
  const given = yield* Config.String(name).pipe(Config.withDefault(""))
  return given.trim() === "" ? otherwise : yield* read(name, given)
})

const precisions = ["float32", "float16", "bfloat16"] as const

const precisionOf = (name: string, given: string): Effect.Effect<typeof precisions[number], BadVariable> => {
  const found = precisions.find((precision) => precision === given)
  return found
    ? Effect.succeed(found)
    : Effect.fail(new BadVariable({ name, wanted: `one of ${precisions.join(", ")}`, given }))
}

/** The provider named by the environment: `PROVIDER`, `CUDA_DEVICE`, `THREADS`, `SPIN`, `PRECISION`. */
export const fromConfig: Layer.Layer<Session, SessionError | BadVariable | Config.ConfigError> = Layer.unwrap(
  Effect.gen(function*() {
    const provider = yield* variable<Provider>("PROVIDER", "cpu", providerOf)
    const device = yield* variable("CUDA_DEVICE", 0, (name, given) => whole(name, given, 0, 1023))
    const threads = yield* variable("THREADS", availableParallelism(), threadsOf)
    const spin = yield* variable("SPIN", SPIN, (name, given) => whole(name, given, 0, 1_000_000))
    const precision = yield* variable("PRECISION", "float32", precisionOf)
    if (precision !== "float32" && provider !== "cuda") {
      return yield* new BadVariable({ name: "PRECISION", wanted: `float32 on ${provider}`, given: precision })
    }
    return make(provider, { device, threads, spin, products: precision === "float32" ? undefined : precision })
  })
)
