/** The service that compiles graphs to programs. Each execution provider is a layer for it. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { firstInfinite } from "../../kernels/finite.ts"
import type { Half } from "../../kernels/half.ts"
import * as Nd from "../../kernels/NdArray.ts"
import type { Graph } from "../../kernels/onnx/encode.ts"
import type { DType, Tensor } from "../../kernels/Tensor.ts"

/** Host data in row-major order: float32, int32, uint16 (half-precision bits), uint8 and bool (one byte per element). */
export type Data = Float32Array | Int32Array | Uint16Array | Uint8Array

/** Values of a graph's inputs or outputs, by name, row-major. */
export type Feeds<N extends string> = Readonly<Record<N, Data>>

/** A compiled graph. Its shapes are static, so data need not carry them. */
export interface Program<in out I extends string, in out O extends string> {
  readonly graph: Graph<I, O>
  /** Results are written to the arrays that `into` names, the others to new arrays. */
  readonly run: (feeds: Feeds<I>, into?: Readonly<Partial<Record<O, Data>>>) => Effect.Effect<Feeds<O>, SessionError>
}

/** Graphs that differ only in the sizes named here. */
export interface Family<N extends string> {
  readonly sizes: ReadonlyArray<N>
  readonly at: (sizes: Readonly<Record<N, number>>) => Graph
}

/** One compiled graph as a program for each choice of its sizes. Fixed inputs need not be fed. */
export type Open<N extends string> = (sizes: Readonly<Record<N, number>>) => Program<string, string>

/** The execution provider's libraries are not on this machine. */
export class ProviderUnavailable extends Schema.TaggedError<ProviderUnavailable>()("ProviderUnavailable", {
  provider: Schema.String,
  missing: Schema.String,
  remedy: Schema.String
}) {
  override get message(): string {
    return `The ${this.provider} provider cannot start: ${this.missing}. ${this.remedy}`
  }
}

/** The provider refused a graph. */
export class CompileFailed extends Schema.TaggedError<CompileFailed>()("CompileFailed", {
  program: Schema.String,
  cause: Schema.Defect()
}) {
  override get message(): string {
    return `Program ${this.program} did not compile: ${String(this.cause)}`
  }
}

/** A program was fed the wrong number of elements, or failed while running. */
export class RunFailed extends Schema.TaggedError<RunFailed>()("RunFailed", {
  program: Schema.String,
  cause: Schema.Defect()
}) {
  override get message(): string {
    return `Program ${this.program} failed: ${String(this.cause)}`
  }
}

/** Memory of the host or the device ran out while a program was compiled or run. */
export class OutOfMemory extends Schema.TaggedError<OutOfMemory>()("OutOfMemory", {
  program: Schema.String,
  /** Bytes of the array that found no room; 0 if the provider does not say. */
  needed: Schema.Number,
  cause: Schema.Defect()
}) {
  override get message(): string {
    const { cause, needed, program } = this
    const size = needed < 2 ** 30 ? `${(needed / 2 ** 20).toFixed(1)} MiB` : `${(needed / 2 ** 30).toFixed(1)} GiB`
    return `Program ${program} ran out of memory${needed === 0 ? "" : ` for ${size}`}: ${String(cause)}. `
      + "Free memory on the device or use a larger one, use shorter texts (max_length, passage_max_len), or, if this is "
      + "training, gradient_checkpointing."
  }
}

/** A result of a program is NaN or infinite: its weights are, or are too large to compute with. */
export class NotFinite extends Schema.TaggedError<NotFinite>()("NotFinite", {
  program: Schema.String,
  output: Schema.String,
  element: Schema.Int,
  value: Schema.Number,
  /** What the element belongs to, such as a passage; empty if unknown. */
  subject: Schema.String
}) {
  override get message(): string {
    const { element, output, program, subject, value } = this
    return `Program ${program}: element ${element} of ${output} is ${value}${
      subject === "" ? "" : `, for ${subject}`
    }. `
      + "The model's weights are damaged, or too large to compute with (in float16 sooner than in float32 or bfloat16); "
      + "use another checkpoint, or train with a lower learning rate."
  }
}

/**
 * A provider that cannot start, a graph that does not compile, a program that fails, for want of memory or not, or yields
 * NaN or infinity.
 */
export class SessionError extends Schema.TaggedError<SessionError>()("SessionError", {
  reason: Schema.Union([ProviderUnavailable, CompileFailed, RunFailed, OutOfMemory, NotFinite])
}) {
  override get message(): string {
    return this.reason.message
  }
}

