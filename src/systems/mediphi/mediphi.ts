/**
 * Language models trained without retrieval, the steps of which MediPhi (Corbeil et al. 2025) is made: continued
 * pre-training on documents, fine-tuning on examples, and alignment to preferences (Rafailov et al. 2023).
 */
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import * as retriever from "../../runtime/retrieval/retriever.ts"
import { answerOne } from "../../stages/pipelines.ts"
import type { Mode, System, TextRows } from "../System.ts"
import * as layers from "./layers.ts"
import { pairRows, pairWords, references } from "./pairs.ts"
import { textRows, textWords } from "./rows.ts"
import { type MediphiConfig, type ModeName, spec, traits } from "./settings.ts"
import { onPreferences, onTokens } from "./study.ts"

const textsOf = (c: MediphiConfig): TextRows =>
  c.mode === "dpo"
    ? { read: pairRows(c), words: pairWords(c), refer: { layer: layers.frozen(c), judge: references } }
    : { read: textRows(c), words: textWords(c) }

/** Bytes of a step's columns: ids and marks of each token. */
const columns = (c: MediphiConfig) => (rows: number): number => rows * (c.mode === "dpo" ? 2 : 1) * 8 * c.max_length

const modeOf = (c: MediphiConfig): Mode => ({
  name: c.mode,
  traits: traits[c.mode as ModeName],
  trains: layers.trains(c),
  answers: layers.answers(c),
  ranks: retriever.absent,
  texts: textsOf(c),
  needsGold: { studied: false, judged: false },
  candidates: 0,
  context: 0,
  columns: columns(c),
  study: () => c.mode === "dpo" ? onPreferences(c) : onTokens(c),
  /** Without passages there is nothing to find, and one place for it. */
  answering: (n) => answerOne({ ...c, n: Math.max(1, n), c: 1, rerank: false }),
  judges: { passages: "found", reads: true, before: false }
})

/** Language models trained on texts, and on preferences between texts. */
export const mediphi: System = { spec, mode: (c: RunConfig) => modeOf(c as MediphiConfig) }
