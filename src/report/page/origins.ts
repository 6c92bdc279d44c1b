/** Where figures come from and what they cost: checkpoints, data, settings, time. */
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import type { Report } from "../../programs/reporting/collect.ts"
import type { ReportedRun } from "../../programs/reporting/runs.ts"
import { count, few } from "./numbers.ts"
import { number, type Table, text } from "./table.ts"

const part = (run: ReportedRun, name: string): Readonly<Record<string, unknown>> => {
  const found = run.evaluated?.source[name]
  return typeof found === "object" && found !== null ? found as Readonly<Record<string, unknown>> : {}
}

const textOf = (value: unknown): string | null =>
  typeof value === "string" || typeof value === "number" ? String(value) : null

/** The first figures of a hash, enough to tell one from another. */
const short = (hash: unknown): string => typeof hash === "string" ? hash.slice(0, 8) : "unknown"

const runsOf = ({ arms }: Report) => arms.flatMap(({ name, runs }) => runs.map((run) => ({ name, run })))

const row = ({ name, run }: ReturnType<typeof runsOf>[number]) => {
  const [models, questions, passages] = [part(run, "models"), part(run, "questions"), part(run, "passages")]
  return {
    arm: name,
    seed: run.seed,
    folder: run.run,
    checkpoint: textOf(models["checkpoint"]),
    step: typeof models["step"] === "number" ? models["step"] : null,
    checkpointSha256: textOf(models["sha256"]),
    retriever: run.config?.retriever_name_or_path ?? textOf(models["retriever"]),
    reader: run.config?.reader_name_or_path ?? textOf(models["reader"]),
    questions: textOf(questions["file"]),
    questionsSha256: textOf(questions["sha256"]),
    passages: textOf(passages["file"]),
    passagesSha256: textOf(passages["sha256"]),
    settingsSha256: textOf(run.evaluated?.source["settings"])
  }
}
type OriginRow = ReturnType<typeof row>

const base = (path: string | null): string => path?.split("/").at(-1) ?? "unknown"

const origins = (report: Report): Table => ({
  id: "origins",
  title: "What was evaluated",
  about:
    "The checkpoint of each run by the SHA-256 of its manifest, and its questions, passages and settings by theirs, of which the "
    + "first eight figures are shown.",
  rows: runsOf(report).map(row),
  columns: [
    text<OriginRow>("arm", ({ arm }) => arm),
    number<OriginRow>("seed", ({ seed }) => String(seed)),
    text<OriginRow>(
      "checkpoint",
      ({ checkpointSha256, step }) => step === null ? "none evaluated" : `step ${step} (${short(checkpointSha256)})`
    ),
    text<OriginRow>("questions", ({ questions, questionsSha256 }) => `${base(questions)} (${short(questionsSha256)})`),
    text<OriginRow>("passages", ({ passages, passagesSha256 }) => `${base(passages)} (${short(passagesSha256)})`),
    text<OriginRow>("settings", ({ settingsSha256 }) => short(settingsSha256)),
    text<OriginRow>("retriever", ({ retriever }) => retriever ?? "unknown"),
    text<OriginRow>("reader", ({ reader }) => reader ?? "unknown")
  ]
})

/** One line on the origin of every figure, to stand below it. */
export const sourceOf = (report: Report): string => {
  const rows = runsOf(report).filter(({ run }) => run.evaluated).map(row)
  if (rows.length === 0) return "Source: journals of runs that are not evaluated yet."
  const checkpoints = rows.map(({ arm, checkpointSha256, seed, step }) =>
    `${arm} seed ${seed} step ${step ?? "?"} (${short(checkpointSha256)})`
  )
  const files = new Set(rows.map(({ questions, questionsSha256 }) => `${base(questions)} (${short(questionsSha256)})`))
  const few = checkpoints.length <= 4 ? checkpoints : [...checkpoints.slice(0, 3), `and ${checkpoints.length - 3} more`]
  return `Source: split ${report.options.split} of ${[...files].slice(0, 2).join(", ")}; checkpoints ${
    few.join(", ")
  }; settings ${
    [...new Set(rows.map(({ settingsSha256 }) => short(settingsSha256)))].slice(0, 4).join(", ")
  }. More under “What was evaluated”.`
}