/** `count` runs of `length` elements, the first at `start`, each `stride` elements after the one before. */
export interface Region {
  readonly start: number
  readonly length: number
  readonly stride: number
  readonly count: number
}

/** Host arrays whose values are kept on a device between runs: until it is told or asked, the host's values are stale. */
export interface Kept {
  /** From now on programs read and write these arrays on the device. */
  readonly keep: (arrays: Iterable<Data>) => void
  /** Brings values to the host that programs have written since. */
  readonly read: (arrays: Iterable<Data>) => void
  /** The host has written the array, or a region of it: the device takes it over before the next run. */
  readonly wrote: (array: Data, region?: Region) => void
  /** The arrays are no longer needed: frees their memory on the device. Arrays that are collected are freed as well. */
  readonly release: (arrays: Iterable<Data>) => void
}

/** Without a device, arrays are where they are. */
export const onHost: Kept = { keep: () => {}, read: () => {}, wrote: () => {}, release: () => {} }

/** An execution provider. */
export class Session extends Context.Service<Session, {
  readonly provider: "cpu" | "cuda" | "webgpu" | "reference"
  readonly threads: number
  /** Type of matrix products; all other arithmetic is float32. */
  readonly precision: "float32" | Half
  /** Programs run on a device: inputs are copied to it, and results back. */
  readonly device: boolean
  /** Arrays that stay on the device. */
  readonly kept: Kept
  /**
   * Fixed inputs keep their values for the lifetime of the program. On a device they are stored there, and values fed
   * for them are not read.
   */
  readonly compile: <I extends string, O extends string>(
    graph: Graph<I, O>,
    fixed?: Feeds<string>
  ) => Effect.Effect<Program<I, O>, SessionError, Scope.Scope>
  /** Compiles a graph once for all sizes. `still` inputs are fixed on a device, and fed elsewhere. */
  readonly open: <N extends string>(
    family: Family<N>,
    fixed: Feeds<string>,
    still?: Feeds<string>
  ) => Effect.Effect<Open<N>, SessionError, Scope.Scope>
}>()("anamnesis/runtime/engine/Session") {}

const arrays = { float32: Float32Array, int32: Int32Array, uint16: Uint16Array, uint8: Uint8Array, bool: Uint8Array }

/** A zeroed array of the given type. */
export const allocate = (dtype: DType, length: number): Data => new arrays[dtype](length)

/** What is wrong with the data given for an input, if anything. */
export const mismatch = (name: string, tensor: Tensor, data: Data | undefined): string | undefined => {
  if (data === undefined) return `input ${name} is missing`
  const { dtype, shape } = tensor.type
  if (!(data instanceof arrays[dtype])) return `input ${name} is not ${dtype}`
  const expected = Nd.size(shape)
  return data.length === expected ? undefined : `input ${name} has ${data.length} elements, not ${shape.join("x")}`
}

/** The first element of the results that is NaN or infinite, if any. */
export const notFinite = (program: string, results: Feeds<string>): NotFinite | undefined => {
  for (const [output, data] of Object.entries(results)) {
    if (!(data instanceof Float32Array)) continue
    const element = firstInfinite(data)
    if (element >= 0) return new NotFinite({ program, output, element, value: data[element]!, subject: "" })
  }
  return undefined
}

/** The results if all are finite; else fails with `NotFinite`. */
export const finite = <O extends string>(
  program: string,
  results: Feeds<O>
): Effect.Effect<Feeds<O>, SessionError> => {
  const reason = notFinite(program, results)
  return reason ? Effect.fail(new SessionError({ reason })) : Effect.succeed(results)
}

/** Adds to a `NotFinite` error what its element belongs to. */
export const about = (subject: (element: number) => string) => <A, R>(effect: Effect.Effect<A, SessionError, R>) =>
  Effect.mapError(effect, (error) => {
    const { reason } = error
    if (reason._tag !== "NotFinite") return error
    return new SessionError({ reason: new NotFinite({ ...reason, subject: subject(reason.element) }) })
  })

/** Counts the element of a `NotFinite` error from the start of an array of which the results are a part. */
export const partFrom = (first: number) => <A, R>(effect: Effect.Effect<A, SessionError, R>) =>
  Effect.mapError(effect, (error) => {
    const { reason } = error
    if (reason._tag !== "NotFinite") return error
    return new SessionError({ reason: new NotFinite({ ...reason, element: first + reason.element }) })
  })
