/** A plan formatted for people. */
import { stepSize } from "../domain/settings/training.ts"
import { columns, type Rows } from "../domain/textTable.ts"
import { bytesText as bytes, inUnits } from "../domain/units.ts"
import type { Memory, Plan } from "../programs/costs/plan.ts"
import { type Probe, total } from "../programs/costs/probe.ts"
import type { Valid } from "../programs/validate.ts"
import type { ParameterGroup } from "../runtime/ports/Learning.ts"
import { leaksTable } from "./leaksTable.ts"

const flop = inUnits(["FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP", "EFLOP"], 1000)
const count = (value: number): string => value.toLocaleString("en", { maximumFractionDigits: 1 })
const few = (value: number): string => value < 10 ? value.toPrecision(2) : count(value)
const duration = (seconds: number): string => {
  if (seconds < 1) return `${(1000 * seconds).toPrecision(3)} ms`
  if (seconds < 120) return `${seconds.toPrecision(3)} s`
  return seconds < 7200 ? `${(seconds / 60).toPrecision(3)} minutes` : `${(seconds / 3600).toPrecision(3)} hours`
}

const parameters = (groups: ReadonlyArray<ParameterGroup>): string => {
  const row = (name: string, own: ReadonlyArray<ParameterGroup>) => [
    name,
    count(total(own, (g) => g.parameters)),
    count(total(own, (g) => g.trainable ? g.parameters : 0)),
    bytes(total(own, (g) => g.bytes)),
    bytes(total(own, (g) => g.stateBytes))
  ]
  const models = [...Map.groupBy(groups, ({ model }) => model)].flatMap(([model, own]) =>
    [row(model, own)].concat(own.map((group) => row(`  ${group.name}`, [group])))
  )
  return columns([["parameters", "all", "trainable", "weights", "optimiser"], ...models])
}

/** The purpose of each kind of program. */
const purposes: Readonly<Record<string, string>> = {
  "retriever.encode": "embed the query",
  "retriever.search": "search",
  "retriever.score": "embed and score its passages",
  "reader.score": "read its passages",
  "retriever.learn": "retriever's update",
  "reader.learn": "reader's update"
}

const work = ({ steps, work }: Probe, stepSize: number): string => {
  const row = (name: string, own: Probe["work"]) => [
    name,
    flop(total(own, ({ flops }) => flops)),
    duration(total(own, ({ seconds }) => seconds))
  ]
  return columns([
    [`work a question (of ${steps * stepSize})`, "products", "time"],
    ...work.map((one) => row(purposes[one.program] ?? one.program, [one])),
    row("all", work)
  ])
}

const index = ({ index: { bytes: size, flops, seconds, times } }: Probe): string => {
  const made = `made ${times} ${times === 1 ? "time" : "times"}`
  return `index: ${bytes(size)}, ${flop(flops)} and ${duration(seconds)} to make, ${made} (${flop(times * flops)})`
}

const maybe = (name: string, value: number | null): Rows => value ? [[`  ${name}`, bytes(value)]] : []

const memory = (m: Memory): string =>
  columns([
    ["memory", ""],
    ...maybe("process", m.process),
    ...maybe("weights", m.weights),
    ...maybe("optimiser", m.optimizer),
    ...maybe("accumulated gradients", m.sums),
    ...maybe("reader's weights of some steps ago (reader_lag)", m.earlier),
    ...maybe("index", m.index),
    ...maybe(`largest program (${m.largest?.program})`, m.largest && m.largest.bytes),
    ...maybe("making a checkpoint", m.saving),
    ...maybe("reader's weights again, while it writes answers (not of training)", m.writing),
    ...maybe("peak, by these shapes (an estimate)", m.estimated),
    ...maybe("peak of the probe, measured", m.measured)
  ])

const disk = ({ checkpoint, checkpoints, index, journal, models }: Plan["disk"]): string =>
  columns([
    ["disk", ""],
    [`  checkpoints, ${checkpoints} of ${bytes(checkpoint)}`, bytes(checkpoints * checkpoint)],
    ...maybe("journal", journal),
    ...maybe("index, by embed", index),
    ...Object.entries(models).map(([part, size]) => [`  ${part} in a checkpoint, to be used`, bytes(size)])
  ])

const run = ({ compileSeconds, index, runSeconds, stepSeconds, timed, work }: Probe, p: Plan): string => {
  const products = p.steps * p.stepSize * total(work, ({ flops }) => flops) + index.times * index.flops
  const step = `${count(p.steps)} steps of ${duration(stepSeconds)} each (mean of ${timed})`
  const rest = `${duration(compileSeconds)} of compiling; without writing checkpoints`
  return `run: ${flop(products)} and ${duration(runSeconds)}: ${step} and ${rest}`
}

/** The result of `validate`, formatted for people. */
export const validTable = ({ groups, leaks = {}, passages, questions, settings, texts }: Valid): string =>
  [
    `a run of mode ${settings.mode} can start: ${count(settings.max_steps)} steps of ${stepSize(settings)} ${
      texts ? "rows" : "questions"
    }`,
    columns([
      ...(texts ? Object.entries(texts).map(([what, own]) => [what, count(own)]) : [["passages", count(passages)]]),
      ...Object.entries(questions).map(([split, own]) => [`${split} questions`, count(own)])
    ]),
    parameters(groups),
    ...Object.entries(leaks).map(([split, own]) => leaksTable(split, own))
  ].join("\n\n")

/** The estimated cost of a run, as printed by `plan`. */
export const planTable = (p: Plan): string =>
  [
    `${p.mode} on ${p.provider}, ${p.threads} ${p.threads === 1 ? "thread" : "threads"}: ${count(p.steps)} steps of `
    + `${p.stepSize} questions${p.stepsPerRun > 1 ? ` (${p.stepsPerRun} steps in a program)` : ""}, ${
      few(p.epochs)
    } epochs of ${count(p.questions)}`,
    parameters(p.groups),
    ...(p.probe ? [work(p.probe, p.stepSize)] : []),
    ...(p.probe && p.probe.index.times > 0 ? [index(p.probe)] : []),
    memory(p.memory),
    disk(p.disk),
    ...(p.probe ? [run(p.probe, p)] : [])
  ].join("\n\n")
