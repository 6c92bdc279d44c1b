/** What is told as a warning while an effect runs. */
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as References from "effect/References"

/** Adds an effect's warnings to `lines`. */
export const heard = (lines: Array<string>) => <A, E, R>(effect: Effect.Effect<A, E, R>) => {
  const logger = Logger.make(({ message }) => void lines.push([message].flat().join(" ")))
  return effect.pipe(
    Effect.provide(Logger.layer([logger])),
    Effect.provideService(References.MinimumLogLevel, "Warn")
  )
}

/** An effect's outcome and its warnings, line by line. */
export const warned = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const lines: Array<string> = []
    return Effect.map(heard(lines)(effect), (value) => ({ value, lines }))
  })
