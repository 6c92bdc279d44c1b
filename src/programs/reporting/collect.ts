/** Program: collects what is known of runs into one report: figures, tests, curves, costs, and questions with their texts. */
import * as Effect from "effect/Effect"
import { spread } from "../../datasets/splits.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import type { Raw } from "../../domain/settings/RunConfig.ts"
import type { Hallucinated } from "../analysis/hallucinated.ts"
import { figures } from "../evaluation/compare.ts"
import { aloneOf, type AloneReport } from "./alone.ts"
import { runFolders } from "./folders.ts"
import { type Matches, matchesOf } from "./matches.ts"
import { type Pictures, picturesOf } from "./pictures.ts"
import { flopsOf } from "./plans.ts"
import { hallucinationsOf, type Rated, ratingsIn } from "./rated.ts"
import { orTold, readRun, type Telling } from "./runs.ts"
import {
  type Arm,
  byType,
  type Calibration,
  calibrations,
  type Classified,
  classified,
  type Compared,
  compared,
  evaluatedOf,
  type Influences,
  influences,
  type Recall,
  recallCurves,
  type Share
} from "./statistics.ts"
import { type Texts, textsOf } from "./texts.ts"

/** What a report is made with. */
export interface ReportOptions {
  readonly split: string
  /** The arm that others are compared with; the first if omitted. */
  readonly base: string | undefined
  /** Settings that win over the runs' own when texts are read. */
  readonly overrides: Raw
  /** Most questions that are shown one by one. */
  readonly maxQuestions: number
  /** Passages of each of them that are shown; more if the reader was given more. */
  readonly passages: number
  /** Questions whose passages are matched token by token, which loads retrievers; 0 for none. */
  readonly matches: number
  /** Most bytes of the pictures in the page; 0 for none. */
  readonly pictures: number
  /** Files of `anamnesis ratings read --json`. */
  readonly ratings: ReadonlyArray<string>
  /** Files of `anamnesis plan --json`, by arm. */
  readonly plans: Readonly<Record<string, string>>
}

/** A report, as data. */
export interface Report {
  readonly arms: ReadonlyArray<Arm>
  readonly base: string
  /** Arms by figure: accuracy and ranking; of figures that an arm has. */
  readonly compared: ReadonlyArray<Compared>
  readonly types: ReadonlyArray<Share>
  readonly recall: ReadonlyArray<Recall>
  readonly calibrations: ReadonlyArray<Calibration>
  /** Of arms whose questions all have the same options. */
  readonly classified: ReadonlyArray<Classified>
  readonly influences: ReadonlyArray<Influences>
  /** Readings of single passages, where `analyse` has made them. */
  readonly alone: AloneReport
  /** What written answers say, where `hallucinations` has checked them; and what raters found. */
  readonly hallucinations: ReadonlyArray<Hallucinated>
  readonly ratings: ReadonlyArray<Rated>
  /** Ids of the questions shown, of how many. */
  readonly shown: ReadonlyArray<string>
  readonly questions: number
  readonly texts: Texts
  readonly pictures: Pictures
  readonly matches: ReadonlyArray<Matches>
  /** Floating-point operations of a whole run by arm, of arms whose plan is given. */
  readonly flops: ReadonlyMap<string, number>
  /** What could not be read, and what is left out. */
  readonly damaged: ReadonlyArray<string>
  readonly options: ReportOptions
}

/** Runs of the same arm, in the order in which arms come. */
const armsOf = (runs: ReadonlyArray<Arm["runs"][number]>): ReadonlyArray<Arm> =>
  [...Map.groupBy(runs, ({ arm }) => arm)].map(([name, own]) => ({
    name,
    runs: own.toSorted((a, b) => a.seed - b.seed)
  }))

