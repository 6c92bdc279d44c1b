/** Prepares a run: loads its data, and provides the layers of its mode. */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import type { Epochs, RowEpochs } from "../datasets/batches.ts"
import * as Dataset from "../datasets/dataset.ts"
import { idRows } from "../datasets/idRows.ts"
import { pairs } from "../datasets/pairs.ts"
import { formOf } from "../datasets/rowForm.ts"
import { heldOut, spread, withRandomOptions } from "../datasets/splits.ts"
import type { TokenRecord } from "../domain/examples/tokens.ts"
import type { QuestionRecord, Split } from "../domain/records/Records.ts"
import { ConfigError } from "../domain/settings/configure.ts"
import { stepsOf } from "../domain/settings/contradictions.ts"
import { data } from "../domain/settings/data.ts"
import type { RunConfig } from "../domain/settings/RunConfig.ts"
import { aboutOf } from "../domain/settings/setting.ts"
import { layer as onDisk } from "../runtime/files/checkpoints.ts"
import type { Checkpoints } from "../runtime/ports/Checkpoints.ts"
import * as Port from "../runtime/ports/Corpus.ts"
import { modeOf } from "../systems/all.ts"
import { beyondMemory } from "./costs/limits.ts"
import { lacking } from "./lacking.ts"
import { withModels } from "./models.ts"
import { around } from "./pictures.ts"
import { fitting, skippedOf, tellEncoded, tellPassages } from "./preflight.ts"
import { tell, told } from "./telling.ts"
import { textsOf } from "./training/texts.ts"

export { type Split, splits } from "../domain/records/Records.ts"

/** How the passages of a run are read. */
const ofPassages = (c: RunConfig) => ({
  where: c.passages_where,
  skipBad: c.skip_bad_lines,
  pictures: modeOf(c).traits.pictures ?? false
})

const reads = (c: RunConfig) => ({
  skipBad: c.skip_bad_lines,
  group: c.group_field,
  gold: c.gold_field,
  type: c.type_field,
  pictures: modeOf(c).traits.pictures ?? false
})

/** The questions of a file that is not a split; any use is allowed. */
export const questionsIn = Effect.fn("questionsIn")(function*(path: string, c: RunConfig) {
  return (yield* told(path, Dataset.questions(path, reads(c)))).records
})

const isShared = (c: RunConfig, split: Split): boolean => c.test_file === "" && c.holdout > 0 && split !== "validation"

/** The file of a split, or the file it is held out from; "" if neither is given. */
export const fileOf = (c: RunConfig, split: Split): string => c[`${isShared(c, split) ? "train" : split}_file`]

/** The questions of a split's file, or of the held-out part of the train file. */
const recordsOf = Effect.fnUntraced(function*(c: RunConfig, split: Split) {
  const shared = isShared(c, split)
  const source = shared ? "train" : split
  const path = fileOf(c, split)
  if (path === "") {
    return yield* new ConfigError({ source: `mode ${c.mode}`, problems: [`${source}_file is not given`] })
  }
  const { records } = yield* told(
    path,
    Dataset.questions(path, { ...reads(c), where: c[`${source}_where`], split: source })
  )
  return shared ? heldOut(records, c.holdout, c.seed, split === "test") : records
})

/** As many questions of a test or validation split as are to be asked. */
const sampled = Effect.fnUntraced(function*(c: RunConfig, split: Split, records: ReadonlyArray<QuestionRecord>) {
  if (split === "train" || c.max_eval_samples === 0 || records.length <= c.max_eval_samples) return records
  yield* tell(fileOf(c, split), [
    `${c.max_eval_samples} of ${records.length} ${split} questions are asked (max_eval_samples)`
  ])
  return spread(records, c.max_eval_samples)
})

/** The questions of a split, with options as configured. */
export const questions = Effect.fn("questions")(function*(c: RunConfig, split: Split) {
  const records = yield* recordsOf(c, split)
  if (c.group_field !== aboutOf(data.group_field).default && records.every(({ group, id }) => group === id)) {
    yield* tell(fileOf(c, split), [`no question has a ${c.group_field} (group_field): each is a group of its own`])
  }
  if (c.type_field !== aboutOf(data.type_field).default && records.every(({ type }) => type === "")) {
    yield* tell(fileOf(c, split), [`no question has a ${c.type_field} (type_field): nothing is reported by type`])
  }
  return yield* sampled(c, split, c.distractors === "random" ? withRandomOptions(records, c.seed) : records)
})

/** The passages of the configured file. */
export const passages = Effect.fn("passages")(function*(c: RunConfig) {
  return (yield* told(c.passages_file, Dataset.passages(c.passages_file, ofPassages(c)))).records
})

