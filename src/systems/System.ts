/** The interface of a system. Programs know systems only through this, and no mode by name. */
import type * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Epochs, RowFrame } from "../datasets/batches.ts"
import type { TokenRecord } from "../domain/examples/tokens.ts"
import type { Frame } from "../domain/Frame.ts"
import type { Passage, QuestionRecord, Split } from "../domain/records/Records.ts"
import type { ConfigError } from "../domain/settings/configure.ts"
import type { RunConfig } from "../domain/settings/RunConfig.ts"
import type { Spec } from "../domain/settings/Spec.ts"
import type { Traits } from "../domain/settings/uses.ts"
import type { Lesson } from "../domain/tables.ts"
import type { LoadError, Surroundings } from "../runtime/models/load.ts"
import type { Checkpoints } from "../runtime/ports/Checkpoints.ts"
import type { Corpus, CorpusError } from "../runtime/ports/Corpus.ts"
import type {
  LanguageModel,
  LanguageModelError,
  LanguageModelLearner,
  ModelRefused
} from "../runtime/ports/LanguageModel.ts"
import type { IndexError, PassageIndex } from "../runtime/ports/PassageIndex.ts"
import type { Retriever, RetrieverError, RetrieverLearner } from "../runtime/ports/Retriever.ts"
import type { Frozen } from "../runtime/retrieval/pictures/frozen.ts"
import type { answerOne } from "../stages/pipelines.ts"

/** The ports that a mode uses. */
export type Ports = Retriever | LanguageModel
/** The learners that a mode trains. */
export type Learners = RetrieverLearner | LanguageModelLearner
/** Errors in building a mode's layers. */
export type Unready = LoadError | CorpusError | IndexError
/** Errors of a mode's models at run time. */
export type PortError = RetrieverError | LanguageModelError | CorpusError

/** Training steps: runs the stages on questions, then updates the models. */
export interface Study {
  readonly learn: (rows: RowFrame) => Effect.Effect<Frame<typeof Lesson>, PortError, Ports | Learners | Corpus>
  /**
   * Several steps whose stages all run with the weights before the first update, and which are then updated in order;
   * in one program if `together`.
   */
  readonly learnSeveral: (
    steps: ReadonlyArray<RowFrame>,
    together: boolean
  ) => Effect.Effect<ReadonlyArray<Frame<typeof Lesson>>, PortError, Ports | Learners | Corpus>
  /** The gradient norm of every trainable group, by label, without an update. */
  readonly gate: (
    rows: RowFrame
  ) => Effect.Effect<ReadonlyMap<string, number>, PortError, Ports | Learners | Corpus>
  /** Figures of a step to report, from its columns; the losses, if omitted. */
  readonly figures?: (learned: Frame<typeof Lesson>) => Readonly<Record<string, number>>
}

/** Rows of tokens that a mode learns from, and what there is to tell of them. */
export interface TokenRows {
  readonly records: ReadonlyArray<TokenRecord>
  /** The token ids of the texts as they were before they were cut and packed; of preferences, of the chosen ones. */
  readonly texts: ReadonlyArray<ReadonlyArray<number>>
  /** Warnings, one sentence each. */
  readonly told: ReadonlyArray<string>
  /** What was counted: "examples", "tokens", "learned tokens", "rows". */
  readonly counts: Readonly<Record<string, number>>
}

/** Reads the rows of a file; fails if one cannot be learned from. */
export type ReadRows = Effect.Effect<
  TokenRows,
  LoadError | ConfigError | ModelRefused,
  FileSystem.FileSystem | Scope.Scope
>

/** Rows that are not learned, and judged while the model is trained. */
export interface HeldOut {
  readonly file: string
  readonly read: ReadRows
  /** Figures of all rows together under the model as it is. */
  readonly judge: (
    rows: ReadonlyArray<TokenRecord>
  ) => Effect.Effect<Readonly<Record<string, number>>, PortError, LanguageModel>
  /** Whether they are judged after `step` of `steps` updates, with which a pass over the training rows ends if `epoch`. */
  readonly after: (step: number, steps: number, epoch: boolean) => boolean
}

