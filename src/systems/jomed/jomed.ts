/**
 * JOMED (Mazor & Hope 2025): a multimodal retriever with a head for pictures and one for captions, each of which learns from what a
 * frozen reader answers given each passage alone, after the reader has learned on retrieved pairs.
 */
import * as Key from "../../domain/Key.ts"
import { balanced } from "../../domain/records/balanced.ts"
import { MOST_OPTIONS } from "../../domain/records/options.ts"
import type { QuestionRecord, Split } from "../../domain/records/Records.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { answeredByHeads } from "../../stages/heads.ts"
import { answerOne } from "../../stages/pipelines.ts"
import { VerdictCache } from "../../stages/verdicts.ts"
import { answerOptions, onQuestions } from "../questions.ts"
import type { Answering, Mode, System } from "../System.ts"
import * as layers from "./layers.ts"
import { type JomedConfig, type ModeName, spec, traits } from "./settings.ts"
import { headsOptions, pairs, verdicts } from "./study.ts"

/** Bytes of a step's columns: candidates with their scores, draws, verdicts and targets. */
const columns = (c: JomedConfig) => (questions: number): number =>
  questions * (8 * c.n_candidates + c.retriever_n_context * (8 + 4 * MOST_OPTIONS))

/** What is wrong with the questions of a split. */
const lacks = (c: JomedConfig) => (records: ReadonlyArray<QuestionRecord>, split: Split): ReadonlyArray<string> => {
  const open = records.filter(({ options }) => options.length === 0)
  const learns = split === "train"
  const unseen = records.filter(({ image }) => image === undefined)
  const kinds = new Set(records.map(({ options }) => JSON.stringify(options)))
  return [
    unseen.length > 0 && `${unseen.length} questions have no picture to ask with (first: ${unseen[0]!.id})`,
    learns && c.class_balanced && (kinds.size > 1 || open.length > 0)
    && "class_balanced takes questions that all have the same options; set class_balanced: false",
    learns && c.utility === "label" && open.length > 0
    && `${open.length} questions have no options that a passage could name (first: ${open[0]!.id}); set another utility`
  ].filter((problem) => problem !== false)
}

/** From questions to answers. */
const answering = (c: JomedConfig, n: number): Answering => {
  const options = answerOptions(c)
  const heads = headsOptions(c)
  if (!c.fused_eval) {
    return answerOne({ n, c: heads.heads * heads.k, rerank: false, exclude: heads.exclude, ...options })
  }
  return answeredByHeads(
    { ...heads, ...options, fusion: c.fusion, options: MOST_OPTIONS },
    new VerdictCache()
  ) as unknown as Answering
}

const modeOf = (c: JomedConfig): Mode => {
  const name = c.mode as ModeName
  const learnsHead = name === "jomed_retriever"
  return {
    name,
    traits: traits[name],
    trains: learnsHead ? layers.headLearns(c) : layers.readerLearns(c),
    answers: layers.inference(c),
    ranks: layers.ranking(c),
    embeds: (stores) => layers.ranking(c, stores),
    encoder: layers.encoder(c),
    needsGold: { studied: false, judged: false },
    lacks: lacks(c),
    ...(c.class_balanced
      ? { arranged: (records, epoch) => balanced(records, Key.fold(Key.make(c.seed), "epoch", epoch)) }
      : {}),
    candidates: learnsHead ? c.n_candidates : c.n_context,
    context: c.heads.length * c.n_context,
    columns: columns(c),
    study: () => onQuestions(learnsHead ? verdicts(c) : pairs(c)),
    answering: (n) => answering(c, n),
    judges: { passages: "found", reads: true, before: learnsHead }
  }
}

/** JOMED (Mazor & Hope 2025). */
export const jomed: System = { spec, mode: (c: RunConfig) => modeOf(c as JomedConfig) }
