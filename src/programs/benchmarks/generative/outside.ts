/** Figures of answers by an encoder, a vocabulary of concepts, or a judge. */
import * as Effect from "effect/Effect"
import { basename, dirname, isAbsolute, join } from "node:path"
import { load } from "../../../datasets/vocabulary/vocabulary.ts"
import type { GenerativeTask } from "../../../domain/benchmarks/generativeTask.ts"
import type { Figures } from "../../../domain/benchmarks/metrics.ts"
import type { ByConcepts, ByEncoder, ByJudge, Outside } from "../../../domain/benchmarks/outside.ts"
import { conceptF } from "../../../domain/concepts/conceptF.ts"
import { ConfigError } from "../../../domain/settings/configure.ts"
import { baselineOf, rescaled } from "../../../domain/textMetrics/bertScore.ts"
import { exists, FileError, hashFile, readText } from "../../../runtime/files/disk.ts"
import * as Local from "../../../runtime/language/local.ts"
import * as BertScore from "../../../runtime/retrieval/bertScore.ts"
import type { WriterLayer } from "../../writing/writers.ts"
import type { Sample } from "./figures.ts"
import { judgedBy, promptOf } from "./judging.ts"

/** A judge, and what its answers depend on. */
export interface Judge {
  readonly layer: WriterLayer
  readonly identity: Readonly<Record<string, unknown>>
}

/** Where files lie, and who judges. */
export interface OutsideOptions {
  readonly task: string
  /** The folder that paths are relative to. */
  readonly data: string
  readonly judge: Judge | undefined
}

const at = (data: string, path: string): string => isAbsolute(path) ? path : join(data, path)
/** A model's folder, or its id of the Hub. */
const modelAt = Effect.fnUntraced(function*(data: string, model: string) {
  const path = at(data, model)
  return (yield* exists(path)) ? path : model
})

const tell = (task: string, lines: ReadonlyArray<string | false>) =>
  Effect.forEach(lines, (line) => line === false ? Effect.void : Effect.logWarning(`${task}: ${line}`), {
    discard: true
  })

const best = <A>(all: ReadonlyArray<A>, of: (item: A) => number): A => all.reduce((a, b) => of(b) > of(a) ? b : a)

const byEncoder = Effect.fnUntraced(
  function*(o: ByEncoder, samples: ReadonlyArray<Sample>, { data, task }: OutsideOptions) {
    const model = yield* modelAt(data, o.model)
    const { layers, most, score } = yield* BertScore.make({ model, layers: o.layers, idf: o.idf })
    const path = o.baseline === undefined ? undefined : at(data, o.baseline)
    const baseline = path === undefined ? undefined : baselineOf(yield* readText(path), layers)
    if (path !== undefined && baseline === undefined) {
      return yield* new FileError({ path, place: "", reason: `has no row LAYER,P,R,F of layer ${layers}` })
    }
    const { cut, scores } = yield* score(
      samples.map(({ asked, filtered: [answer] }) => ({ text: answer ?? "", references: asked.references }))
    )
    yield* tell(task, [cut > 0 && `bertscore: ${cut} texts exceed ${most} tokens, and their ends are cut`])
    return scores.map((own): Figures => {
      const { f1, precision, recall } = baseline === undefined ? own : rescaled(own, baseline)
      return { bertscore_precision: precision, bertscore_recall: recall, bertscore_f1: f1 }
    })
  },
  Effect.scoped
)

const byConcepts = Effect.fnUntraced(
  function*(o: ByConcepts, samples: ReadonlyArray<Sample>, { data, task }: OutsideOptions) {
    const { find } = yield* load(at(data, o.vocabulary), o)
    const scores = samples.map(({ asked, filtered: [answer] }) => {
      const given = find(answer ?? "")
      return best(asked.references.map((own) => conceptF(given, find(own))), ({ f }) => f)
    })
    const mute = scores.filter(({ reference }) => reference === 0).length
    const several = scores.reduce((sum, { ambiguous }) => sum + ambiguous, 0)
    yield* tell(task, [
      mute > 0 &&
      `concept_f1: ${mute} of ${scores.length} references have no concept of the vocabulary, which counts as 0`,
      several > 0 && `concept_f1: ${several} names stand for several concepts, and are right if one of them is`
    ])
    return scores.map(({ f, precision, recall }): Figures => ({
      concept_precision: precision,
      concept_recall: recall,
      concept_f1: f
    }))
  }
)

const byJudge = Effect.fnUntraced(
  function*(o: ByJudge, samples: ReadonlyArray<Sample>, { judge, task }: OutsideOptions) {
    if (judge === undefined) {
      const problem = "has a metric by a judge; name one: --judge-endpoint with --judge-model, or --judge-reader"
      return yield* new ConfigError({ source: `task ${task}`, problems: [problem] })
    }
    const figures = yield* Effect.provide(judgedBy(o, samples), judge.layer, { local: true })
    const lost = figures.filter((own) => Object.values(own).includes(null)).length
    yield* tell(task, [
      lost > 0 && `the judge gave no score to ${lost} of ${samples.length} answers, which do not count`
    ])
    return figures
  }
)

const figuresBy = (o: Outside, samples: ReadonlyArray<Sample>, options: OutsideOptions) => {
  switch (o._tag) {
    case "BertScore":
      return byEncoder(o, samples, options)
    case "Concepts":
      return byConcepts(o, samples, options)
    case "Judge":
      return byJudge(o, samples, options)
  }
}

/** Adds to samples the figures of metrics that need something outside; each filter's by itself. */
export const withOutside = Effect.fnUntraced(
  function*(task: GenerativeTask, samples: ReadonlyArray<Sample>, options: OutsideOptions) {
    let all = samples
    for (const { outside } of task.metrics) {
      if (outside === undefined) continue
      const figures = yield* figuresBy(outside, all, options)
      all = all.map((own, i) => ({ ...own, figures: { ...own.figures, ...figures[i] } }))
    }
    return all
  }
)

const vocabularyFiles = Effect.fnUntraced(function*(o: ByConcepts, data: string) {
  const path = at(data, o.vocabulary)
  const types = join(dirname(path), basename(path).replace("MRCONSO", "MRSTY"))
  return types !== path && (yield* exists(types)) ? [path, types] : [path]
})

/** What figures depend on beside the task: hashes of files, of an encoder, of a judge's prompt. */
export const outsideIdentity = Effect.fnUntraced(function*(task: GenerativeTask, { data, judge }: OutsideOptions) {
  const of = Effect.fnUntraced(function*(o: Outside) {
    switch (o._tag) {
      case "BertScore":
        return [
          yield* Local.identityOf(yield* modelAt(data, o.model)),
          o.baseline === undefined ? "" : yield* hashFile(at(data, o.baseline))
        ]
      case "Concepts":
        return yield* Effect.forEach(yield* vocabularyFiles(o, data), hashFile)
      case "Judge":
        return [(yield* promptOf(o)).sha256, judge?.identity ?? "none"]
    }
  })
  const needed = task.metrics.flatMap(({ outside }) => outside === undefined ? [] : [outside])
  return yield* Effect.forEach(needed, of)
})