/** The passages of a run. */
export interface Corpus {
  readonly passages: Port.Corpus["Service"]
  /** Ids of passages without text, which are left out. */
  readonly empty: ReadonlySet<string>
}

/** The corpus of a run, readable until the scope ends: the file's, or one that the mode generates from it. */
export const corpus = Effect.fn("corpus")(function*(c: RunConfig) {
  if (c.passages_file === "" && modeOf(c).texts) {
    return { empty: new Set<string>(), passages: Dataset.fromRecords([]) } satisfies Corpus as Corpus
  }
  if (c.passages_file === "") {
    return yield* new ConfigError({ source: `mode ${c.mode}`, problems: ["passages_file is not given"] })
  }
  const options = { ...ofPassages(c), memory: c.corpus_in_memory * 2 ** 20 }
  const { corpus, empty } = yield* told(c.passages_file, Dataset.corpus(c.passages_file, options))
  const { corpus: made } = modeOf(c)
  const passages = made ? Dataset.fromRecords(made(yield* Stream.runCollect(corpus.all))) : corpus
  return { empty, passages } satisfies Corpus as Corpus
})

/** Removes gold passages without text from the questions: they can be neither retrieved nor read. */
const withText = Effect.fnUntraced(function*(
  path: string,
  records: ReadonlyArray<QuestionRecord>,
  empty: ReadonlySet<string>
) {
  const bare = records.filter((q) => q.gold.some((id) => empty.has(id)))
  if (bare.length === 0) return records
  const reason = `${bare.length} questions name passages without text as gold, which are left out (first: ${
    bare[0]!.id
  })`
  yield* tell(path, [reason])
  return records.map((q) => ({ ...q, gold: q.gold.filter((id) => !empty.has(id)) }))
})

/** Whether a run has nothing to train on, since it takes no step. */
const isIdle = (c: RunConfig): boolean => c.max_steps === 0 && c.train_file === ""

/** What a run trains on: its file's questions, or questions generated from the corpus. */
const epochsOf = Effect.fnUntraced(function*(c: RunConfig, { empty, passages }: Corpus) {
  const { questions: made } = modeOf(c)
  if (made) return made(yield* Stream.runCollect(passages.all))
  if (isIdle(c)) return (() => []) as Epochs
  const records = yield* withText(fileOf(c, "train"), yield* questions(c, "train"), empty)
  return (() => records) as Epochs
})

/** Rows for contrastive training, and their corpus. */
const rowsOf = Effect.fnUntraced(function*(c: RunConfig, form: "texts" | "ids") {
  const options = { where: c.train_where, skipBad: c.skip_bad_lines }
  if (form === "ids") {
    const data = yield* corpus(c)
    const { records } = yield* told(c.train_file, idRows(c.train_file, c.queries_file, data.passages, options))
    return { data, records }
  }
  const known = c.passages_file === "" ? [] : yield* passages(c)
  const { passages: more, records } = yield* told(c.train_file, pairs(c.train_file, known, options))
  const data: Corpus = { empty: new Set<string>(), passages: Dataset.fromRecords([...known, ...more]) }
  return { data, records }
})

/** Rows of texts or ids with their corpus; `undefined` if the mode takes none, or if the file has questions. */
const paired = Effect.fnUntraced(function*(c: RunConfig) {
  if (!modeOf(c).pairs || c.train_file === "") return undefined
  const form = yield* formOf(c.train_file)
  if (form === undefined) return undefined
  const { data, records } = yield* rowsOf(c, form)
  const kept = isShared(c, "train") ? heldOut(records, c.holdout, c.seed, false) : records
  return { data, epochs: (() => kept) as Epochs }
})

/** The questions of a split where there are no passages: nothing is ranked, and gold ones are not judged. */
const withoutPassages = Effect.fnUntraced(function*(c: RunConfig, split: Split) {
  const records = yield* questions(c, split)
  const named = records.filter(({ gold }) => gold.length > 0).length
  if (named > 0) yield* tell(fileOf(c, split), [`gold passages of ${named} questions are not judged: no passages_file`])
  return records.map((q): QuestionRecord => Object.assign({}, q, { gold: [], negatives: [] }))
})

/** The questions of a split, with those of their gold passages that have a text; nothing else is checked. */
export const withGold = Effect.fn("withGold")(function*(c: RunConfig, split: Split, { empty }: Corpus) {
  if (c.passages_file === "" && modeOf(c).texts) return yield* withoutPassages(c, split)
  return yield* withText(fileOf(c, split), yield* questions(c, split), empty)
})

/** The questions of a split, for evaluation; fails if there are none, or if they cannot be evaluated. */
export const judged = Effect.fn("judged")(function*(c: RunConfig, split: Split, data: Corpus) {
  const records = yield* withGold(c, split, data)
  const problems = lacking(c, split, fileOf(c, split), data.passages, records)
  if (problems.length > 0) return yield* new ConfigError({ source: `${split} questions`, problems })
  return records
})

