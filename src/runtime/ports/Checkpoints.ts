/** What a run must keep to go on, and where it is kept. */
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

/** A model's share of a checkpoint. */
export interface PartState {
  /** Parameters, which with `files` make a model folder; an adapter's alone where there is a `base`. */
  readonly weights: Tensors
  /** SHA-256 of the frozen weights that an adapter rests on. */
  readonly base?: string | undefined
  /** Whatever else it takes to continue: optimiser slots, the weights of the index. */
  readonly extra: Tensors
  readonly counters: Readonly<Record<string, number>>
  readonly files: ReadonlyArray<readonly [name: string, text: string]>
}

/** Tensors where they are stored, one at a time in memory. */
export interface Stored {
  /** Where they are. */
  readonly path: string
  readonly names: ReadonlyArray<string>
  /** Fails where there is none of the name. */
  readonly read: (name: string) => Effect.Effect<Tensor, CheckpointError>
}

/** What `save` gave, as it was kept. */
export interface Saved extends Pick<PartState, "base" | "counters"> {
  readonly weights: Stored
  readonly extra: Stored
}

/** A model that takes part in checkpoints. What `save` gives are its own arrays, good until its next step. */
export interface Part {
  readonly save: () => PartState
  readonly load: (state: Saved) => Effect.Effect<void, CheckpointError>
}

/** What a run is a run of, by name: settings as JSON, data as hashes. A run resumes only as itself. */
export type Identity = Readonly<Record<string, string>>

/** Where the run stands: the next step, and what it is a run of. */
export interface Position {
  readonly step: number
  readonly run: Identity
}

/** A checkpoint that cannot be written, read or gone on with. */
export class CheckpointError extends Schema.TaggedError<CheckpointError>()("CheckpointError", {
  path: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.path}: ${this.reason}`
  }
}

/** Where checkpoints are kept. */
export class Checkpoints extends Context.Service<Checkpoints, {
  readonly register: (name: string, part: Part) => Effect.Effect<void>
  /** Writes a checkpoint as a whole, then removes all but the newest few. */
  readonly save: (position: Position) => Effect.Effect<string, CheckpointError>
  /**
   * Loads the newest checkpoint that is whole into the registered parts; `undefined` where there is none. Fails where
   * there are checkpoints of which none is whole, or one of another run.
   */
  readonly restore: (run: Identity) => Effect.Effect<Position | undefined, CheckpointError>
}>()("anamnesis/runtime/Checkpoints") {}
