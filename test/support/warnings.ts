/** What is told as a warning while an effect runs. */
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as References from "effect/References"

/** Adds an effect's warnings to `lines`, or what else is told from a level on. */
export const heard =
  (lines: Array<string>, level: "Info" | "Warn" = "Warn") => <A, E, R>(effect: Effect.Effect<A, E, R>) => {
    const logger = Logger.make(({ message }) => void lines.push([message].flat().join(" ")))
    return effect.pipe(
      Effect.provide(Logger.layer([logger])),
      Effect.provideService(References.MinimumLogLevel, level)
    )
  }

/** An effect's outcome and its warnings, line by line. */
export const warned = <A, E, R>(effect: Effect.Effect<A, E, R>, level: "Info" | "Warn" = "Warn") =>
  Effect.suspend(() => {
    const lines: Array<string> = []
    return Effect.map(heard(lines, level)(effect), (value) => ({ value, lines }))
  })
