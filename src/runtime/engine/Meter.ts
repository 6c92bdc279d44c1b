/** Metering of programs: FLOPs, time and memory, by program name and phase. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Tracer from "effect/Tracer"
import { activations, flops } from "../../kernels/cost.ts"
import type { Graph } from "../../kernels/onnx/encode.ts"
import { bytesOf, type Tensor } from "../../kernels/Tensor.ts"
import { listening, type Run, Running } from "./tracing.ts"

/** Totals of all runs of one kind of program in one phase. */
export interface Used {
  readonly phase: string
  /** A program's name without its sizes: "reader.learn". */
  readonly program: string
  calls: number
  flops: number
  seconds: number
  /** Bytes of the results. */
  results: number
}

/** Estimated peak bytes of a program's run, from its shapes; excludes inputs and preallocated results. */
export interface Footprint {
  /** The program's name, with its sizes. */
  readonly program: string
  readonly bytes: number
}

const resultsOf = (graph: Graph): number =>
  Object.values<Tensor>(graph.outputs).reduce((sum, t) => sum + bytesOf(t.type), 0)

/** Temporary bytes of a run. onnxruntime-node copies every result after a run, preallocated ones included. */
export const transient = (graph: Graph, given: (output: string) => boolean): number =>
  Math.max(activations(graph, given), resultsOf(graph))

/** The phase of a span: that of the nearest span around it with one. */
const phaseOf = (span: Tracer.AnySpan): string => {
  const own = span._tag === "Span" ? span.attributes.get("phase") : undefined
  if (typeof own === "string") return own
  const parent = span._tag === "Span" ? Option.getOrUndefined(span.parent) : undefined
  return parent ? phaseOf(parent) : ""
}

/** Adds up what programs cost as they run, by listening to their spans. */
export class Meter {
  readonly used: Array<Used> = []
  /** Seconds of compiling, by phase. */
  readonly compiling = new Map<string, number>()
  /** The program with the largest footprint of those that ran. */
  largest: Footprint | undefined
  private readonly known = new WeakMap<Graph, Pick<Used, "program" | "flops" | "results">>()

  /** Counts what runs inside towards this phase. */
  readonly during = (phase: string) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.withSpan(effect, "phase", { attributes: { phase } }) as Effect.Effect<A, E, R>
  /** The tracer to provide to what is to be metered. */
  readonly tracer = listening((span, seconds) => {
    if (span.name === "program.compile") this.compiles(seconds, phaseOf(span))
    const run = Context.getOption(span.annotations, Running)
    if (Option.isSome(run)) this.add(run.value, seconds, phaseOf(span))
  })
  compiled(phase: string): number {
    return this.compiling.get(phase) ?? 0
  }

  private compiles(seconds: number, phase: string): void {
    this.compiling.set(phase, this.compiled(phase) + seconds)
  }
  private add(run: Run, seconds: number, phase: string): void {
    const cost = this.cost(run, phase)
    const found = this.used.find((used) => used.phase === phase && used.program === cost.program)
    const used = found ?? { phase, program: cost.program, calls: 0, flops: 0, seconds: 0, results: 0 }
    if (!found) this.used.push(used)
    used.calls++
    used.flops += cost.flops
    used.seconds += seconds
    used.results += cost.results
  }
  /** Costing a program takes a while, once per program; its time counts as compile time. */
  private cost({ graph, into }: Run, phase: string) {
    const known = this.known.get(graph)
    if (known) return known
    const began = performance.now()
    const bytes = transient(graph, (output) => into?.[output] !== undefined)
    if (bytes > (this.largest?.bytes ?? 0)) this.largest = { program: graph.name, bytes }
    const cost = { program: graph.name.split(/[ ,]/)[0]!, flops: flops(graph), results: resultsOf(graph) }
    this.known.set(graph, cost)
    this.compiles((performance.now() - began) / 1000, phase)
    return cost
  }
}