/** Conflicts between settings and data. */
const conflicts = (c: RunConfig, corpus: Port.Corpus["Service"], records: ReadonlyArray<QuestionRecord>) => [
  ...[
    modeOf(c).candidates > corpus.size
      ? `n_candidates (${modeOf(c).candidates}) exceeds the number of passages (${corpus.size})`
      : beyondMemory(c)
  ].filter((problem) => problem !== false),
  ...(modeOf(c).traits.questions === "made" || isIdle(c)
    ? []
    : lacking(c, "train", fileOf(c, "train"), corpus, records)),
  ...(c.rationale_target !== "" && !isIdle(c) && records.every(({ explanation }) => explanation === undefined)
    ? [`rationale_target: no question has an explanation to learn (explanation, exp, rationale, long_answer)`]
    : [])
]

/** Tells how many questions have no explanation, if explanations are learned. */
const tellUnexplained = (c: RunConfig, records: ReadonlyArray<QuestionRecord>) => {
  const bare = records.filter(({ explanation }) => explanation === undefined)
  if (c.rationale_target === "" || bare.length === 0) return Effect.void
  const line =
    `${bare.length} of ${records.length} questions have no explanation, and teach their answers alone (first: ${
      bare[0]!.id
    })`
  return tell(c.train_file, [line])
}

/** A run that is ready to start. */
export interface Prepared extends Corpus {
  /** The settings, with the number of steps and the commits of models filled in. */
  readonly config: RunConfig
  readonly epochs: RowEpochs
  /** The file whose rows have their passages as texts, and are not read as questions; `undefined` if none has. */
  readonly rows?: string | undefined
  /** What was counted of rows that are texts: "tokens", "rows". */
  readonly counts?: Readonly<Record<string, number>>
  /** Rows that are judged while the model is trained; `undefined` if there are none. */
  readonly heldOut?: ReadonlyArray<TokenRecord> | undefined
}

/** Has the models of a training run at hand, loads its data until the scope ends, and refuses runs that cannot work. */
export const prepare = Effect.fn("prepare")(function*(given: RunConfig) {
  const c = yield* withModels(given)
  const { texts } = modeOf(c)
  if (texts) return (yield* textsOf(c, texts)) satisfies Prepared as Prepared
  const rows = yield* paired(c)
  const data = rows?.data ?? (yield* corpus(c))
  const epochs = rows?.epochs ?? (yield* epochsOf(c, data))
  const problems = conflicts(c, data.passages, epochs(0))
  if (problems.length > 0) return yield* new ConfigError({ source: `mode ${c.mode}`, problems })
  yield* tellUnexplained(c, epochs(0))
  yield* tellPassages(c, data.passages)
  const { long, records: fit } = yield* fitting(c, c.train_file || `mode ${c.mode}`, "learn", epochs(0))
  const left = skippedOf(c, long)
  const { arranged } = modeOf(c)
  const kept: RowEpochs = arranged
    ? (epoch) => arranged(fit, epoch)
    : left.size === 0
    ? epochs
    : (epoch) => epochs(epoch).filter(({ id }) => !left.has(id))
  const steps = stepsOf(c, arranged ? kept(0).length : fit.length)
  if (typeof steps === "string") return yield* new ConfigError({ source: `mode ${c.mode}`, problems: [steps] })
  return {
    ...data,
    config: { ...c, max_steps: steps },
    rows: rows && c.train_file,
    epochs: kept
  } satisfies Prepared as Prepared
})

/** All services for training, except the provider and the file system. */
export const learner = (
  { config, passages }: Pick<Prepared, "config" | "passages">,
  checkpoints: Layer.Layer<Checkpoints, never, FileSystem.FileSystem> = onDisk(config)
) => modeOf(config).trains.pipe(Layer.provideMerge(Layer.merge(checkpoints, around(config, passages))))

/** All services for inference over a corpus, except the provider and the file system. */
export const answering = (config: RunConfig, passages: Port.Corpus["Service"]) =>
  modeOf(config).answers.pipe(Layer.provideMerge(around(config, passages)))

/** The services for building an index, until the scope ends. */
export const indexing = Effect.fn("indexing")(function*(config: RunConfig) {
  const { passages } = yield* corpus(config)
  yield* tellEncoded(config, passages)
  return Layer.succeed(Port.Corpus, passages)
})

/** All services for inference, until the scope ends, except the provider and the file system. */
export const inference = Effect.fn("inference")(function*(config: RunConfig) {
  const { passages } = yield* corpus(config)
  yield* tellPassages(config, passages)
  return answering(config, passages)
})
