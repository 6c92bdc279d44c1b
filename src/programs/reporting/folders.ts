/** Which runs the arguments of a report name: run folders, evaluations, and folders of experiments. */
import * as Effect from "effect/Effect"
import { basename, dirname, join, resolve } from "node:path"
import { evaluationFiles, evaluationFolder, runFiles } from "../../domain/fileNames.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import { exists, namesIn } from "../../runtime/files/disk.ts"
import { systemOf } from "../evaluation/compare.ts"

/** A run of an arm under a seed. */
export interface RunFolder {
  readonly arm: string
  readonly seed: number
  /** The run's folder, and that of its evaluation, which need not exist. */
  readonly run: string
  readonly evaluation: string
}

const refused = (problem: string) => new ConfigError({ source: "report", problems: [problem] })

/** The seed in the name of an experiment's folder of runs. */
const seedOf = (name: string): number | undefined => {
  const [, seed] = /^seed-(\d+)$/.exec(name) ?? []
  return seed === undefined ? undefined : Number(seed)
}

const isRun = (folder: string) =>
  Effect.gen(function*() {
    const known = [join(folder, runFiles.settings), join(folder, evaluationFiles.predictions)]
    if ((yield* Effect.filter(known, exists)).length > 0) return true
    return (yield* namesIn(folder)).some((name) => name.startsWith(evaluationFolder("")))
  })

/** A folder of a run, or of an evaluation, as a run. */
const runOf = Effect.fnUntraced(function*(folder: string, split: string, arm: string, seed: number) {
  const isEvaluation = yield* exists(join(folder, evaluationFiles.predictions))
  const run = isEvaluation ? dirname(resolve(folder)) : folder
  const evaluation = isEvaluation ? folder : join(folder, evaluationFolder(split))
  return { arm, seed, run, evaluation } satisfies RunFolder as RunFolder
})

/** The runs in an experiment's folder of a seed. */
const ofSeed = Effect.fnUntraced(function*(folder: string, seed: number, split: string) {
  const names = (yield* namesIn(folder)).toSorted()
  const runs = yield* Effect.filter(names, (name) => Effect.orElseSucceed(isRun(join(folder, name)), () => false))
  return yield* Effect.forEach(runs, (name) => runOf(join(folder, name), split, name, seed))
})

/** The folders of seeds in a folder: itself, or its own; none if it is no experiment's. */
const seedsIn = Effect.fnUntraced(function*(folder: string) {
  const own = seedOf(basename(resolve(folder)))
  if (own !== undefined) return [{ folder, seed: own }]
  return (yield* namesIn(folder)).flatMap((name) => {
    const seed = seedOf(name)
    return seed === undefined ? [] : [{ folder: join(folder, name), seed }]
  }).toSorted((a, b) => a.seed - b.seed)
})

const ofArgument = Effect.fnUntraced(function*(argument: string, split: string) {
  const { folders, name } = systemOf(argument)
  const runs = yield* Effect.forEach(
    folders,
    Effect.fnUntraced(function*(folder, i) {
      if (!(yield* exists(folder))) return yield* refused(`${folder}: there is no such folder`)
      if (!(yield* isRun(folder))) {
        const seeds = yield* seedsIn(folder)
        return (yield* Effect.forEach(seeds, ({ folder, seed }) => ofSeed(folder, seed, split))).flat()
      }
      const own = yield* runOf(folder, split, name, i + 1)
      return [{ ...own, seed: seedOf(basename(dirname(resolve(own.run)))) ?? own.seed }]
    })
  )
  const found = runs.flat()
  if (found.length > 0) return found
  return yield* refused(`${argument}: has no run (${runFiles.settings}), no evaluation and no seed-N of an experiment`)
})

/** The runs that arguments name, in their order; refuses two of the same arm and seed. */
export const runFolders = Effect.fn("runFolders")(function*(args: ReadonlyArray<string>, split: string) {
  const runs = (yield* Effect.forEach(args, (argument) => ofArgument(argument, split))).flat()
  const keys = runs.map(({ arm, seed }) => `${arm}, seed ${seed}`)
  const twice = keys.findIndex((key, i) => keys.indexOf(key) < i)
  if (twice < 0) return runs
  const [a, b] = [runs[keys.indexOf(keys[twice]!)]!, runs[twice]!]
  return yield* refused(`${a.run} and ${b.run} are both ${keys[twice]}; give one another name as NAME=FOLDER`)
})
