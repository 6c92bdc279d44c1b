/** A block of joint steps, always the same: from the first weights, over the first batches of a run. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Batches from "../src/datasets/batches.ts"
import type { Frame } from "../src/domain/Frame.ts"
import { queryOf } from "../src/domain/records/options.ts"
import type { Part, Stored, Tensors } from "../src/runtime/ports/Checkpoints.ts"
import { read } from "../src/stages/read.ts"
import { retrieve } from "../src/stages/retrieve.ts"
import { sample } from "../src/stages/sample.ts"
import { llmRank } from "../src/stages/score.ts"
import type { Stage } from "../src/stages/Stage.ts"
import { byPairs, update } from "../src/stages/update.ts"
import { studyOptions } from "../src/systems/jmlr/study.ts"
import type { Stopwatch } from "./stopwatch.ts"
import type { Prepared } from "./system.ts"

/** Steps of a block. */
export const STEPS = 8

type AnyStage<R> = Stage<any, any, any, R>
type Needs<S> = S extends Stage<any, any, any, infer R> ? R : never

/** The stages of `Pipelines.llmRanked`, one by one. */
const stages = ({ config }: Prepared) => {
  const o = studyOptions(config)
  return [retrieve(o), sample(o), read(o.m, o), llmRank(o.m, o), update(byPairs(o.m, o.c, o))] as const
}

export const batches = ({ config, passages, questions }: Prepared) => {
  const rows = new Map(passages.map((p, row) => [p.id, row]))
  const options = { from: 0, to: STEPS, size: config.per_device_train_batch_size, seed: config.seed }
  return Batches.batches(() => questions, options, {
    row: (id) => rows.get(id) ?? -1,
    query: queryOf(config)
  })
}

/** Copies of tensors, to be loaded. */
const copied = (tensors: Tensors): Stored => {
  const own = new Map([...tensors].map(([name, { data, shape }]) => [name, { shape, data: data.slice() }]))
  return { path: "memory", names: [...own.keys()], read: (name) => Effect.succeed(own.get(name)!) }
}

/** Both models and their optimisers as they are now, to be restored before each block. */
export const snapshot = (parts: ReadonlyMap<string, Part>) => {
  const states = [...parts.values()].map((part) => {
    const { base, extra, weights } = part.save()
    return { part, state: { base, weights: copied(weights), extra: copied(extra), counters: { updates: 0 } } }
  })
  return Effect.forEach(states, ({ part, state }) => part.load(state))
}

export const stageNames = ["retrieve", "sample", "read", "score", "update"] as const

/** Milliseconds of a stage, of the calls of ports within it, and of the programs run within those. */
export interface Split {
  readonly stage: number
  readonly port: number
  readonly ort: number
}

const since = (watch: Stopwatch, name: string, before?: Split): Split => {
  const now = { stage: watch.total(`stage ${name}`), port: watch.total("port"), ort: watch.total("ort ") }
  return before
    ? { stage: now.stage - before.stage, port: now.port - before.port, ort: now.ort - before.ort }
    : now
}
const plus = (a: Split, b: Split): Split => ({ stage: a.stage + b.stage, port: a.port + b.port, ort: a.ort + b.ort })
const none: Split = { stage: 0, port: 0, ort: 0 }

/**
 * Runs the block, its batches drawn beforehand (the order of an epoch is drawn once): the last frames of its steps, and
 * where the time went by stage.
 */
export const block = Effect.fnUntraced(function*(prepared: Prepared, watch: Stopwatch) {
  type R = Needs<ReturnType<typeof stages>[number]>
  const all: ReadonlyArray<AnyStage<R>> = stages(prepared)
  const splits = new Map<string, Split>()
  const step = Effect.fnUntraced(function*(question: Batches.QuestionFrame) {
    let rows: Frame<any> = question
    for (const stage of all) {
      const before = since(watch, stage.name)
      rows = yield* watch.around(stage.run(rows))
      splits.set(stage.name, plus(splits.get(stage.name) ?? none, since(watch, stage.name, before)))
    }
    return rows
  })
  const asked = yield* Stream.runCollect(batches(prepared))
  const began = performance.now()
  const frames = yield* Effect.forEach(asked, step)
  return { frames, splits, milliseconds: performance.now() - began }
})
export type Block = Effect.Success<ReturnType<typeof block>>
