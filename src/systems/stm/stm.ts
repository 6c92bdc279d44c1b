/**
 * Retrievers trained by contrast, of which STM (Khattab et al. 2026) makes its experts: encoders and decoders of one vector per
 * text, and late interaction. BM25 is there to be compared with, and to find hard negatives.
 */
import * as Layer from "effect/Layer"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { absent } from "../../runtime/ports/LanguageModel.ts"
import { candidatesOf } from "../../stages/contrast.ts"
import { answerOne, contrastive } from "../../stages/pipelines.ts"
import { onQuestions } from "../questions.ts"
import type { Mode, System } from "../System.ts"
import { contrastLacks, contrastOptions } from "./contrast.ts"
import * as layers from "./layers.ts"
import { type ModeName, spec, type StmConfig, traits } from "./settings.ts"

/** Bytes of a step's columns: the candidates of each question, and the ranking of questions for each positive. */
const columns = (c: StmConfig) => (questions: number): number =>
  questions * (12 * candidatesOf(contrastOptions(c)) + 4 * questions)

const modeOf = (c: StmConfig): Mode => {
  const name = c.mode as ModeName
  const learns = name === "contrastive"
  const ranks: Mode["ranks"] = learns ? layers.frozen(c) : layers.lexical
  return {
    name,
    traits: traits[name],
    trains: learns ? layers.trains(c) : layers.lexicalAlone,
    answers: Layer.mergeAll(ranks, absent),
    ranks,
    needsGold: { studied: true, judged: false },
    pairs: learns,
    lacks: (records, split) => {
      if (split !== "train") return []
      return learns
        ? contrastLacks(c)(records)
        : [`mode ${name} has nothing to train: it ranks for evaluate, bench and mine`]
    },
    candidates: 1,
    context: 0,
    columns: columns(c),
    study: () => onQuestions(contrastive(contrastOptions(c))),
    answering: (n) => answerOne({ ...c, n, c: 1, rerank: false }),
    judges: { passages: "found", reads: false, before: learns }
  }
}

/** Retrievers trained by contrast. */
export const stm: System = { spec, mode: (c: RunConfig) => modeOf(c as StmConfig) }
