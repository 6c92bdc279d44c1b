/** Time by name, of spans that have ended and of what is timed by hand. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { listening, type Run, Running } from "../src/runtime/engine/tracing.ts"

/** Milliseconds and calls since the last reset. */
export interface Spent {
  milliseconds: number
  calls: number
}

/**
 * Listens to spans: the runs of programs as `ort PROGRAM`, the calls of ports as `port CALL`, stages as `stage NAME`. Runs
 * are told to `seen`.
 */
export class Stopwatch {
  readonly spent = new Map<string, Spent>()
  readonly tracer
  constructor(seen: (run: Run) => void) {
    this.tracer = listening((span, seconds) => {
      const run = Context.getOption(span.annotations, Running)
      if (Option.isSome(run)) {
        seen(run.value)
        this.add(`ort ${run.value.graph.name}`, 1000 * seconds)
      } else if (span.name.startsWith("stage.")) this.add(`stage ${span.name.slice("stage.".length)}`, 1000 * seconds)
      else if (/^(retriever|languageModel)\./.test(span.name)) this.add(`port ${span.name}`, 1000 * seconds)
    })
  }

  /** The effect, listened to. */
  readonly around = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.withTracer(effect, this.tracer)
  private add(name: string, milliseconds: number): void {
    const spent = this.spent.get(name) ?? { milliseconds: 0, calls: 0 }
    this.spent.set(name, { milliseconds: spent.milliseconds + milliseconds, calls: spent.calls + 1 })
  }
  /** Milliseconds of all names that start with a prefix. */
  total(prefix: string): number {
    return [...this.spent].reduce((sum, [name, s]) => sum + (name.startsWith(prefix) ? s.milliseconds : 0), 0)
  }
}
