/** A session whose compilations and runs are seen. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Graph } from "../../kernels/onnx/encode.ts"
import { type Data, type Program, Session } from "./Session.ts"

/** One run of a program, before it runs: what it is fed, and the results for which there are arrays. */
export interface Run {
  readonly graph: Graph
  readonly feeds: Readonly<Record<string, Data>>
  readonly into: Readonly<Partial<Record<string, Data>>> | undefined
}

type Around = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** What is put around each compilation, and around each run. */
export interface Observer {
  readonly compiling: (graph: Graph) => Around
  readonly running: (run: Run) => Around
}

/** The session of the context, observed. */
export const observed = ({ compiling, running }: Observer): Layer.Layer<Session, never, Session> => {
  const seen = <I extends string, O extends string>({ graph, run }: Program<I, O>): Program<I, O> => ({
    graph,
    run: (feeds, into) => running({ graph: graph as unknown as Graph, feeds, into })(run(feeds, into))
  })
  return Layer.effect(
    Session,
    Effect.map(Session, (inner) =>
      Session.of({
        ...inner,
        compile: (graph, fixed) => Effect.map(compiling(graph as unknown as Graph)(inner.compile(graph, fixed)), seen),
        open: (family, fixed, still) => Effect.map(inner.open(family, fixed, still), (at) => (sizes) => seen(at(sizes)))
      }))
  )
}
