/** Program: estimates a run's parameters, FLOPs, memory, disk and time before it starts. */
import * as Effect from "effect/Effect"
import { adapterFiles, checkpointFiles, modelFiles, parts } from "../../domain/fileNames.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import { suspicions } from "../../domain/settings/contradictions.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { stepSize } from "../../domain/settings/training.ts"
import type { Traits } from "../../domain/settings/uses.ts"
import { bytesText } from "../../domain/units.ts"
import { capacity } from "../../runtime/engine/memory.ts"
import { type Footprint, Meter } from "../../runtime/engine/Meter.ts"
import { Session } from "../../runtime/engine/Session.ts"
import { FEW } from "../../runtime/engine/Weights.ts"
import { weighed } from "../../runtime/files/checkpoints.ts"
import { Checkpoints } from "../../runtime/ports/Checkpoints.ts"
import { LanguageModelLearner } from "../../runtime/ports/LanguageModel.ts"
import type { ParameterGroup } from "../../runtime/ports/Learning.ts"
import * as IndexFile from "../../runtime/retrieval/indexes/format.ts"
import { modeOf } from "../../systems/all.ts"
import { identity } from "../identity.ts"
import { learner, prepare } from "../prepare.ts"
import { parameterGroups } from "../training/course.ts"
import { unreferred } from "../training/reference.ts"
import { type Probe, probe, total } from "./probe.ts"

/** Bytes; `null` for what only a probe can tell. */
export interface Memory {
  /** Of the process before anything was loaded. */
  readonly process: number
  /** Trainable weights, double-buffered if they are few; and the optimiser's state likewise. */
  readonly weights: number
  readonly optimizer: number
  /** Gradients kept between programs: accumulated over micro-batches, or while many weights are updated in place. */
  readonly sums: number
  /** The reader's trainable weights once more, by which verdicts lag behind (`reader_lag`). */
  readonly earlier: number
  /** The vectors and the weights that encoded them; twice while an index is rebuilt next to the old one. */
  readonly index: number | null
  /** Peak of the largest program, from its shapes. */
  readonly largest: Footprint | null
  /** The reader's weights a second time, in the program that writes answers: after training, and where answers are written. */
  readonly writing: number
  /** Of writing a checkpoint. */
  readonly saving: number
  /** The total, counting the larger of the largest program and a checkpoint. */
  readonly estimated: number | null
  /** Peak resident size of this process, including the probe's steps and a checkpoint. */
  readonly measured: number | null
}

/** Bytes; `null` for what only a probe can tell. */
export interface Disk {
  readonly checkpoint: number
  /** Each model of a checkpoint, without the state needed to resume. */
  readonly models: Readonly<Record<string, number>>
  /** Maximum number of checkpoints at any time, including one being written. */
  readonly checkpoints: number
  readonly journal: number | null
  /** As written by `embed`. */
  readonly index: number | null
}

/** The estimated cost of a run. */
export interface Plan {
  readonly mode: string
  readonly provider: string
  readonly threads: number
  readonly steps: number
  /** Steps of one program run. */
  readonly stepsPerRun: number
  /** Questions per step, and per epoch. */
  readonly stepSize: number
  readonly questions: number
  readonly epochs: number
  readonly groups: ReadonlyArray<ParameterGroup>
  readonly memory: Memory
  readonly disk: Disk
  readonly probe: Probe | null
}

/** Bytes of a checkpoint's files, by path. */
type Files = ReadonlyMap<string, number>

const STATE = checkpointFiles.state
/** Where a checkpoint stores its retriever's weights: all of them, or an adapter's. */
const [RETRIEVER, READER] = parts
const ofRetriever = new Set([modelFiles.weights, adapterFiles.weights].map((name) => `${RETRIEVER}/${name}`))
const isOf = (part: string) => ([file]: readonly [string, number]): boolean => file.startsWith(`${part}/`)
const bytesOf = (files: Iterable<readonly [string, number]>): number => total(files, ([, bytes]) => bytes)

/** Whether a mode searches a vector index: its checkpoints then store the weights that encoded it. */
const searches = ({ passages, retriever }: Traits): boolean =>
  passages === "found" && (retriever === "frozen" || retriever === "trained")

/**
 * Before a step, a checkpoint lacks the weights that will encode the index, as many as the model's, and those of a reader that lags,
 * which are written in 4 bytes each.
 */
const completed = ({ config: c, files, groups, lags }: Pick<Sized, "config" | "files" | "groups" | "lags">): Files => {
  const weights = [...files].find(([file]) => ofRetriever.has(file))
  const encodes = weights && searches(modeOf(c).traits) && c.index_path === "" ? weights[1] : 0
  const earlier = lags ? 4 * total(learningOf(READER, groups), ({ parameters }) => parameters) : 0
  const more = new Map([[`${RETRIEVER}/${STATE}`, encodes], [`${READER}/${STATE}`, earlier]])
  return new Map([...files].map(([file, bytes]) => [file, bytes + (more.get(file) ?? 0)]))
}

interface Sized {
  readonly config: RunConfig
  readonly groups: ReadonlyArray<ParameterGroup>
  /** Whether verdicts come from a copy of the reader's weights. */
  readonly lags: boolean
  readonly files: Files
  readonly probed: Probe | null
  readonly largest: Footprint | undefined
  /** Size of the stored index, if one is read. */
  readonly stored: number
  /** Resident size at the start. */
  readonly process: number
}

