/** Program: compares evaluations question by question. */
import * as Effect from "effect/Effect"
import { basename, dirname, join } from "node:path"
import { evaluationFiles, evaluationFolder } from "../../domain/fileNames.ts"
import { depths, type Verdict } from "../../domain/judge.ts"
import * as Metric from "../../domain/Metric.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import { holm, mcnemar, needed, permutation } from "../../domain/statistics/paired.ts"
import { exists } from "../../runtime/files/disk.ts"
import { verdictsIn } from "./evaluationFiles.ts"

/** Figures of a question that can be compared. */
export const figures = {
  accuracy: (v: Verdict) => v.correct,
  debiased_accuracy: (v: Verdict) => v.debiased,
  order_dependent: (v: Verdict) => v.orderDependent,
  "mrr@100": (v: Verdict) => v.reciprocalRank,
  "ndcg@10": (v: Verdict) => v.ndcg,
  ...Object.fromEntries(depths.map((k, i) => [`recall@${k}`, (v: Verdict) => v.recall[i]!] as const))
} as Readonly<Record<string, (verdict: Verdict) => number | null>>

/** A system: its name, and a folder of a run or of an evaluation for each seed. */
export interface Compared {
  readonly name: string
  readonly folders: ReadonlyArray<string>
}

/** A system against the first. */
export interface Difference {
  readonly name: string
  readonly mean: number
  readonly interval: Metric.Interval
  /** Questions, those of several seeds each counting, and groups that are resampled. */
  readonly questions: number
  readonly groups: number
  /** Against the first system; `undefined` for that. */
  readonly against:
    | {
      readonly difference: Metric.Comparison
      /** Questions that only the first, or only this system, has right; of figures other than accuracy, better. */
      readonly lost: number
      readonly won: number
      /** Of McNemar's exact test; `null` where questions go together in groups or seeds, which it takes as independent. */
      readonly mcnemar: number | null
      readonly permutation: number
      /** The permutation's p-value under Holm's correction over the systems compared. */
      readonly holm: number
      /** Questions for a power of 0.8; `null` without a difference. */
      readonly needed: number | null
    }
    | undefined
}

const refused = (problems: ReadonlyArray<string>) => new ConfigError({ source: "compare", problems })

/** What is wrong with names of systems that are to be told apart; false if they all differ. */
export const sameName = (names: ReadonlyArray<string>): string | false => {
  const twice = names.find((name, i) => names.indexOf(name) < i)
  return twice !== undefined && `two systems are named ${twice}; give names as NAME=FOLDER`
}

/** The run of a folder that may be one of its evaluations. */
const runOf = (folder: string): string => basename(folder).startsWith(evaluationFolder("")) ? dirname(folder) : folder

/**
 * A system of an argument `NAME=FOLDER,FOLDER`, or of folders alone. Cells of a grid, as `sampling,sampling=top`, are folders too: a
 * comma before `setting=` is a part of the name, and a NAME has no comma.
 */
export const systemOf = (argument: string): Compared => {
  const [, name, given] = /^([^,=]+)=(.*)$/s.exec(argument) ?? [undefined, undefined, argument]
  const folders = given!.split(/,(?![^,/=]*=)/).filter((folder) => folder !== "")
  return { name: name ?? basename(runOf(folders[0] ?? "")), folders }
}

/** The seed of an experiment's run, by its folder `seed-N/ARM`. */
const seedOf = (folder: string): number | undefined => {
  const [, seed] = /^seed-(\d+)$/.exec(basename(dirname(runOf(folder)))) ?? []
  return seed === undefined ? undefined : Number(seed)
}

/**
 * The systems of a command line: an arm's folders under several seeds of one experiment, each an argument without a name, are one
 * system, with its seeds rising.
 */
export const systemsOf = (given: ReadonlyArray<string>): ReadonlyArray<Compared> => {
  const systems = given.map((argument) => {
    const system = systemOf(argument)
    const [folder = "", ...others] = system.folders
    const seeded = argument === folder && others.length === 0 && seedOf(folder) !== undefined
    return { system, arm: seeded ? join(dirname(dirname(runOf(folder))), basename(runOf(folder))) : undefined }
  })
  const seeds = (arm: string) =>
    systems.filter((own) => own.arm === arm).flatMap(({ system }) => system.folders)
      .toSorted((a, b) => seedOf(a)! - seedOf(b)!)
  return systems.flatMap(({ arm, system }, i) => {
    if (arm === undefined) return [system]
    return systems.findIndex((own) => own.arm === arm) === i ? [{ ...system, folders: seeds(arm) }] : []
  })
}

