/** What a system states of itself. Programs know systems by this alone, and modes by no name. */
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type { Epochs, QuestionFrame } from "../datasets/batches.ts"
import type { Frame } from "../domain/Frame.ts"
import type { Passage } from "../domain/records/Records.ts"
import type { RunConfig } from "../domain/settings/RunConfig.ts"
import type { Spec } from "../domain/settings/Spec.ts"
import type { Traits } from "../domain/settings/uses.ts"
import type { Answer, Candidates, Lesson, Question } from "../domain/tables.ts"
import type { LoadError, Surroundings } from "../runtime/models/load.ts"
import type { Checkpoints } from "../runtime/ports/Checkpoints.ts"
import type { Passages } from "../runtime/ports/Passages.ts"
import type { Reader, ReaderError, ReaderLearner } from "../runtime/ports/Reader.ts"
import type { Retriever, RetrieverError, RetrieverLearner } from "../runtime/ports/Retriever.ts"
import type { Stage } from "../stages/Stage.ts"

/** What a mode asks its models for. */
export type Ports = Retriever | Reader
/** What a mode teaches its models by. */
export type Learners = RetrieverLearner | ReaderLearner
/** Why a mode's models fail. */
export type PortError = RetrieverError | ReaderError

/** A step: questions studied, and the models updated by what came of it. */
export interface Study {
  readonly learn: (rows: QuestionFrame) => Effect.Effect<Frame<typeof Lesson>, PortError, Ports | Learners>
  /** The gradient norm of every group that is trained, by its label; nothing moves. */
  readonly gate: (rows: QuestionFrame) => Effect.Effect<ReadonlyMap<string, number>, PortError, Ports | Learners>
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

type Answered = ReturnType<typeof Candidates> & ReturnType<typeof Answer>

/** A mode under settings: what is trained, on what, and how it answers. */
export interface Mode {
  readonly name: string
  readonly traits: Traits
  /** Both ports and their learners. */
  readonly trains: Layer.Layer<Ports | Learners, LoadError, Surroundings | Passages | Checkpoints>
  /** Both ports, for answering with what the mode has trained. */
  readonly answers: Layer.Layer<Ports, LoadError, Surroundings | Passages>
  /** The passages that are studied, of those of the corpus. */
  readonly corpus: (passages: ReadonlyArray<Passage>) => ReadonlyArray<Passage>
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
  readonly answering: (n: number) => Stage<typeof Question, Answered, PortError, Ports>
  readonly judges: Judges
}

/** A system: the spec of its settings, and what each of its modes is under settings that the spec has decoded. */
export interface System {
  readonly spec: Spec
  readonly mode: (c: RunConfig) => Mode
}
