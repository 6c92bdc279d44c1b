/**
 * `evaluations.jsonl` of a run: figures of the rows that are held out, a line for each time they were judged. A run that
 * is resumed has the lines of one that was not stopped.
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import type { TokenRecord } from "../../domain/examples/tokens.ts"
import { runFiles } from "../../domain/fileNames.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { stepSize } from "../../domain/settings/training.ts"
import { exists, FileError, readBytes, replace, sha256Of } from "../../runtime/files/disk.ts"
import { Reporter } from "../../runtime/ports/Reporter.ts"
import { modeOf } from "../../systems/all.ts"

const Figure = Schema.NullOr(Schema.Finite)
const Line = Schema.StructWithRest(
  Schema.Struct({ step: Schema.Natural, epoch: Schema.Finite, eval_data: Schema.String }),
  [Schema.Record(Schema.String, Schema.Union([Figure, Schema.String]))]
)
/** A line: the updates and the passes over the training rows before it, a hash of the rows judged, and figures. */
export type Line = typeof Line.Type
const decode = Schema.decodeUnknownSync(Line)

/** Path of the file in a run's folder. */
export const pathOf = (output: string): string => join(output, runFiles.evaluations)

/** The lines of a run's file; none if there is no file. */
export const read = Effect.fnUntraced(function*(output: string) {
  const path = pathOf(output)
  if (!(yield* exists(path))) return []
  const lines = new TextDecoder().decode(yield* readBytes(path)).split("\n").filter((line) => line !== "")
  return yield* Effect.forEach(lines, (line, i) =>
    Effect.try({
      try: () => decode(JSON.parse(line)),
      catch: () =>
        new FileError({ path, place: `line ${i + 1}`, reason: "is no line of an evaluation; remove the file" })
    }))
})

const write = (output: string, lines: ReadonlyArray<Line>) =>
  replace(pathOf(output), new TextEncoder().encode(lines.map((line) => `${JSON.stringify(line)}\n`).join("")))

const shown = ({ epoch: _, eval_data: __, step, ...figures }: Line): string =>
  `step ${step}: ${
    Object.entries(figures).map(([name, value]) =>
      `${name} ${typeof value === "number" ? value.toPrecision(4) : "none"}`
    )
      .join(", ")
  }`

/** Figures as JSON has them: those that are not finite are null. */
const finite = (figures: Readonly<Record<string, number>>): Readonly<Record<string, number | null>> =>
  Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, Number.isFinite(value) ? value : null]))

/**
 * Judges the held-out rows of a run that continues from step `start`; lines of later steps are removed. To be called after
 * the updates up to `step`: judges if the mode's settings say so after any of the last `count`.
 */
export const heldOut = Effect.fnUntraced(function*(
  c: RunConfig,
  rows: ReadonlyArray<TokenRecord> | undefined,
  trained: number,
  start: number,
  see: (step: number, line: Line) => Effect.Effect<void, FileError, FileSystem.FileSystem> = () => Effect.void
) {
  const own = modeOf(c).texts?.heldOut
  let lines: ReadonlyArray<Line> = (yield* read(c.output_dir)).filter(({ step }) => step <= start)
  const last = () => lines.at(-1)
  if (start === 0) lines = []
  if (lines.length > 0 || (yield* exists(pathOf(c.output_dir)))) yield* write(c.output_dir, lines)
  if (own === undefined || rows === undefined) return { after: () => Effect.void, last }
  const reporter = yield* Reporter
  const eval_data = sha256Of(rows.map(({ reference: _, ...row }) => `${JSON.stringify(row)}\n`)).slice(0, 16)
  if (lines.some((line) => line.eval_data !== eval_data)) {
    yield* Effect.logWarning(`${pathOf(c.output_dir)}: lines up to step ${start} are of other rows (eval_data)`)
  }
  const passes = (step: number) => step * stepSize(c) / trained
  const due = (step: number) => own.after(step, c.max_steps, Math.floor(passes(step)) > Math.floor(passes(step - 1)))
  const judge = Effect.fnUntraced(function*(step: number) {
    const line: Line = { step, epoch: passes(step), eval_data, ...finite(yield* own.judge(rows)) }
    lines = [...lines, line]
    yield* write(c.output_dir, lines)
    yield* see(step, line)
    yield* reporter.note(shown(line))
  })
  /** What a run that was stopped there left undone. */
  if (due(start) && last()?.step !== start) yield* judge(start)
  return {
    after: (step: number, count: number) =>
      Array.from({ length: count }, (_, i) => step - i).some(due) ? judge(step) : Effect.void,
    last
  }
})
