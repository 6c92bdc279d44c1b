/** A stage reads the columns it needs and returns the columns it adds. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Blocks, Columns } from "../domain/Columns.ts"
import { append, type Frame } from "../domain/Frame.ts"

/** Row-polymorphic: all other columns of the row are kept. */
export interface Stage<in out I extends Columns, in out O extends Columns, out E, out R> {
  readonly name: string
  readonly needs: I
  readonly adds: O
  readonly run: <C extends I>(rows: Frame<C>) => Effect.Effect<Frame<C & O>, E, R>
}

/** A stage from a function of a frame that returns the added blocks; runs in a span named after the stage. */
export const make = <const I extends Columns, const O extends Columns, E, R>(
  name: string,
  options: {
    readonly needs: I
    readonly adds: O
    readonly run: (rows: Frame<I>) => Effect.Effect<Blocks<O>, E, R>
  }
): Stage<I, O, E, R> => ({
  name,
  needs: options.needs,
  adds: options.adds,
  run: (rows) =>
    options.run(rows).pipe(
      Effect.map((added) => append(rows, options.adds, added)),
      Effect.withSpan(`stage.${name}`, { attributes: { rows: rows.rows } })
    )
})

/**
 * Composes two stages. The second may need only columns that the first needs or adds; the type error names a missing
 * one.
 */
export const andThen =
  <I2 extends Columns, O2 extends Columns, E2, R2>(that: Stage<I2, O2, E2, R2>) =>
  <I1 extends Columns, O1 extends Columns, E1, R1>(
    self:
      & Stage<I1, O1, E1, R1>
      & (I1 & O1 extends I2 ? unknown
        : { readonly missing: Exclude<keyof I2, keyof (I1 & O1)> })
  ): Stage<I1, O1 & O2, E1 | E2, R1 | R2> => ({
    name: `${self.name} > ${that.name}`,
    needs: self.needs,
    adds: { ...self.adds, ...that.adds },
    run: (rows) => self.run(rows).pipe(Effect.flatMap((next) => that.run(next as any))) as any
  })

/** Runs a stage over a stream of frames, one at a time. */
export const over =
  <I extends Columns, O extends Columns, E, R>(stage: Stage<I, O, E, R>) =>
  <C extends I, E1, R1>(rows: Stream.Stream<Frame<C>, E1, R1>) => Stream.mapEffect(rows, (frame) => stage.run(frame))
