/** Program: what runs cost side by side: hours of machines and devices, operations, and hours that others have published. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import { evaluationFiles, evaluationFolder, runFiles } from "../../domain/fileNames.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import { decodeFile, exists, namesIn } from "../../runtime/files/disk.ts"
import { Environment } from "../environment.ts"
import { type Compared, sameName } from "../evaluation/compare.ts"
import { totalOf } from "../reporting/plans.ts"
import * as Trained from "../training/trained.ts"

/** What a system's runs cost together; `null` where it is not known. */
export interface Cost {
  readonly name: string
  /** Runs that are summed: seeds, or phases one after another. 0 of published hours. */
  readonly runs: number
  /** Machines, and what on them computed: "cpu, 2 threads (Intel …)". */
  readonly devices: ReadonlyArray<string>
  readonly steps: number | null
  /** Training, as the clock has it. */
  readonly hours: number | null
  /** Hours times threads where a CPU computes: an upper bound, as threads may wait. */
  readonly cpuHours: number | null
  /** Hours where a GPU computes, one each. */
  readonly gpuHours: number | null
  /** Of all evaluations in the runs' folders. */
  readonly evaluationHours: number | null
  /** Floating-point operations of matrix products, by the systems' plans. */
  readonly flops: number | null
}

/** Costs and published hours. */
export interface CostOptions {
  /** Files of `anamnesis plan --json`, by system; their operations are those of one run. */
  readonly plans: Readonly<Record<string, string>>
  /** Hours of a device that others have published, by name. */
  readonly published: Readonly<Record<string, number>>
}

const Run = Schema.Struct({ environment: Environment })
const Metrics = Schema.Struct({ seconds: Schema.Finite })

const refused = (...problems: ReadonlyArray<string>) => new ConfigError({ source: "costs", problems })

/** Seconds of all evaluations of a run. */
const evaluations = Effect.fnUntraced(function*(folder: string) {
  const names = (yield* namesIn(folder)).filter((name) => name.startsWith(evaluationFolder("")))
  const paths = yield* Effect.filter(names.map((name) => join(folder, name, evaluationFiles.metrics)), exists)
  const all = yield* Effect.forEach(paths, (path) => decodeFile(path, Schema.decodeUnknownEffect(Metrics)))
  return all.reduce((sum, { seconds }) => sum + seconds, 0)
})

/** What is known of one run. */
const runOf = Effect.fnUntraced(function*(folder: string) {
  const path = join(folder, runFiles.run)
  if (!(yield* exists(path))) return yield* refused(`${folder}: holds no run: there is no ${runFiles.run}`)
  const { environment } = yield* decodeFile(path, Schema.decodeUnknownEffect(Run))
  const trained = yield* Trained.read(folder)
  const { cpu, provider, threads } = environment
  return {
    device: provider === "cuda" || provider === "webgpu"
      ? `${provider} (${cpu})`
      : `${provider}, ${threads} thread${threads === 1 ? "" : "s"} (${cpu})`,
    gpu: provider === "cuda" || provider === "webgpu",
    threads,
    steps: trained?.steps ?? null,
    seconds: trained?.seconds ?? null,
    evaluated: yield* evaluations(folder)
  }
})
type Known = Effect.Success<ReturnType<typeof runOf>>

/** A sum that is not known if one part is not. */
const sum = (values: ReadonlyArray<number | null>): number | null =>
  values.reduce((total, own) => total === null || own === null ? null : total + own, 0 as number | null)

const hours = (runs: ReadonlyArray<Known>, of: (run: Known) => number | null): number | null => {
  const seconds = sum(runs.map(of))
  return seconds === null ? null : seconds / 3600
}

const costOf = (name: string, runs: ReadonlyArray<Known>, each: number | undefined): Cost => {
  const on = (gpu: boolean) => runs.filter((run) => run.gpu === gpu)
  const [cpus, gpus] = [on(false), on(true)]
  return {
    name,
    runs: runs.length,
    devices: [...new Set(runs.map(({ device }) => device))],
    steps: sum(runs.map(({ steps }) => steps)),
    hours: hours(runs, ({ seconds }) => seconds),
    cpuHours: cpus.length === 0
      ? null
      : hours(cpus, ({ seconds, threads }) => seconds === null ? null : seconds * threads),
    gpuHours: gpus.length === 0 ? null : hours(gpus, ({ seconds }) => seconds),
    evaluationHours: hours(runs, ({ evaluated }) => evaluated),
    flops: each === undefined ? null : each * runs.length
  }
}

const published = (name: string, gpuHours: number): Cost => ({
  name,
  runs: 0,
  devices: ["as published"],
  steps: null,
  hours: null,
  cpuHours: null,
  gpuHours,
  evaluationHours: null,
  flops: null
})

/** The costs of systems, of which the folders of each are summed, and after them published hours. */
export const compareCosts = Effect.fn("compareCosts")(function*(systems: ReadonlyArray<Compared>, o: CostOptions) {
  const names = [...systems.map(({ name }) => name), ...Object.keys(o.published)]
  const twice = sameName(names)
  if (twice !== false) return yield* refused(twice)
  const unknown = Object.keys(o.plans).filter((name) => !systems.some((own) => own.name === name))
  if (unknown.length > 0) {
    return yield* refused(`--plan: no system is named ${unknown.join(", ")}; there are ${names.join(", ")}`)
  }
  const costs = yield* Effect.forEach(
    systems,
    Effect.fnUntraced(function*({ folders, name }) {
      const plan = o.plans[name]
      const each = plan === undefined ? undefined : yield* totalOf(plan)
      return costOf(name, yield* Effect.forEach(folders, runOf), each)
    })
  )
  return [...costs, ...Object.entries(o.published).map(([name, own]) => published(name, own))]
})
