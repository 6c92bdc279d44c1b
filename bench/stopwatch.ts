/** Time by name, and services whose calls are timed. */
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Layer from "effect/Layer"
import { observed, type Run } from "../src/runtime/engine/observed.ts"
import type { Session } from "../src/runtime/engine/Session.ts"
import { LanguageModel, LanguageModelLearner } from "../src/runtime/ports/LanguageModel.ts"
import { Retriever, RetrieverLearner } from "../src/runtime/ports/Retriever.ts"

/** Milliseconds and calls since the last reset. */
export interface Spent {
  milliseconds: number
  calls: number
}

export class Stopwatch {
  readonly spent = new Map<string, Spent>()

  readonly during = (name: string) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.suspend(() => {
      const began = performance.now()
      return Effect.ensuring(effect, Effect.sync(() => this.add(name, performance.now() - began)))
    })
  private add(name: string, milliseconds: number): void {
    const spent = this.spent.get(name) ?? { milliseconds: 0, calls: 0 }
    this.spent.set(name, { milliseconds: spent.milliseconds + milliseconds, calls: spent.calls + 1 })
  }
  /** Milliseconds of all names that start with a prefix. */
  total(prefix: string): number {
    return [...this.spent].reduce((sum, [name, s]) => sum + (name.startsWith(prefix) ? s.milliseconds : 0), 0)
  }
}

/** The session, with each run of a program timed as `ort NAME` and told to `seen`. */
export const timedSession = <E>(watch: Stopwatch, session: Layer.Layer<Session, E>, seen: (run: Run) => void) =>
  observed({
    compiling: () => identity,
    running: (run) => (effect) =>
      Effect.suspend(() => {
        seen(run)
        return watch.during(`ort ${run.graph.name}`)(effect)
      })
  }).pipe(Layer.provide(session))

/** The ports of the context, with each call timed as `port`. */
export const timedPorts = (watch: Stopwatch) => {
  const timed = watch.during("port")
  return Layer.mergeAll(
    Layer.effect(
      Retriever,
      Effect.map(Retriever, (r) => ({
        search: (...args) => timed(r.search(...args)),
        score: (...args) => timed(r.score(...args)),
        refresh: timed(r.refresh)
      }))
    ),
    Layer.effect(
      LanguageModel,
      Effect.map(LanguageModel, (r) => ({
        ...r,
        nll: (...args) => timed(r.nll(...args)),
        rank: (...args) => timed(r.rank(...args))
      }))
    ),
    Layer.effect(
      RetrieverLearner,
      Effect.map(RetrieverLearner, (r) => ({ ...r, learn: (lesson) => timed(r.learn(lesson)) }))
    ),
    Layer.effect(
      LanguageModelLearner,
      Effect.map(LanguageModelLearner, (r) => ({ ...r, learn: (lesson) => timed(r.learn(lesson)) }))
    )
  )
}
