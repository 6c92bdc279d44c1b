/** Program: reads the questions of finished runs with single passages, and tells how far these disagree and what they could reach. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { analysisFiles, analysisFolder } from "../../domain/fileNames.ts"
import type { Keyed } from "../../domain/Metric.ts"
import type { Split } from "../../domain/records/Records.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import type { Raw } from "../../domain/settings/RunConfig.ts"
import { type Alone, alone, type OnFirst, onQuestions } from "../../domain/verdicts/analysis.ts"
import { isInconsistent } from "../../domain/verdicts/readings.ts"
import { makeFolder, replace, sha256 } from "../../runtime/files/disk.ts"
import * as Lock from "../../runtime/files/lock.ts"
import { Reporter } from "../../runtime/ports/Reporter.ts"
import { modeOf } from "../../systems/all.ts"
import type { Judge } from "../benchmarks/generative/outside.ts"
import { evalBatch } from "../costs/evalBatch.ts"
import { type Compared, sameName } from "../evaluation/compare.ts"
import { readerIdentity } from "../identity.ts"
import { withReader } from "../models.ts"
import { answering } from "../prepare.ts"
import { json } from "../run.ts"
import { closedBook } from "../writing/writers.ts"
import * as Choosing from "./choosing.ts"
import { type Classified, classifiersOf } from "./classifiers.ts"
import { type About, readAlone } from "./kept.ts"
import { labelsOf } from "./labels.ts"
import { drawnRows, type Readings, readInto } from "./readings.ts"
import { open, type Opened, readsFound } from "./system.ts"

/** How runs are analysed. */
export interface AnalyseOptions {
  readonly split: Split
  /** Passages of each question that are read by themselves; as many as the reader is given, at least 4, if `undefined`. */
  readonly passages: number | undefined
  /** Whether as many random passages are read. */
  readonly chance: boolean
  readonly judge: Judge | undefined
  /** Whether linear classifiers on the first system's encoder are learned beside, of questions about pictures. */
  readonly classifiers: boolean
  /** Settings that win over the runs' own. */
  readonly overrides: Raw
}

/** A system's figures; `undefined` if its reader answers from no passages that were found. */
export interface Analysed {
  readonly name: string
  readonly alone: Alone | undefined
}

/** The analysis of all systems. */
export interface Analysis {
  readonly systems: ReadonlyArray<Analysed>
  /** Every system on the questions on which the first one's passages disagree. */
  readonly onFirst: ReadonlyArray<OnFirst>
  /** Linear classifiers; empty if none were asked for. */
  readonly classifiers: ReadonlyArray<Pick<Classified, "examples" | "C"> & OnFirst>
  readonly split: Split
}

/** Fewest passages that are read by default: one alone cannot disagree. */
const LEAST = 4

/** What the readings of a run depend on, as a hash. */
const conditionsOf = Effect.fnUntraced(function*(run: Opened, passages: number, chance: boolean) {
  const { config, made } = run
  return sha256(JSON.stringify({ made, reader: yield* readerIdentity(config), passages, chance, seed: config.seed }))
})

/** Reads a run's questions, each with its passages alone; what is kept is not read again. */
const readingsOf = Effect.fnUntraced(function*(run: Opened, path: string, passages: number, chance: boolean) {
  const { config, corpus, folder, judged, records } = run
  const reporter = yield* Reporter
  const questions = records.map((record) => {
    const found = judged.get(record.id)!.found.slice(0, passages).map(([id]) => corpus.row(id))
    return { record, found, random: chance ? drawnRows(config.seed, record.id, found.length, corpus.size) : [] }
  })
  const [size, began] = [yield* evalBatch(config), yield* Clock.currentTimeMillis]
  return yield* readInto(
    path,
    config,
    questions,
    size,
    (done) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        reporter.report({
          task: `reading ${folder}`,
          done,
          total: records.length,
          start: 0,
          seconds: (now - began) / 1000,
          unit: "questions",
          each: 1,
          figures: {}
        }))
  ).pipe(Effect.provide(answering(closedBook(config), corpus)))
})

/** The place of the passage that a judge chooses where passages disagree, by question; elsewhere all are alike. */
const choicesOf = Effect.fnUntraced(function*(run: Opened, readings: ReadonlyArray<Readings>, judge: Judge) {
  const records = new Map(run.records.map((record) => [record.id, record]))
  const split = readings.filter(({ found }) => isInconsistent(found.verdicts))
  const texts = yield* Effect.forEach(split, ({ found }) => run.corpus.read(found.passages.map(run.corpus.row)))
  const choices = split.map(({ id }, i) => ({ record: records.get(id)!, passages: texts[i]!.map(({ text }) => text) }))
  const places = yield* Effect.provide(Choosing.chosen(choices), judge.layer, { local: true })
  const lost = places.filter((place) => place < 0).length
  if (lost > 0) {
    yield* Effect.logWarning(
      `the judge chose no passage for ${lost} of ${places.length} questions, which counts as wrong`
    )
  }
  return new Map(split.map(({ id }, i) => [id, places[i]!]))
})