/** Whether systems of several folders have them of other seeds, so that questions would be paired across seeds. */
const otherSeeds = (a: Compared, b: Compared): boolean => {
  const [own, other] = [a, b].map(({ folders }) => folders.map(seedOf))
  return own!.length > 1 && [...own!, ...other!].every((seed) => seed !== undefined) && own!.join() !== other!.join()
}

/** The file of predictions of a folder: that of an evaluation, or of a run's split. */
const predictionsOf = Effect.fnUntraced(function*(folder: string, split: string) {
  const paths = [folder, join(folder, evaluationFolder(split))].map((own) => join(own, evaluationFiles.predictions))
  const found = yield* Effect.filter(paths, exists)
  return found[0] ??
    (yield* refused([
      `${folder}: has neither ${paths.map((path) => basename(dirname(path)) + "/" + basename(path)).join(" nor ")}`
    ]))
})

/** The values of a system's questions, keyed by seed and id. */
const observed = Effect.fnUntraced(function*({ folders, name }: Compared, split: string, figure: string) {
  const of = figures[figure]!
  const all = yield* Effect.forEach(
    folders,
    (folder, seed) =>
      Effect.map(
        Effect.flatMap(predictionsOf(folder, split), verdictsIn),
        (verdicts) =>
          verdicts.flatMap((verdict): ReadonlyArray<Metric.Keyed> => {
            const value = of(verdict)
            return value === null ? [] : [{ key: `${seed + 1}, ${verdict.id}`, group: verdict.group, value }]
          })
      )
  )
  const own = all.flat()
  return own.length > 0 ? own : yield* refused([`${name}: no question has a figure ${figure}`])
})

/**
 * The tests of a system's paired differences from another. McNemar's is made of accuracy alone, and only where every
 * question is a group of its own: it takes questions as independent.
 */
export const against = (differences: ReadonlyArray<Metric.Observed>, figure: string) => {
  const independent = figure === "accuracy" &&
    new Set(differences.map(({ group }) => group)).size === differences.length
  const [lost, won] = [-1, 1].map((sign) => differences.filter(({ value }) => Math.sign(value) === sign).length) as [
    number,
    number
  ]
  return {
    difference: Metric.comparison(differences)!,
    lost,
    won,
    mcnemar: independent ? mcnemar(lost, won) : null,
    permutation: permutation(differences),
    needed: needed(differences)
  }
}

/** Compares systems with the first, by one figure of their questions. */
export const compare = Effect.fn("compare")(
  function*(systems: ReadonlyArray<Compared>, { figure, split }: { readonly figure: string; readonly split: string }) {
    const names = systems.map(({ name }) => name)
    const problems = [
      ...names.filter((name, i) => names.indexOf(name) < i).map((name) =>
        `${name} is the name of two systems; give one another as NAME=FOLDER`
      ),
      ...systems.filter(({ folders }) => folders.length !== systems[0]!.folders.length).map(({ folders, name }) =>
        `${name} has ${folders.length} folders, and ${names[0]} has ${
          systems[0]!.folders.length
        }: one is wanted for each seed`
      ),
      ...systems.filter((own) => own.folders.length === systems[0]!.folders.length && otherSeeds(own, systems[0]!)).map(
        (own) =>
          `${own.name} is of the seeds ${own.folders.map(seedOf).join(", ")}, and ${names[0]} of ${
            systems[0]!.folders.map(seedOf).join(", ")
          }`
      )
    ]
    if (problems.length > 0) return yield* refused(problems)
    const values = yield* Effect.forEach(systems, (system) => observed(system, split, figure))
    const base = values[0]!
    const found = yield* Effect.forEach(values.slice(1), (own, i) => {
      const differences = Metric.differences(base, own)
      if (!("unpaired" in differences)) return Effect.succeed(against(differences, figure))
      const { unpaired } = differences
      return refused([
        `${names[0]} and ${
          names[i + 1]
        }: ${unpaired.length} questions are of one of them alone, or of other groups in the `
        + `other (first: ${unpaired[0]})`
      ])
    })
    const adjusted = holm(found.map((one) => one.permutation))
    return values.map((own, i): Difference => ({
      name: names[i]!,
      mean: Metric.mean(own.map(({ value }) => value))!,
      interval: Metric.interval(own)!,
      questions: own.length,
      groups: new Set(own.map(({ group }) => group)).size,
      against: i === 0 ? undefined : { ...found[i - 1]!, holm: adjusted[i - 1]! }
    }))
  }
)
