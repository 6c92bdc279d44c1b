/** The texts of questions and passages that a report shows, read from the files that a run's settings name. */
import * as Effect from "effect/Effect"
import type { QuestionRecord, Split } from "../../domain/records/Records.ts"
import { splits } from "../../domain/records/Records.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { sourceOf } from "../evaluation/evaluationFiles.ts"
import { corpus, withGold } from "../prepare.ts"
import type { Evaluated } from "./runs.ts"

/** Texts by id; what is not known is told. */
export interface Texts {
  readonly questions: ReadonlyMap<string, QuestionRecord>
  readonly passages: ReadonlyMap<string, string>
  /** References of passages' pictures, of those that have one. */
  readonly images: ReadonlyMap<string, string>
  readonly told: ReadonlyArray<string>
}

type Made = { readonly sha256?: unknown; readonly file?: unknown } | undefined

const made = (evaluated: Evaluated, part: "questions" | "passages"): Made => evaluated.source[part] as Made

/** Reads the questions of an evaluation and these passages; texts that may have changed since are left out, and told. */
export const textsOf = Effect.fn("textsOf")(
  function*(c: RunConfig, evaluated: Evaluated, ids: ReadonlySet<string>) {
    const split = String(evaluated.source["split"] ?? "test")
    const data = yield* corpus(c)
    const records = yield* withGold(c, splits.find((own) => own === split) ?? "test" satisfies Split, data)
    const now = sourceOf(c, "test", records, data.passages.hash)
    const isSame = (part: "questions" | "passages") => made(evaluated, part)?.sha256 === (now[part] as Made)?.sha256
    const changed = (["questions", "passages"] as const).filter((part) => !isSame(part))
    const rows = changed.includes("passages")
      ? []
      : [...ids].map((id) => data.passages.row(id)).filter((row) => row >= 0)
    const passages = yield* data.passages.read(rows)
    return {
      questions: new Map(changed.includes("questions") ? [] : records.map((record) => [record.id, record])),
      passages: new Map(passages.map(({ id, text }) => [id, text])),
      images: new Map(passages.flatMap(({ id, image }) => image === undefined ? [] : [[id, image]])),
      told: changed.map((part) =>
        `The texts of ${part} are left out: ${
          String(made(evaluated, part)?.file)
        }, as the run's settings read it, is not what was evaluated, by its hash; --set gives other settings.`
      )
    } satisfies Texts as Texts
  },
  Effect.scoped
)