/** Training rows that are tokens of texts, not questions. */
export interface TextRows {
  readonly read: ReadRows
  /** If omitted, none are held out. */
  readonly heldOut?: HeldOut
  /** The words of the rows, to make a vocabulary of. */
  readonly words: Effect.Effect<ReadonlyArray<string>, LoadError, FileSystem.FileSystem>
  /**
   * What a model says of some rows before it is trained, added to them: run with the models of the settings. If omitted,
   * nothing is needed.
   */
  readonly refer?: {
    readonly layer: Layer.Layer<LanguageModel, Unready, Surroundings>
    readonly judge: (
      rows: ReadonlyArray<TokenRecord>
    ) => Effect.Effect<ReadonlyArray<readonly [number, number]>, PortError, LanguageModel>
  }
}

/** How a mode is evaluated. */
export interface Judges {
  /** Answers from retrieved passages, which are ranked, or from gold passages. */
  readonly passages: "found" | "gold"
  /** Whether the reader answers; otherwise only the ranking is evaluated. */
  readonly reads: boolean
  /** Whether the ranking is also evaluated before training, because training changes it. */
  readonly before: boolean
}

/** From questions to answers: as a stage, or as events. */
export type Answering = ReturnType<typeof answerOne>

/** A mode under given settings: what it trains, on what data, and how it answers. */
export interface Mode {
  readonly name: string
  readonly traits: Traits
  /** Both ports and their learners. */
  readonly trains: Layer.Layer<Ports | Learners, Unready, Surroundings | Corpus | Checkpoints>
  /** Both ports, for answering with the trained models. */
  readonly answers: Layer.Layer<Ports, Unready, Surroundings | Corpus>
  /** The trained retriever alone, for ranking; it finds nothing where the mode has none. */
  readonly ranks: Layer.Layer<Retriever, Unready, Surroundings | Corpus>
  /** The same with an index in each of these places, one for each head, for a command that writes them; if omitted, one of texts. */
  readonly embeds?: (
    stores: (head: string) => Layer.Layer<PassageIndex, never, Surroundings>
  ) => Mode["ranks"]
  /** The frozen encoder of pictures that a retriever of pictures searches by, without what was trained on it. */
  readonly encoder?: Effect.Effect<Frozen, Unready, Surroundings | Scope.Scope>
  /** Generates passages from those of the corpus; if omitted, the corpus itself is used. */
  readonly corpus?: (passages: ReadonlyArray<Passage>) => ReadonlyArray<Passage>
  /** Generates questions from the passages; if omitted, those of the files are used. */
  readonly questions?: (passages: ReadonlyArray<Passage>) => Epochs
  /** Training rows that are texts; if omitted, they are questions. */
  readonly texts?: TextRows
  /** Whether training rows may have their passages as texts, which then join the corpus. */
  readonly pairs?: boolean
  /** What is wrong with the questions of a split for the mode, if anything. */
  readonly lacks?: (records: ReadonlyArray<QuestionRecord>, split: Split) => ReadonlyArray<string>
  /** The order of an epoch's questions, and which of them it has; all in an order drawn under the seed, if omitted. */
  readonly arranged?: (records: ReadonlyArray<QuestionRecord>, epoch: number) => ReadonlyArray<QuestionRecord>
  /** Whether every question needs a gold passage, for training and for evaluation. */
  readonly needsGold: { readonly studied: boolean; readonly judged: boolean }
  /** Minimum number of passages in the corpus. */
  readonly candidates: number
  /** Passages that a prompt should have room for. */
  readonly context: number
  /** Lower bound in bytes on the columns of so many questions. */
  readonly columns: (questions: number) => number
  /** Training steps over a corpus of this many passages. */
  readonly study: (passages: number) => Study
  /** Answers questions, ranking `n` passages. */
  readonly answering: (n: number) => Answering
  readonly judges: Judges
}

/** A system: the spec of its settings, and its modes under decoded settings. */
export interface System {
  readonly spec: Spec
  readonly mode: (c: RunConfig) => Mode
}
