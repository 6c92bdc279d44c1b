/**
 * JMLR (Wang et al. 2024): trains a retriever and a reader together; the reader's likelihood of the answer given each
 * passage ranks the passages. Includes the baselines it is compared with, and warm-ups of both models.
 */
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { answerGold, answerOne } from "../../stages/pipelines.ts"
import { onQuestions } from "../questions.ts"
import type { Mode, System } from "../System.ts"
import * as layers from "./layers.ts"
import { type JmlrConfig, type ModeName, spec, traits } from "./settings.ts"
import { answerOptions, studies } from "./study.ts"
import { cloze, lexical, scrambled } from "./warmUps.ts"

/** Properties of a mode that do not follow from its traits. */
interface Particulars {
  readonly trains: (c: JmlrConfig) => Mode["trains"]
  readonly answers: (c: JmlrConfig) => Mode["answers"]
  readonly corpus?: (c: JmlrConfig) => NonNullable<Mode["corpus"]>
  readonly questions?: (c: JmlrConfig) => NonNullable<Mode["questions"]>
  readonly needsGold?: Mode["needsGold"]
}

const modes: Readonly<Record<ModeName, Particulars>> = {
  joint: { trains: layers.joint, answers: layers.inference },
  frozen_rag: { trains: layers.frozenRag, answers: layers.inference },
  no_retrieval: { trains: layers.noRetrieval, answers: layers.closedBook },
  bm25_rag: { trains: layers.bm25Rag, answers: layers.bm25Reading },
  gold_supervised: {
    trains: layers.joint,
    answers: layers.inference,
    needsGold: { studied: true, judged: false }
  },
  oracle: { trains: layers.noRetrieval, answers: layers.closedBook, needsGold: { studied: true, judged: true } },
  lexical: {
    trains: layers.retrieverOnly,
    answers: layers.inference,
    questions: ({ seed }) => (passages) => lexical(passages, seed)
  },
  copy: {
    trains: layers.noRetrieval,
    answers: layers.closedBook,
    corpus: ({ copy_words, seed }) => (passages) => scrambled(passages, copy_words, seed),
    questions: ({ seed }) => (passages) => cloze(passages, seed)
  }
}

/** Whether the reader's verdicts on drawn passages are asked for. */
const judges = (name: string): boolean => name === "joint" || name === "frozen_rag"

/** Bytes of a step's columns: candidates with their scores, draws, and the retriever's targets. */
const columns = (c: JmlrConfig) => (questions: number): number => {
  const targets = judges(c.mode) ? 4 * c.retriever_n_context * (1 + c.retriever_n_context) : 0
  return c.mode === "lexical"
    ? 12 * questions ** 2
    : questions * (8 * c.n_candidates + 4 * c.retriever_n_context + 4 * c.n_context + targets)
}

/** Most drawn passages in one prompt of a verdict. */
const together = ({ gold_score_mode: by, retriever_n_context: m }: JmlrConfig): number =>
  by === "adist" ? m : by === "loop" ? m - 1 : 1

const modeOf = (c: JmlrConfig): Mode => {
  const name = c.mode as ModeName
  const { answers, corpus, needsGold, questions, trains } = modes[name]
  const { passages, reader, retriever, questions: asked } = traits[name]
  const gold = name === "oracle"
  const read = judges(name) ? together(c) : 1
  return {
    name,
    traits: traits[name],
    trains: trains(c),
    answers: answers(c),
    ranks: layers.ranking(c, retriever),
    ...(corpus ? { corpus: corpus(c) } : {}),
    ...(questions ? { questions: questions(c) } : {}),
    needsGold: needsGold ?? { studied: false, judged: false },
    candidates: c.n_candidates,
    context: passages === "gold" ? 1 : passages === "none" ? 0 : Math.max(c.n_context, read),
    columns: columns(c),
    study: (passages) => onQuestions(studies[name](c, passages)),
    answering: (n) =>
      gold
        ? answerGold(c.n_context, answerOptions(c))
        : answerOne({ n, c: c.n_context, rerank: false, ...answerOptions(c) }),
    judges: {
      passages: gold ? "gold" : "found",
      reads: reader !== "none",
      before: retriever === "trained" && asked === "given"
    }
  }
}

/** JMLR (Wang et al. 2024) and its baselines. */
export const jmlr: System = { spec, mode: (c: RunConfig) => modeOf(c as JmlrConfig) }
