/** Figures of a run for TensorBoard, where `report_to` says so: those of the report's curves, under transformers' kinds of names. */
import type { RecordBatch } from "apache-arrow"
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { runFiles } from "../../domain/fileNames.ts"
import type { Summary } from "../../domain/judge.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import * as Board from "../../runtime/files/tensorboard/board.ts"
import { figuresOf, schedulesOf } from "../reporting/curves.ts"

type Figures = Readonly<Record<string, number | string | null>>

/** "retriever loss" as "train/retriever_loss"; TensorBoard groups by what stands before the stroke. */
const tagged = (group: string, figures: Figures): Readonly<Record<string, number>> =>
  Object.fromEntries(
    Object.entries(figures).flatMap(([name, value]) =>
      typeof value === "number" ? [[`${group}/${name.replaceAll(" ", "_")}`, value] as const] : []
    )
  )

/** Figures of held-out rows by TRL's names, "eval_loss", as transformers reports them: "eval/loss". */
const heldOut = (figures: Figures): Figures =>
  Object.fromEntries(
    Object.entries(figures).flatMap(([name, value]) =>
      name.startsWith("eval_") && name !== "eval_data" ? [[name.slice("eval_".length), value]] : []
    )
  )

const folderOf = (c: RunConfig): string => join(c.output_dir, runFiles.tensorboard)

/** The figures of a run that goes on after step `start`, as they arise. */
export const board = Effect.fnUntraced(function*(c: RunConfig, start: number) {
  if (c.report_to === "none") return undefined
  const { add, flush } = yield* Board.open(folderOf(c), start)
  const rates = schedulesOf(c)
  return {
    /** What a batch of the journal tells of the step that ends with `step` updates, with loss scales. */
    step: (step: number, batch: RecordBatch, scales: Readonly<Record<string, number>>) => {
      const rate = Object.fromEntries(rates.map(({ figure, learningRate }) => [figure, learningRate(step)]))
      return add(step, tagged("train", { ...figuresOf(c, batch), ...rate, ...scales }))
    },
    /** Figures of held-out rows. */
    judged: (step: number, line: Figures) => add(step, tagged("eval", heldOut(line))),
    flush
  }
})

/** The figures of an evaluation that are single numbers. */
const summaryFigures = ({ accuracy, recall, unparsed, "mrr@100": mrr, "ndcg@10": ndcg }: Summary): Figures => ({
  accuracy: accuracy?.mean ?? null,
  unparsed: unparsed.share,
  "mrr@100": mrr,
  "ndcg@10": ndcg,
  ...recall
})

/** Figures of an evaluation of the model of a step, in a folder of their own. */
export const evaluated = Effect.fnUntraced(function*(c: RunConfig, name: string, step: number, summary: Summary) {
  if (c.report_to === "none") return
  yield* Board.once(join(folderOf(c), name), step, tagged(name, summaryFigures(summary)))
})
