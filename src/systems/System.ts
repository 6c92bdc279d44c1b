/** What a system states of itself. Programs know systems by this alone, and modes by no name. */
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type { Epochs, QuestionFrame } from "../datasets/batches.ts"
import type { Frame } from "../domain/Frame.ts"
import type { Passage } from "../domain/records/Records.ts"
import type { RunConfig } from "../domain/settings/RunConfig.ts"
import type { Spec } from "../domain/settings/Spec.ts"
import type { Traits } from "../domain/settings/uses.ts"
import type { Lesson } from "../domain/tables.ts"
import type { LoadError, Surroundings } from "../runtime/models/load.ts"
import type { Checkpoints } from "../runtime/ports/Checkpoints.ts"
import type { Corpus, CorpusError } from "../runtime/ports/Corpus.ts"
import type { LanguageModel, LanguageModelError, LanguageModelLearner } from "../runtime/ports/LanguageModel.ts"
import type { IndexError } from "../runtime/ports/PassageIndex.ts"
import type { Retriever, RetrieverError, RetrieverLearner } from "../runtime/ports/Retriever.ts"
import type { answerOne } from "../stages/pipelines.ts"

/** What a mode asks its models for. */
export type Ports = Retriever | LanguageModel
/** What a mode teaches its models by. */
export type Learners = RetrieverLearner | LanguageModelLearner
/** Why the layers of a mode cannot be made. */
export type Unready = LoadError | CorpusError | IndexError
/** Why a mode's models fail. */
export type PortError = RetrieverError | LanguageModelError | CorpusError

/** A step: questions studied, and the models updated by what came of it. */
export interface Study {
  readonly learn: (rows: QuestionFrame) => Effect.Effect<Frame<typeof Lesson>, PortError, Ports | Learners | Corpus>
  /**
   * Steps that are all studied with the weights before the first of them, and then learned from, one after the other; as
   * one program where `together`.
   */
  readonly learnSeveral: (
    steps: ReadonlyArray<QuestionFrame>,
    together: boolean
  ) => Effect.Effect<ReadonlyArray<Frame<typeof Lesson>>, PortError, Ports | Learners | Corpus>
  /** The gradient norm of every group that is trained, by its label; nothing moves. */
  readonly gate: (
    rows: QuestionFrame
  ) => Effect.Effect<ReadonlyMap<string, number>, PortError, Ports | Learners | Corpus>
}

/** How a mode is judged. */
export interface Judges {
  /** Answers from passages that are found, which are ranked, or from the gold ones. */
  readonly passages: "found" | "gold"
  /** Whether the reader answers; else the ranking alone is judged. */
  readonly reads: boolean
  /** Whether the ranking is judged before training too, since it is trained. */
  readonly before: boolean
}

/** From questions to answers: a stage, or told as it comes about. */
export type Answering = ReturnType<typeof answerOne>

/** A mode under settings: what is trained, on what, and how it answers. */
export interface Mode {
  readonly name: string
  readonly traits: Traits
  /** Both ports and their learners. */
  readonly trains: Layer.Layer<Ports | Learners, Unready, Surroundings | Corpus | Checkpoints>
  /** Both ports, for answering with what the mode has trained. */
  readonly answers: Layer.Layer<Ports, Unready, Surroundings | Corpus>
  /** Passages made up from those of the corpus; where it is left out, those themselves are studied. */
  readonly corpus?: (passages: ReadonlyArray<Passage>) => ReadonlyArray<Passage>
  /** Questions made up from the passages; where it is left out, those of the files are studied. */
  readonly questions?: (passages: ReadonlyArray<Passage>) => Epochs
  /** Whether every question needs a gold passage: to be studied, to be judged. */
  readonly needsGold: { readonly studied: boolean; readonly judged: boolean }
  /** Passages that the corpus must have, at least. */
  readonly candidates: number
  /** Passages that a prompt should have room for. */
  readonly context: number
  /** Bytes of the columns of so many questions, at least. */
  readonly columns: (questions: number) => number
  /** A step over a corpus of so many passages. */
  readonly study: (passages: number) => Study
  /** From a question to an answer; `n` passages are ranked. */
  readonly answering: (n: number) => Answering
  readonly judges: Judges
}

/** A system: the spec of its settings, and what each of its modes is under settings that the spec has decoded. */
export interface System {
  readonly spec: Spec
  readonly mode: (c: RunConfig) => Mode
}
