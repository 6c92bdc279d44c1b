/** Program: what written answers of finished runs say that stands in none of the passages that they were written from. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import * as Vocabulary from "../../datasets/vocabulary/vocabulary.ts"
import { sentences } from "../../domain/answers/chosenOption.ts"
import {
  type Checked,
  conceptsOf,
  type Judgement,
  judgements,
  type SupportFigures,
  supportFigures,
  type Texts
} from "../../domain/concepts/support.ts"
import { analysisFiles, analysisFolder } from "../../domain/fileNames.ts"
import { withOptions } from "../../domain/records/options.ts"
import type { Split } from "../../domain/records/Records.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import type { Raw } from "../../domain/settings/RunConfig.ts"
import { makeFolder, replace } from "../../runtime/files/disk.ts"
import { shapeOf } from "../../runtime/language/structured.ts"
import { ofOneRequest, Writer } from "../../runtime/ports/Writer.ts"
import type { Judge } from "../benchmarks/generative/outside.ts"
import type { Compared } from "../evaluation/compare.ts"
import { asking, type Fields, writeFields } from "../synthesize/forms.ts"
import { load } from "../writing/template.ts"
import { passagesOf, writtenOf } from "./answers.ts"
import { open, type Opened } from "./system.ts"

/** What answers are checked by; one of both at least. */
export interface HallucinationOptions {
  readonly split: Split
  readonly vocabulary: { readonly path: string; readonly options: Vocabulary.LoadOptions } | undefined
  readonly judge: Judge | undefined
  /** Settings that win over the runs' own. */
  readonly overrides: Raw
}

/** A system with figures of its written answers. */
export interface Hallucinated extends SupportFigures {
  readonly name: string
  /** Questions without a written answer: an option alone says nothing of its reasons. */
  readonly silent: number
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

/** Checks a run's answers, and writes what was found of each beside its other analyses. */
const checkedRun = Effect.fnUntraced(function*(run: Opened, find: Find | undefined, o: HallucinationOptions) {
  const written = yield* answersOf(run)
  const statements = o.judge && (yield* Effect.provide(statementsOf(written), o.judge.layer, { local: true }))
  const checked = written.map((own, i): Checked & { readonly id: string } => ({
    id: own.id,
    group: own.group,
    concepts: find && conceptsOf(find, own),
    statements: statements?.[i]
  }))
  const folder = join(run.folder, analysisFolder(o.split))
  yield* makeFolder(folder)
  const lines = checked.map((own) => `${JSON.stringify(own)}\n`).join("")
  yield* replace(join(folder, analysisFiles.hallucinations), new TextEncoder().encode(lines))
  return { checked, silent: run.records.length - written.length }
})

/** Checks the written answers of systems; those of several seeds count together. */
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
        return {
          name,
          checked: runs.flatMap(({ checked }) => checked),
          silent: runs.reduce((sum, { silent }) => sum + silent, 0)
        }
      })
    )
    const mute = all.find(({ checked }) => checked.length === 0)
    if (mute !== undefined) {
      const problem =
        `none of its ${o.split} answers is written; evaluate it with a rationale_prompt, with answer_by: generation, `
        + "or on questions without options"
      return yield* new ConfigError({ source: mute.name, problems: [problem] })
    }
    const ids = new Set(
      all.flatMap(({ checked }) => checked.flatMap(({ concepts = [] }) => concepts.flatMap((own) => own.concepts)))
    )
    const types = o.vocabulary ? yield* Vocabulary.typesOf(o.vocabulary.path, ids) : new Map<string, string>()
    return all.map(({ checked, name, silent }): Hallucinated =>
      Object.assign({ name, silent }, supportFigures(checked, (concept) => types.get(concept)))
    )
  }
)
