/** Program: what written answers of finished runs say that stands in none of the passages that they were written from. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import * as Vocabulary from "../../datasets/vocabulary/vocabulary.ts"
import { sentences } from "../../domain/answers/chosenOption.ts"
import { conceptsOf, type Judgement, judgements, type Texts } from "../../domain/concepts/support.ts"
import { analysisFolder } from "../../domain/fileNames.ts"
import { withOptions } from "../../domain/records/options.ts"
import type { Split } from "../../domain/records/Records.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import type { Raw } from "../../domain/settings/RunConfig.ts"
import { makeFolder } from "../../runtime/files/disk.ts"
import { shapeOf } from "../../runtime/language/structured.ts"
import { ofOneRequest, Writer } from "../../runtime/ports/Writer.ts"
import type { Judge } from "../benchmarks/generative/outside.ts"
import type { Compared } from "../evaluation/compare.ts"
import { asking, type Fields, writeFields } from "../synthesize/forms.ts"
import { load } from "../writing/template.ts"
import { passagesOf, writtenOf } from "./answers.ts"
import { hallucinatedOf, keep } from "./hallucinated.ts"
import { open, type Opened } from "./system.ts"

/** What answers are checked by; one of both at least. */
export interface HallucinationOptions {
  readonly split: Split
  readonly vocabulary: { readonly path: string; readonly options: Vocabulary.LoadOptions } | undefined
  readonly judge: Judge | undefined
  /** Settings that win over the runs' own. */
  readonly overrides: Raw
}

interface Written extends Texts {
  readonly id: string
  readonly group: string
}

/** The written answers of a run, with the passages that its reader was given. */
const answersOf = Effect.fnUntraced(function*(run: Opened) {
  const written: Array<Written> = []
  for (const { id, options, question } of run.records) {
    const own = run.judged.get(id)!
    const text = writtenOf(own)
    if (text.trim() === "") continue
    const passages = yield* passagesOf(run, own)
    const asked = withOptions(question, options)
    written.push({ id, group: own.group, text, passages, question: asked, answers: own.answers })
  }
  return written as ReadonlyArray<Written>
})

const fields: Fields<{ readonly judgement: typeof judgements[number] }> = {
  shape: shapeOf("judgement", Schema.Struct({ judgement: Schema.Literals(judgements) })),
  labels: [{ name: "Judgement", key: "judgement", about: judgements.join(", ") }]
}
/** Greatest length of the judge's answer in tokens. */
const MOST = 256

/** The judgements of all statements of answers, in order. */
const statementsOf = Effect.fnUntraced(function*(written: ReadonlyArray<Written>) {
  const places = { question: "needed", passages: "needed", statement: "needed" } as const
  const template = yield* load(undefined, "judge-statement", places)
  const { concurrency } = yield* Writer
  const all = written.flatMap((own) =>
    sentences(own.text).filter((text) => /[\p{L}\p{N}]/u.test(text)).map((text) => ({ own, text: text.trim() }))
  )
  const judge = ({ own, text }: typeof all[number]) => {
    const passages = own.passages.map((passage, i) => `${i + 1}. ${passage}`).join("\n\n") || "(none)"
    const turns = template.turns({ question: own.question, passages, statement: text })
    return writeFields(fields, "auto")(asking(fields, "auto")({ turns, max_tokens: MOST })).pipe(
      Effect.map(({ value }): Judgement => value?.judgement ?? "unparsed"),
      Effect.catchIf((error) => ofOneRequest(error) !== undefined, () => Effect.succeed("unparsed" as Judgement))
    )
  }
  const found = yield* Effect.forEach(all, judge, { concurrency })
  const byAnswer = Map.groupBy(all.keys(), (i) => all[i]!.own)
  return written.map((own) => (byAnswer.get(own) ?? []).map((i) => ({ text: all[i]!.text, judgement: found[i]! })))
})

type Find = Parameters<typeof conceptsOf>[0]

/** Checks a run's answers. */
const checkedRun = Effect.fnUntraced(function*(run: Opened, find: Find | undefined, o: HallucinationOptions) {
  const written = yield* answersOf(run)
  const statements = o.judge && (yield* Effect.provide(statementsOf(written), o.judge.layer, { local: true }))
  const checked = written.map((own, i) => ({
    id: own.id,
    group: own.group,
    concepts: find && conceptsOf(find, own),
    statements: statements?.[i]
  }))
  const folder = join(run.folder, analysisFolder(o.split))
  return { checked, silent: run.records.length - written.length, folder, predictions: run.made.predictions }
})

/** Checks the written answers of systems, and writes what was found into their runs' folders; several seeds count together. */
export const hallucinations = Effect.fn("hallucinations")(
  function*(systems: ReadonlyArray<Compared>, o: HallucinationOptions) {
    if (o.vocabulary === undefined && o.judge === undefined) {
      const problem = "name a --vocabulary of concepts, a judge (--judge-endpoint or --judge-reader), or both"
      return yield* new ConfigError({ source: "hallucinations", problems: [problem] })
    }
    const vocabulary = o.vocabulary && (yield* Vocabulary.load(o.vocabulary.path, o.vocabulary.options))
    const all = yield* Effect.forEach(
      systems,
      Effect.fnUntraced(function*({ folders, name }) {
        const runs = yield* Effect.forEach(folders, (folder) =>
          Effect.scoped(
            Effect.flatMap(open(folder, o.split, o.overrides), (run) => checkedRun(run, vocabulary?.find, o))
          ))
        return { name, runs }
      })
    )
    const mute = all.find(({ runs }) => runs.every(({ checked }) => checked.length === 0))
    if (mute !== undefined) {
      const problem =
        `none of its ${o.split} answers is written; evaluate it with a rationale_prompt, with answer_by: generation, `
        + "or on questions without options"
      return yield* new ConfigError({ source: mute.name, problems: [problem] })
    }
    const runs = all.flatMap((own) => own.runs)
    const ids = new Set(
      runs.flatMap(({ checked }) => checked.flatMap(({ concepts = [] }) => concepts.flatMap((own) => own.concepts)))
    )
    const types = o.vocabulary ? yield* Vocabulary.typesOf(o.vocabulary.path, ids) : new Map<string, string>()
    for (const { checked, folder, predictions, silent } of runs) {
      yield* makeFolder(folder)
      yield* keep(folder, predictions, { checked, silent, types })
    }
    return all.map(({ name, runs }) => hallucinatedOf(name, runs, types))
  }
)
