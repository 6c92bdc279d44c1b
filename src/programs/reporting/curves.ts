/** Learning curves of a run: what its journal tells of each step, with the learning rates of its schedule. */
import type { RecordBatch } from "apache-arrow"
import * as Effect from "effect/Effect"
import * as Frame from "../../domain/Frame.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import type { Traits } from "../../domain/settings/uses.ts"
import { Lesson } from "../../domain/tables.ts"
import { FileError } from "../../runtime/files/disk.ts"
import * as Journal from "../../runtime/files/journal.ts"
import { groupsOf } from "../../runtime/models/training.ts"
import { modeOf } from "../../systems/all.ts"

/** A figure of the steps 1, 2, ... of a run; `null` where it is not finite or not known. */
export interface Curve {
  readonly figure: string
  readonly values: ReadonlyArray<number | null>
}

const mean = (values: Iterable<number>): number | null => {
  const all = [...values]
  const value = all.reduce((a, b) => a + b, 0) / all.length
  return Number.isFinite(value) ? value : null
}

/** Rows of corpus that a batch lists in a column, a list a question; `undefined` without such a column. */
const listsOf = (batch: RecordBatch, name: string): ReadonlyArray<ReadonlyArray<number>> | undefined => {
  const column = batch.getChild(name)
  return column === null ? undefined : Array.from(column, (own) => Array.from(own as Iterable<number>))
}

/** The share of a batch's questions that have a gold passage among their candidates, of those that have a gold passage. */
const goldFound = (batch: RecordBatch): number | null => {
  const [docs, gold] = [listsOf(batch, "docs"), listsOf(batch, "gold")]
  if (!docs || !gold) return null
  const known = [...gold.keys()].filter((i) => gold[i]!.length > 0)
  return mean(known.map((i) => gold[i]!.some((row) => docs[i]!.includes(row)) ? 1 : 0))
}

/** The losses of the models that are trained. */
const lossesOf = ({ reader, retriever }: Traits, batch: RecordBatch): Readonly<Record<string, number | null>> => {
  const rows = Frame.fromBatch(Lesson, batch)
  return {
    ...(retriever === "trained" ? { "retriever loss": mean(Frame.column(rows, "retrieverLoss")) } : {}),
    ...(reader === "trained" ? { "reader loss": mean(Frame.column(rows, "readerLoss")) } : {})
  }
}

/** How stale the index was before a step; nothing where it was not measured. */
const staleness = (batch: RecordBatch): Readonly<Record<string, number | null>> => {
  const of = (name: string) => {
    const column = batch.getChild(name)
    return column === null ? null : mean(column as Iterable<number>)
  }
  return { "index rank correlation": of("staleCorrelation"), "index overlap": of("staleOverlap") }
}

/** The figures of a step by name. */
export const figuresOf = (c: RunConfig, batch: RecordBatch): Readonly<Record<string, number | null>> => {
  const { texts, traits } = modeOf(c)
  const own = texts ? modeOf(c).study(0).figures?.(Frame.fromBatch(Lesson, batch)) : undefined
  if (own !== undefined) return own
  return { ...lossesOf(traits, batch), "gold among candidates": goldFound(batch), ...staleness(batch) }
}

/** Learning rates of the steps 1, 2, ... after warm-up and decay, of the models that are trained. */
export const schedulesOf = (
  c: RunConfig
): ReadonlyArray<{ readonly figure: string; readonly learningRate: (step: number) => number }> => {
  const { reader, retriever } = modeOf(c).traits
  const peaks = [
    ["retriever learning rate", retriever === "trained" ? c.lr_retriever : 0],
    ["reader learning rate", reader === "trained" ? c.learning_rate : 0]
  ] as const
  return peaks.filter(([, peak]) => peak > 0).map(([figure, peak]) => ({
    figure,
    learningRate: groupsOf(c, peak)["decay"]!.learningRate
  }))
}

const ratesOf = (c: RunConfig, steps: number): ReadonlyArray<Curve> =>
  schedulesOf(c).map(({ figure, learningRate }) => ({
    figure,
    values: Array.from({ length: steps }, (_, i) => learningRate(i + 1))
  }))

/** The curves of a run so far; those that have no value at all are left out. */
export const curvesOf = Effect.fn("curvesOf")(function*(c: RunConfig, output: string) {
  const batches = yield* Journal.read(output)
  const steps = yield* Effect.try({
    try: () => batches.map((batch) => figuresOf(c, batch)),
    catch: (cause) => new FileError({ path: output, place: "journal", reason: (cause as Error).message })
  })
  const names = [...new Set(steps.flatMap((own) => Object.keys(own)))]
  const curves = names.map((figure): Curve => ({
    figure,
    values: steps.map((own) => Number.isFinite(own[figure]) ? own[figure]! : null)
  }))
  return [...curves.filter(({ values }) => values.some((value) => value !== null)), ...ratesOf(c, batches.length)]
})
