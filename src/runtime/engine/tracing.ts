/**
 * Spans of programs: "program.compile" and "program.run", with the program's name as an attribute. Metering listens to
 * spans; those of stages, ports and programs are nested.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Tracer from "effect/Tracer"
import type { Graph } from "../../kernels/onnx/encode.ts"
import type { Data, Program, Session } from "./Session.ts"

/** One run of a program: its inputs, and its preallocated results. */
export interface Run {
  readonly graph: Graph
  readonly feeds: Readonly<Record<string, Data>>
  readonly into: Readonly<Partial<Record<string, Data>>> | undefined
}

/** The run that a span is of; unlike attributes, it does not leave the process. */
export class Running extends Context.Service<Running, Run>()("anamnesis/runtime/engine/Running") {}

/** No stack traces: the parents of a span say where it began. */
const plain = { captureStackTrace: false }

/** A session whose compilations and runs are spans. */
export const traced = (session: Session["Service"]): Session["Service"] => {
  const seen = <I extends string, O extends string>({ graph, run }: Program<I, O>): Program<I, O> => ({
    graph,
    run: (feeds, into) =>
      Effect.withSpan(run(feeds, into), "program.run", {
        attributes: { program: graph.name },
        annotations: Context.make(Running, { graph: graph as unknown as Graph, feeds, into }) as Context.Context<never>,
        ...plain
      })
  })
  return {
    ...session,
    compile: (graph, fixed) =>
      Effect.withSpan(
        Effect.map(session.compile(graph, fixed), seen),
        "program.compile",
        { attributes: { program: graph.name }, ...plain }
      ),
    open: (family, fixed, still) => Effect.map(session.open(family, fixed, still), (at) => (sizes) => seen(at(sizes)))
  }
}

/** Called with each span that has ended, and its duration in seconds. */
export type Listener = (span: Tracer.Span, seconds: number) => void

class Heard extends Tracer.NativeSpan {
  private readonly listener: Listener
  constructor(options: ConstructorParameters<typeof Tracer.NativeSpan>[0], listener: Listener) {
    super(options)
    this.listener = listener
  }
  override end(endTime: bigint, exit: Exit.Exit<unknown, unknown>): void {
    super.end(endTime, exit)
    this.listener(this, Number(endTime - this.startTime) / 1e9)
  }
}

/** A tracer that calls `listener` for every span that ends. */
export const listening = (listener: Listener): Tracer.Tracer =>
  Tracer.make({ span: (options) => new Heard(options, listener) })
