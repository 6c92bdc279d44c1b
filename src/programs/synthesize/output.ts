/** Synthetic records on disk: a file of lines, and beside it a report and a data card. */
import * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import { basename, resolve } from "node:path"
import { besideWritten } from "../../domain/fileNames.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import { replace } from "../../runtime/files/disk.ts"
import * as LineFile from "../../runtime/files/lineFile.ts"
import { type Spent, Writer } from "../../runtime/ports/Writer.ts"
import { json } from "../run.ts"
import type { Template } from "../writing/template.ts"
import { type About, cardOf } from "./card.ts"
import {
  type Counts,
  type Draft,
  isComplete,
  type Provenance,
  provenanceOf,
  type Report,
  synthesise,
  type Task
} from "./pipeline.ts"

/** One request for each draft of an item, and what becomes of the drafts. */
export interface Stage<I, D, E, R, E2, R2> {
  readonly task: Task<I, D, E, R>
  readonly prompt: Template
  readonly items: Stream.Stream<I, E2, R2>
  readonly total: number
  /** Items that nothing is asked of, by reason. */
  readonly leftOut?: Counts
}

/** Where a draft is from. */
export type From<I, D> = (draft: Draft<I, D>, sources: ReadonlyArray<string>) => Provenance

/** What was spent between two readings. */
const since = (before: Spent, after: Spent): Spent => ({
  calls: after.calls - before.calls,
  cached: after.cached - before.cached,
  input_tokens: after.input_tokens - before.input_tokens,
  output_tokens: after.output_tokens - before.output_tokens,
  retries: after.retries - before.retries
})

/** Runs a stage; `keep` gets every item in order. */
export const staged = Effect.fnUntraced(function*<I, D, E, R, E2, R2, E3, R3>(
  { items, leftOut = {}, prompt, task, total }: Stage<I, D, E, R, E2, R2>,
  keep: (item: I, drafts: ReadonlyArray<Draft<I, D>>, from: From<I, D>) => Effect.Effect<void, E3, R3>
) {
  const { name, seed, spent } = yield* Writer
  const before = yield* spent
  const models = new Set<string>()
  const from: From<I, D> = (draft, sources) => provenanceOf(draft, prompt.sha256, seed, sources)
  const funnel = yield* synthesise(task, items, total, (item, drafts) => {
    for (const { answer } of drafts) models.add(answer.model)
    return keep(item, drafts, from)
  })
  const after = yield* spent
  return {
    task: task.name,
    writer: name,
    models: [...models],
    prompt: prompt.path,
    prompt_sha: prompt.sha256,
    seed,
    ...funnel,
    items: funnel.items + Object.values(leftOut).reduce((sum, own) => sum + own, 0),
    dropped: { ...leftOut, ...funnel.dropped },
    spent: since(before, after)
  } satisfies Report as Report
})

/** Refuses to write over what is read. */
export const apart = (
  inputs: ReadonlyArray<string>,
  outputs: ReadonlyArray<string>
): Effect.Effect<void, ConfigError> => {
  const paths = [...inputs, ...outputs].map((path) => resolve(path))
  const twice = outputs.find((_, i) => paths.indexOf(paths[inputs.length + i]!) < inputs.length + i)
  if (twice === undefined) return Effect.void
  const problem = inputs.some((path) => resolve(path) === resolve(twice)) ? "is the input, too" : "is named twice"
  return Effect.fail(new ConfigError({ source: twice, problems: [`${problem}; choose another file`] }))
}

/** Leaves the card beside a file; warns of one without a record. */
export const described = Effect.fnUntraced(function*(path: string, reports: ReadonlyArray<Report>, about: About) {
  if (reports.at(-1)!.kept === 0) {
    yield* Effect.logWarning(
      `${path}: nothing that was written passed all filters; ${besideWritten.report(path)} has why`
    )
  }
  const card = cardOf(basename(path), reports, about)
  yield* replace(besideWritten.card(path), new TextEncoder().encode(card))
})

/** Leaves the report and the card beside a file. */
export const reported = Effect.fnUntraced(function*(path: string, report: Report, about: About) {
  yield* replace(besideWritten.report(path), json(report))
  yield* described(path, [report], about)
})

/**
 * Runs a stage into a file, in the order of the items, with its report and its card; writes nothing if requests wait in files for
 * their answers.
 */
export const written = Effect.fnUntraced(function*<I, D, E, R, E2, R2>(
  output: string,
  stage: Stage<I, D, E, R, E2, R2>,
  about: About,
  lines: (item: I, drafts: ReadonlyArray<Draft<I, D>>, from: From<I, D>) => ReadonlyArray<object>
) {
  const file = yield* LineFile.make(output)
  const report = yield* staged(
    stage,
    (item, drafts, from) => file.add(lines(item, drafts, from).map((line) => JSON.stringify(line)))
  )
  if (!isComplete(report)) return report
  yield* file.finish
  yield* reported(output, report, about)
  return report
}, Effect.scoped)