const diskOf = ({ config: c, files, probed, stored }: Sized): Disk => {
  const own = [...new Set([...files.keys()].filter((file) => file.includes("/")).map((file) => file.split("/")[0]!))]
  const made = c.save_steps > 0 ? Math.max(1, Math.ceil(c.max_steps / c.save_steps)) : 1
  const models = own.map((part) => [
    part,
    bytesOf([...files].filter(isOf(part)).filter(([file]) => !file.endsWith(STATE)))
  ])
  return {
    checkpoint: bytesOf(files),
    models: Object.fromEntries(models),
    checkpoints: Math.min(made, c.save_total_limit + 1),
    journal: probed && probed.journal,
    index: probed && (probed.index.bytes || stored)
  }
}

/** What of a part is trained. */
const learningOf = (part: string, groups: ReadonlyArray<ParameterGroup>) =>
  groups.filter(({ model, trainable }) => trainable && model === part)

/** Bytes copied to save a part, plus its files. */
const savingOf = (part: string, groups: ReadonlyArray<ParameterGroup>, files: Files): number =>
  bytesOf([...files].filter(isOf(part)))
  + total(learningOf(part, groups), ({ bytes, stateBytes }) => bytes + stateBytes)

/** Trainable arrays with their copies, and accumulated gradients where they are stored separately. */
const learnedOf = (groups: ReadonlyArray<ParameterGroup>, accumulated: boolean) => {
  const bytes = total(groups, (group) => group.bytes)
  const overwritten = total(groups, ({ parameters }) => parameters) > FEW
  const copies = overwritten ? 1 : 2
  return {
    weights: copies * bytes,
    optimizer: copies * total(groups, ({ stateBytes }) => stateBytes),
    sums: overwritten || accumulated ? bytes : 0
  }
}

/** Whether a run's reader writes when it answers. */
const writes = (c: RunConfig): boolean =>
  modeOf(c).traits.reader !== "none" && (c.answer_by === "generation" || c.rationale_prompt !== "")

const memoryOf = ({ config, files, groups, lags, largest, probed, process: start, stored }: Sized): Memory => {
  const of = (part: string) => learningOf(part, groups)
  const learned = parts.map((part) => learnedOf(of(part), config.gradient_accumulation_steps > 1))
  const frozen = total(groups.filter(({ trainable }) => !trainable), ({ bytes }) => bytes)
  const weights = frozen + total(learned, (part) => part.weights)
  const optimizer = total(learned, (part) => part.optimizer)
  const sums = total(learned, (part) => part.sums)
  const earlier = lags ? total(of(READER), ({ bytes }) => bytes) : 0
  const ofIndex = total(of(RETRIEVER), ({ bytes }) => bytes)
  const times = probed ? Math.min(2, probed.index.times + (stored > 0 ? 1 : 0)) : 0
  const held = Math.min(config.index_in_memory * 2 ** 20, probed?.index.bytes || stored)
  const index = probed && times * (held + ofIndex)
  const saving = Math.max(...parts.map((part) => savingOf(part, groups, files)))
  const always = start + weights + optimizer + sums + earlier
  return {
    process: start,
    weights,
    optimizer,
    sums,
    earlier,
    index,
    largest: largest ?? null,
    writing: writes(config) ? total(groups.filter(({ model }) => model === READER), ({ bytes }) => bytes) : 0,
    saving,
    estimated: index === null ? null : always + index + Math.max(largest?.bytes ?? 0, saving),
    measured: probed && process.resourceUsage().maxRSS * 1024
  }
}

/** Estimates a run of these settings from a probe of `steps` steps, or of whole program runs; writes nothing. */
export const plan = Effect.fn("plan")(function*(c: RunConfig, steps: number) {
  if (steps < 0) {
    return yield* new ConfigError({ source: "--steps", problems: [`${steps} is no number of steps; give 0 or more`] })
  }
  const start = process.memoryUsage.rss()
  const { provider, threads } = yield* Session
  const prepared = unreferred(yield* prepare(c))
  const { config, epochs } = prepared
  const meter = new Meter()
  const files = new Map<string, number>()
  const weighing = weighed((file, bytes) => void files.set(file, bytes))
  const seen = Effect.gen(function*() {
    const groups = yield* parameterGroups
    const most = Math.min(Math.ceil(steps / config.steps_per_run) * config.steps_per_run, config.max_steps)
    const probed = most > 0 ? yield* probe(config, epochs, most, meter) : null
    yield* (yield* Checkpoints).save({ step: most, run: identity(config, epochs, prepared.passages.hash) })
    return { groups, lags: (yield* LanguageModelLearner).earlier !== undefined, probed }
  })
  const { groups, lags, probed } = yield* Effect.provide(
    seen,
    learner(prepared, weighing)
  ).pipe(Effect.withTracer(meter.tracer))
  const sized: Sized = {
    config,
    groups,
    lags,
    files: probed ? files : completed({ config, files, groups, lags }),
    probed,
    largest: meter.largest,
    stored: config.index_path === "" ? 0 : yield* IndexFile.size(config.index_path),
    process: start
  }
  for (const line of suspicions(config, modeOf(config).traits)) yield* Effect.logWarning(line)
  const questions = epochs(0).length
  const memory = memoryOf(sized)
  const most = capacity()
  if ((memory.estimated ?? 0) > most) {
    yield* Effect.logWarning(
      `the run would take ${bytesText(memory.estimated!)} of memory, by this estimate; there are ${bytesText(most)}`
    )
  }
  return {
    mode: config.mode,
    provider,
    threads,
    steps: config.max_steps,
    stepsPerRun: config.steps_per_run,
    stepSize: stepSize(config),
    questions,
    epochs: config.max_steps * stepSize(config) / questions,
    groups,
    memory,
    disk: diskOf(sized),
    probe: probed
  } satisfies Plan as Plan
}, Effect.scoped)
