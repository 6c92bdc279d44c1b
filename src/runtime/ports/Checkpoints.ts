/** Checkpoints: what a run needs to resume. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** Values, row-major. */
export interface Tensor {
  readonly shape: ReadonlyArray<number>
  readonly data: Float32Array
}
/** Tensors by name. */
export type Tensors = ReadonlyMap<string, Tensor>

/** A model's part of a checkpoint. */
export interface PartState {
  /** Parameters, which with `files` form a model folder; if there is a `base`, only the adapter's. */
  readonly weights: Tensors
  /** SHA-256 of the frozen base weights of an adapter. */
  readonly base?: string | undefined
  /** Other state needed to resume: optimiser slots, the weights of the index. */
  readonly extra: Tensors
  readonly counters: Readonly<Record<string, number>>
  readonly files: ReadonlyArray<readonly [name: string, text: string]>
}

/** Stored tensors, read one at a time. */
export interface Stored {
  /** Path of the file. */
  readonly path: string
  readonly names: ReadonlyArray<string>
  /** Fails if there is no such tensor. */
  readonly read: (name: string) => Effect.Effect<Tensor, CheckpointError>
}

/** The state that `save` returned, as stored. */
export interface Saved extends Pick<PartState, "base" | "counters"> {
  readonly weights: Stored
  readonly extra: Stored
}

/** A model that takes part in checkpoints. The arrays that `save` returns are its own, valid until its next step. */
export interface Part {
  readonly save: () => PartState
  readonly load: (state: Saved) => Effect.Effect<void, CheckpointError>
}

/** Identity of a run, by name: settings as JSON, data as hashes. A run resumes only with the same identity. */
export type Identity = Readonly<Record<string, string>>

/** Position of a run: the next step, and the run's identity. */
export interface Position {
  readonly step: number
  readonly run: Identity
}

/** A checkpoint cannot be written, read or resumed. */
export class CheckpointError extends Schema.TaggedError<CheckpointError>()("CheckpointError", {
  path: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.path}: ${this.reason}`
  }
}

/** Stores checkpoints. */
export class Checkpoints extends Context.Service<Checkpoints, {
  readonly register: (name: string, part: Part) => Effect.Effect<void>
  /** Writes a checkpoint atomically, then removes all but the newest few. */
  readonly save: (position: Position) => Effect.Effect<string, CheckpointError>
  /**
   * Loads the newest valid checkpoint into the registered parts; `undefined` if there are none. Fails if all are
   * damaged, or if the checkpoint is of another run.
   */
  readonly restore: (run: Identity) => Effect.Effect<Position | undefined, CheckpointError>
}>()("anamnesis/runtime/Checkpoints") {}