/** Settings that say where a run lies, not what it does. */
const places: ReadonlySet<string> = new Set(["output_dir", "seed"])

/** Settings as text, those that are the same in all runs left out. */
const settings = (report: Report): Table => {
  const known = runsOf(report).flatMap(({ name, run }) =>
    run.config ? [{ name, seed: run.seed, config: run.config }] : []
  )
  const value = (config: RunConfig, key: string) =>
    JSON.stringify((config as Readonly<Record<string, unknown>>)[key] ?? null)
  const keys = [...new Set(known.flatMap(({ config }) => Object.keys(config)))].filter((key) => !places.has(key))
  const different = keys.filter((key) => new Set(known.map(({ config }) => value(config, key))).size > 1)
  const arms = [...Map.groupBy(known, ({ name }) => name)]
  const values = (key: string, own: typeof known) =>
    [...new Set(own.map(({ config }) => value(config, key)))].join(" or ")
  const rows = different.map((key): Readonly<Record<string, string>> =>
    Object.fromEntries([["setting", key], ...arms.map(([name, own]) => [`arm ${name}`, values(key, own)])])
  )
  return {
    id: "settings",
    title: "Settings that differ",
    about: "All other settings are the same in all runs; each run's settings.json has them all.",
    rows,
    columns: [
      text<Readonly<Record<string, string>>>("setting", (own) => own["setting"]!),
      ...arms.map(([name]) => text<Readonly<Record<string, string>>>(name, (own) => own[`arm ${name}`] ?? ""))
    ]
  }
}

const cost = (report: Report): Table => {
  const rows = runsOf(report).map(({ name, run: { config, evaluated, seed, threads, trained } }) => {
    const seconds = trained?.seconds ?? null
    return {
      arm: name,
      seed,
      steps: trained?.steps ?? null,
      planned: config?.max_steps ?? null,
      seconds,
      questionsPerSecond: trained?.questionsPerSecond ?? null,
      threads: threads ?? null,
      cpuHours: seconds === null || threads === undefined ? null : seconds * threads / 3600,
      evaluationSeconds: evaluated?.seconds ?? null,
      flops: report.flops.get(name) ?? null
    }
  })
  type CostRow = typeof rows[number]
  return {
    id: "cost",
    title: "Cost",
    about: `CPU hours are training seconds times threads: an upper bound, as threads may wait. ${
      report.flops.size > 0
        ? "FLOPs are the plan's: matrix products of all planned steps and of the index."
        : "FLOPs are not known: give the output of anamnesis plan --json by --plan ARM=FILE."
    }`,
    rows,
    columns: [
      text<CostRow>("arm", ({ arm }) => arm),
      number<CostRow>("seed", ({ seed }) => String(seed)),
      number<CostRow>("steps", ({ planned, steps }) => `${count(steps)} of ${count(planned)}`),
      number<CostRow>("training seconds", ({ seconds }) => few(seconds)),
      number<CostRow>("questions/s", ({ questionsPerSecond }) => few(questionsPerSecond)),
      number<CostRow>("threads", ({ threads }) => count(threads)),
      number<CostRow>("CPU hours, at most", ({ cpuHours }) => few(cpuHours)),
      number<CostRow>("evaluation seconds", ({ evaluationSeconds }) => few(evaluationSeconds)),
      ...(report.flops.size > 0
        ? [number<CostRow>("FLOPs", ({ flops }) => flops === null ? "–" : flops.toExponential(2))]
        : [])
    ]
  }
}

/** The tables of origins and costs that have rows. */
export const originTables = (report: Report): ReadonlyArray<Table> =>
  [cost, origins, settings].map((of) => of(report)).filter(({ rows }) => rows.length > 0)
