/**
 * Language models trained without retrieval, the steps of which MediPhi (Corbeil et al. 2025) is made: continued
 * pre-training on documents, fine-tuning on examples, and alignment to preferences (Rafailov et al. 2023).
 */
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import * as retriever from "../../runtime/retrieval/retriever.ts"
import { answerOne } from "../../stages/pipelines.ts"
import type { HeldOut, Mode, System, TextRows } from "../System.ts"
import { pairLosses, textLosses } from "./heldOut.ts"
import * as layers from "./layers.ts"
import { pairRows, pairWords, references } from "./pairs.ts"
import { textRows, textWords } from "./rows.ts"
import { type MediphiConfig, type ModeName, spec, traits } from "./settings.ts"
import { onPreferences, onTokens } from "./study.ts"

/** The settings with the rows that are not learned in place of those that are. */
const heldOut = (c: MediphiConfig): MediphiConfig => ({ ...c, train_file: c.eval_file, train_where: c.eval_where })

/** After which updates they are judged. */
const judgesAfter = (c: MediphiConfig): HeldOut["after"] => {
  const first = (step: number) => step === 0 && c.eval_on_start
  if (c.eval_strategy === "no") return () => false
  return (step, steps, epoch) => {
    if (step === 0 || step === steps) return first(step) || step === steps
    return c.eval_strategy === "epoch" ? epoch : c.eval_steps > 0 && step % c.eval_steps === 0
  }
}

const heldOutOf = (
  c: MediphiConfig,
  read: (c: MediphiConfig) => TextRows["read"],
  judge: HeldOut["judge"]
): Pick<TextRows, "heldOut"> =>
  c.eval_file === "" || c.eval_strategy === "no"
    ? {}
    : { heldOut: { file: c.eval_file, read: read(heldOut(c)), judge, after: judgesAfter(c) } }

const textsOf = (c: MediphiConfig): TextRows =>
  c.mode === "dpo"
    ? {
      read: pairRows(c),
      words: pairWords(c),
      refer: { layer: layers.frozen(c), judge: references },
      ...heldOutOf(c, pairRows, pairLosses(c))
    }
    : { read: textRows(c), words: textWords(c), ...heldOutOf(c, textRows, textLosses(c)) }

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