/** Reads a run into its folder, and writes its figures there. */
const analysedRun = Effect.fnUntraced(function*(opened: Opened, seed: number, o: AnalyseOptions) {
  const run = { ...opened, config: yield* withReader(opened.config) }
  const passages = o.passages ?? Math.max(LEAST, modeOf(run.config).context)
  const folder = join(run.folder, analysisFolder(o.split))
  yield* makeFolder(folder)
  yield* Lock.hold(folder)
  const hash = yield* conditionsOf(run, passages, o.chance)
  const name = analysisFiles.readings(hash)
  const readings = yield* readingsOf(run, join(folder, name), passages, o.chance)
  const choices = o.judge && (yield* choicesOf(run, readings, o.judge))
  const labels = yield* labelsOf(run, passages)
  const own = readAlone(run.judged, seed, { readings, choices, labels })
  const about: About = {
    conditions: hash,
    predictions: run.made.predictions,
    readings: name,
    passages,
    choices: choices ? [...choices] : null,
    labels: [...labels].map(([id, { copied, labelled }]) => [id, labelled, copied])
  }
  const judge = o.judge && { ...o.judge.identity, prompt: (yield* Choosing.prompt).sha256 }
  const figures = alone(own)
  yield* replace(join(folder, analysisFiles.figures), json({ ...about, chance: o.chance, judge, figures }))
  return own
}, Effect.scoped)

/** A system's own answers, by key. */
const answersOf = (runs: ReadonlyArray<Opened>): ReadonlyArray<Keyed> =>
  runs.flatMap(({ judged }, seed) =>
    [...judged.values()].flatMap(({ correct, group, id }) =>
      correct === null ? [] : [{ key: `${seed + 1}, ${id}`, group, value: correct }]
    )
  )

const analysedSystem = Effect.fnUntraced(function*({ folders, name }: Compared, o: AnalyseOptions) {
  const all = yield* Effect.forEach(
    folders,
    Effect.fnUntraced(function*(folder, seed) {
      const run = yield* open(folder, o.split, o.overrides)
      return { run, own: readsFound(run) ? yield* analysedRun(run, seed + 1, o) : [] }
    }, Effect.scoped)
  )
  const runs = all.map(({ run }) => run)
  const own = all.flatMap((one) => one.own)
  return { name, own, alone: alone(own), answers: answersOf(runs) }
})

const problemsOf = (systems: ReadonlyArray<Compared>, { passages }: AnalyseOptions): ReadonlyArray<string> => {
  const names = systems.map(({ name }) => name)
  const odd = systems.find(({ folders }) => folders.length !== systems[0]!.folders.length)
  return [
    sameName(names),
    odd !== undefined &&
    `${odd.name} has ${odd.folders.length} folders, and ${names[0]} has ${systems[0]!.folders.length}`
      + ": one is wanted for each seed",
    passages !== undefined && passages < 2 && "--passages has to be at least 2: one passage cannot disagree"
  ].filter((problem) => problem !== false)
}

/** Classifiers beside the first system, whose answers to all questions are what they are compared with. */
const classifiersBeside = Effect.fnUntraced(function*({ folders }: Compared, o: AnalyseOptions) {
  if (!o.classifiers) return []
  const own = Effect.flatMap(open(folders[0]!, o.split, o.overrides), (run) => classifiersOf(run, folders.length))
  return yield* Effect.scoped(own)
})

/** Analyses systems, the first of which gives the questions that all are compared on. */
export const analyse = Effect.fn("analyse")(function*(systems: ReadonlyArray<Compared>, o: AnalyseOptions) {
  const problems = problemsOf(systems, o)
  if (problems.length > 0) return yield* new ConfigError({ source: "analyse", problems })
  const all = yield* Effect.forEach(systems, (system) => analysedSystem(system, o))
  if (all[0]!.alone === undefined) {
    const problem = "its reader answers from no passages that were found; the first system has to, others need not"
    return yield* new ConfigError({ source: all[0]!.name, problems: [problem] })
  }
  const classified = yield* classifiersBeside(systems[0]!, o)
  const everywhere = new Set(all[0]!.answers.map(({ key }) => key))
  const [, ...beside] = onQuestions([all[0]!, ...classified], everywhere)
  const split = new Set(all[0]!.own.filter(({ verdicts }) => isInconsistent(verdicts)).map(({ key }) => key))
  return {
    systems: all.map(({ alone, name }) => ({ name, alone })),
    onFirst: onQuestions([...all, ...classified], split),
    classifiers: classified.map(({ C, examples }, i) => Object.assign({ C, examples }, beside[i]!)),
    split: o.split
  } satisfies Analysis as Analysis
})
