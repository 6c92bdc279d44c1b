/** Program: has instructions written with examples, scores, and worse outputs (MediFlow). */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { besideWritten } from "../../../domain/fileNames.ts"
import { ConfigError } from "../../../domain/settings/configure.ts"
import { type Drawn, instructionLists, type Lists, tuples } from "../../../domain/synthesis/lists.ts"
import { replace } from "../../../runtime/files/disk.ts"
import * as LineFile from "../../../runtime/files/lineFile.ts"
import { readObject } from "../../../runtime/files/settings.ts"
import { Writer } from "../../../runtime/ports/Writer.ts"
import { json } from "../../run.ts"
import { load, shippedPath, type Template } from "../../writing/template.ts"
import type { About } from "../card.ts"
import type { FormName } from "../forms.ts"
import { apart, described, staged } from "../output.ts"
import { estimate, type Provenance, type Report, type Task } from "../pipeline.ts"
import { fileSource } from "../source.ts"
import * as Corrupt from "./corrupt.ts"
import * as Instruction from "./instruction.ts"
import * as Judge from "./judge.ts"
import * as Pair from "./pair.ts"
import { preferenceOf, rowOf } from "./records.ts"

/** What is written, and where. */
export interface InstructionOptions {
  /** A file of lists; that of the package if omitted. */
  readonly lists: string | undefined
  readonly output: string
  /** Instructions asked for, and examples of each. */
  readonly count: number
  readonly pairs: number
  /** Least scores; `undefined` if nothing is judged. */
  readonly judge: Judge.Scores | undefined
  /** Preferences: where they go, and the least mean score of their examples. */
  readonly preferences: string | undefined
  readonly preferenceLeast: number
  readonly form: FormName
  /** Greatest Jaccard index of the runs of five words of two instructions, or two inputs. */
  readonly nearDuplicate: number
  readonly maxTokens: number
  /** Prompt files; if omitted, those of the package, or those for small models if lines are asked for at once. */
  readonly prompts: {
    readonly instruction: string | undefined
    readonly pair: string | undefined
    readonly judge: string | undefined
    readonly corrupt: string | undefined
  }
  readonly licence: string | undefined
}

const listsOf = Effect.fnUntraced(function*(o: InstructionOptions) {
  const path = o.lists ?? shippedPath("instructions.yaml")
  const lists = yield* instructionLists(path, yield* readObject(path))
  if (o.preferences !== undefined && lists.error_types.length === 0) {
    return yield* new ConfigError({ source: path, problems: ["has no error_types, which worse outputs are made with"] })
  }
  return { path, lists }
})

/** A prompt of the package: the one with worked examples, for small models, if lines are asked for at once. */
const promptOf = ({ form }: InstructionOptions, name: string): string => form === "text" ? `${name}-small` : name

/** A stage over items in memory; what passes its filters, each with where it is from. */
const stage = Effect.fnUntraced(function*<I, D, E, R, A>(
  prompt: Template,
  task: Task<I, D, E, R>,
  items: ReadonlyArray<I>,
  of: (item: I, value: D, from: Provenance, sample: number) => A,
  sourceOf: (item: I) => string
) {
  const found: Array<A> = []
  const own = { task, prompt, items: Stream.fromIterable(items), total: items.length }
  const report = yield* staged(own, (item, drafts, from) =>
    Effect.sync(() => {
      for (const draft of drafts) found.push(of(item, draft.value, from(draft, [sourceOf(item)]), draft.sample))
    }))
  return { found, report }
})

const instructed = Effect.fnUntraced(function*(o: InstructionOptions, drawn: ReadonlyArray<Drawn>) {
  const prompt = yield* load(o.prompts.instruction, promptOf(o, "instruction"), Instruction.places)
  return yield* stage(
    prompt,
    Instruction.task(prompt, o),
    drawn,
    (drawn, text, from): Instruction.Instruction => ({ drawn, text, from }),
    ({ id }) => id
  )
})

const paired = Effect.fnUntraced(function*(o: InstructionOptions, items: ReadonlyArray<Instruction.Instruction>) {
  const prompt = yield* load(o.prompts.pair, promptOf(o, "instruction-pair"), Pair.places)
  return yield* stage(
    prompt,
    Pair.task(prompt, o),
    items,
    (instruction, own, from, sample): Pair.Pair => ({
      ...own,
      id: `${instruction.drawn.id}-${sample + 1}`,
      instruction,
      from
    }),
    ({ drawn }) => drawn.id
  )
})