const baseOf = Effect.fnUntraced(function*(arms: ReadonlyArray<Arm>, wanted: string | undefined) {
  const able = () => arms.find((arm) => evaluatedOf(arm).length > 0)
  const base = wanted === undefined ? able() ?? arms[0] : arms.find(({ name }) => name === wanted)
  if (base) return base
  const problem = `no arm is named ${wanted}; there are ${arms.map(({ name }) => name).join(", ")}`
  return yield* new ConfigError({ source: "--base", problems: [problem] })
})

/** Passages whose texts are shown: those found first and the gold ones, of the questions shown. */
const passagesShown = (arms: ReadonlyArray<Arm>, shown: ReadonlySet<string>): ReadonlySet<string> =>
  new Set(
    arms.flatMap(evaluatedOf).flatMap(({ before, evaluated }) => evaluated.answered.concat(before?.answered ?? []))
      .filter(({ id }) => shown.has(id)).flatMap(
        ({ gold, top }) => gold.concat(top.map(([id]) => id))
      )
  )

const noTexts: Texts = { questions: new Map(), passages: new Map(), images: new Map(), told: [] }

/** The first evaluated run that has settings, which say where texts and pictures are. */
const described = (arms: ReadonlyArray<Arm>) => arms.flatMap(evaluatedOf).find(({ config }) => config !== undefined)

/** Texts by the settings of a run. */
const textsFor = Effect.fnUntraced(
  function*(
    run: ReturnType<typeof described>,
    arms: ReadonlyArray<Arm>,
    shown: ReadonlyArray<string>,
    telling: Telling
  ) {
    if (!run || shown.length === 0) return noTexts
    const read = Effect.mapError(
      textsOf(run.config!, run.evaluated, passagesShown(arms, new Set(shown))),
      (error) => new ConfigError({ source: "texts of questions and passages are left out", problems: [error.message] })
    )
    return (yield* orTold(telling, read)) ?? noTexts
  }
)

/** Fails if there is nothing to report. */
const something = (arms: ReadonlyArray<Arm>, { damaged }: Telling) => {
  const known = arms.some(({ runs }) => runs.some(({ curves, evaluated }) => evaluated || curves.length > 0))
  if (known && (damaged.length === 0 || arms.some((arm) => evaluatedOf(arm).length > 0))) return Effect.void
  const problems = damaged.length > 0 ? damaged : ["no run has an evaluation or a journal yet"]
  return Effect.fail(new ConfigError({ source: "report", problems }))
}

/** Collects the report of runs, experiments and evaluations; damaged parts are left out and told. */
export const collect = Effect.fn("collectReport")(function*(args: ReadonlyArray<string>, options: ReportOptions) {
  const telling: Telling = { damaged: [] }
  const folders = yield* runFolders(args, options.split)
  const arms = armsOf(yield* Effect.forEach(folders, (folder) => readRun(folder, options.overrides, telling)))
  yield* something(arms, telling)
  const base = yield* baseOf(arms, options.base)
  const ids = [...new Set(arms.flatMap(evaluatedOf).flatMap(({ evaluated }) => evaluated.answered.map(({ id }) => id)))]
  const shown = spread(ids, Math.min(options.maxQuestions, ids.length))
  const run = described(arms)
  const texts = yield* textsFor(run, arms, shown, telling)
  const pictures = yield* picturesOf(run?.config, arms, shown, texts, {
    most: options.pictures,
    passages: options.passages
  })
  return {
    arms,
    base: base.name,
    compared: Object.keys(figures).flatMap((figure) => compared(arms, base, figure)),
    types: byType(arms),
    recall: recallCurves(arms),
    calibrations: calibrations(arms),
    classified: classified(arms),
    influences: influences(arms),
    alone: aloneOf(arms, base),
    hallucinations: hallucinationsOf(arms),
    ratings: yield* ratingsIn(options.ratings),
    shown,
    questions: ids.length,
    texts,
    pictures,
    matches: yield* matchesOf(arms, shown.slice(0, options.matches), texts, options.passages, telling),
    flops: yield* flopsOf(arms, options.plans),
    damaged: [...telling.damaged, ...texts.told, ...pictures.told],
    options
  } satisfies Report as Report
})