const judged = Effect.fnUntraced(
  function*(o: InstructionOptions, least: Judge.Scores, pairs: ReadonlyArray<Pair.Pair>) {
    const prompt = yield* load(o.prompts.judge, "judge-pair", Judge.places)
    return yield* stage(
      prompt,
      Judge.task(prompt, { ...o, least }),
      pairs,
      (pair, scores, from): Judge.Judged => ({ ...pair, scores, judged: from }),
      ({ id }) => id
    )
  }
)

const worsened = Effect.fnUntraced(
  function*(o: InstructionOptions, lists: Lists, seed: number, pairs: ReadonlyArray<Judge.Judged>) {
    const prompt = yield* load(o.prompts.corrupt, promptOf(o, "corrupt"), Corrupt.places)
    const best = pairs.filter(({ scores }) => scores === undefined || Judge.meanOf(scores) >= o.preferenceLeast)
    const items = best.map(Corrupt.fallible(lists.error_types, seed))
    return yield* stage(prompt, Corrupt.task(prompt, o), items, preferenceOf, ({ pair }) => pair.id)
  }
)

const rows = Effect.fnUntraced(function*(path: string, records: ReadonlyArray<object>) {
  const file = yield* LineFile.make(path)
  yield* file.add(records.map((record) => JSON.stringify(record)))
  yield* file.finish
}, Effect.scoped)

/** A file of records with its report and its card. */
const leave = Effect.fnUntraced(
  function*(path: string, records: ReadonlyArray<object>, reports: ReadonlyArray<Report>, about: About) {
    yield* rows(path, records)
    yield* replace(besideWritten.report(path), json(reports))
    yield* described(path, reports, about)
  }
)

const aboutOf = Effect.fnUntraced(function*(o: InstructionOptions, path: string) {
  const { file, ...hash } = yield* fileSource(path)
  const least = o.judge === undefined ? {} : { "least scores": JSON.stringify(o.judge) }
  return {
    source: { lists: file, ...hash, "near-duplicates above": o.nearDuplicate, form: o.form, ...least },
    licence: o.licence
  }
})

const WHAT = "Instructions for medical documents with inputs and outputs, in MediFlow's columns."

/** Writes the examples, and the preferences if wanted; the reports of the stages, in order. */
export const instructions = Effect.fn("instructions")(function*(o: InstructionOptions) {
  const outputs = [o.output, ...(o.preferences === undefined ? [] : [o.preferences])]
  yield* apart(o.lists === undefined ? [] : [o.lists], outputs)
  const { lists, path } = yield* listsOf(o)
  const { seed } = yield* Writer
  const first = yield* instructed(o, tuples(lists, o.count, seed))
  const second = yield* paired(o, first.found)
  const third = o.judge === undefined ? undefined : yield* judged(o, o.judge, second.found)
  const pairs = third?.found ??
    second.found.map((pair): Judge.Judged => ({ ...pair, scores: undefined, judged: undefined }))
  const reports = [first.report, second.report, ...(third === undefined ? [] : [third.report])]
  const about = yield* aboutOf(o, path)
  yield* leave(o.output, pairs.map(rowOf), reports, { ...about, what: WHAT })
  if (o.preferences === undefined) return reports
  const fourth = yield* worsened(o, lists, seed, pairs)
  const what = `${WHAT} \`rejected\` is the output with an error of the named type.`
  const source = { ...about.source, "least mean score": third === undefined ? "not judged" : o.preferenceLeast }
  const all = [...reports, fourth.report]
  yield* leave(o.preferences, fourth.found, all, { what, source, licence: o.licence })
  return all
})

/** What the first stage would take, without a request, and how many requests the others may make at most. */
export const planInstructions = Effect.fnUntraced(function*(o: InstructionOptions) {
  const { lists } = yield* listsOf(o)
  const { seed } = yield* Writer
  const prompt = yield* load(o.prompts.instruction, promptOf(o, "instruction"), Instruction.places)
  const first = yield* estimate(Instruction.task(prompt, o), Stream.fromIterable(tuples(lists, o.count, seed)))
  const pairs = o.count * o.pairs
  const times = 1 + (o.judge === undefined ? 0 : 1) + (o.preferences === undefined ? 0 : 1)
  return { ...first, later: pairs * times }
})
