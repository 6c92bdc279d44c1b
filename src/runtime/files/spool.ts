/** A list of texts: in memory while small, then in an unnamed temporary file. */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Scope from "effect/Scope"
import { tmpdir } from "node:os"
import { type FileError, located, type Reading, readingOf } from "./disk.ts"
import { unnamed } from "./unnamed.ts"

const encoder = new TextEncoder()

/** Bytes from..to-1. */
export type Span = readonly [from: number, to: number]

/** Size in bytes of a block in memory. */
const BLOCK = 1 << 20
/** Maximum gap between spans, and maximum bytes, that are merged into one read. */
const [GAP, TOGETHER] = [1 << 13, 1 << 22]
/** Concurrent reads. */
const CALLS = 8

const joined = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const whole = new Uint8Array(parts.reduce((n, { length }) => n + length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** Groups nearby spans, in ascending order; `places` are the indices of a group's spans. */
const groups = (spans: ReadonlyArray<Span>) => {
  const order = [...spans.keys()].toSorted((a, b) => spans[a]![0] - spans[b]![0])
  const found: Array<{ readonly from: number; to: number; readonly places: Array<number> }> = []
  for (const place of order) {
    const [from, to] = spans[place]!
    const last = found.at(-1)
    if (last && from - last.to <= GAP && to - last.from <= TOGETHER) {
      last.to = Math.max(last.to, to)
      last.places.push(place)
    } else found.push({ from, to, places: [place] })
  }
  return found
}

/** Append-only; read only after `settle` has run since the last `add`. */
export class Spool {
  /** Total bytes. */
  size = 0
  /** Blocks not yet on disk; all are full but the last, which holds `filled` bytes. */
  private readonly blocks: Array<Uint8Array> = []
  private filled = BLOCK
  private scratch = new Uint8Array(1 << 12)
  private file: FileSystem.File | undefined
  /** Bytes on disk. */
  private written = 0
  private into: Reading["into"] | undefined
  private readonly memory: number

  /** Everything goes to disk once there are more than `memory` bytes. */
  constructor(memory: number) {
    this.memory = memory
  }

  /** Appends a text as UTF-8; returns the end offset of its bytes. */
  add(text: string): number {
    if (3 * text.length > this.scratch.length) this.scratch = new Uint8Array(6 * text.length)
    const { written } = encoder.encodeInto(text, this.scratch)
    for (let at = 0; at < written;) {
      if (this.filled === BLOCK) {
        this.blocks.push(new Uint8Array(BLOCK))
        this.filled = 0
      }
      const piece = this.scratch.subarray(at, Math.min(written, at + BLOCK - this.filled))
      this.blocks.at(-1)!.set(piece, this.filled)
      this.filled += piece.length
      at += piece.length
    }
    return this.size += written
  }

  /** Moves data beyond the memory limit to disk. Fails if the temporary folder is full. */
  readonly settle: Effect.Effect<void, FileError, FileSystem.FileSystem | Scope.Scope> = Effect.suspend(() =>
    this.size - this.written > (this.file ? 0 : this.memory) ? this.spill : Effect.void
  )

  private readonly spill = Effect.gen({ self: this }, function*() {
    const path = tmpdir()
    this.file ??= yield* unnamed
    this.into ??= readingOf(path, this.file)
    for (const [i, block] of this.blocks.entries()) {
      yield* this.file.writeAll(i < this.blocks.length - 1 ? block : block.subarray(0, this.filled)).pipe(located(path))
    }
    this.written = this.size
    this.blocks.length = 1
    this.filled = 0
  })

  /** The bytes of each span, in order; they may be views of the same array. */
  read(spans: ReadonlyArray<Span>): Effect.Effect<ReadonlyArray<Uint8Array>, FileError> {
    const { into } = this
    return into ? this.pread(spans, into) : Effect.sync(() => spans.map((span) => this.held(span)))
  }

  private held([from, to]: Span): Uint8Array {
    const parts: Array<Uint8Array> = []
    for (let at = from; at < to;) {
      const start = at % BLOCK
      const part = this.blocks[(at - start) / BLOCK]!.subarray(start, Math.min(BLOCK, start + to - at))
      parts.push(part)
      at += part.length
    }
    return parts.length === 1 ? parts[0]! : joined(parts)
  }

  private readonly pread = Effect.fnUntraced(function*(spans: ReadonlyArray<Span>, into: Reading["into"]) {
    const read: Array<Uint8Array> = spans.map(() => new Uint8Array(0))
    yield* Effect.forEach(
      groups(spans),
      ({ from, places, to }) =>
        Effect.map(into(new Uint8Array(to - from), from), (bytes) => {
          for (const place of places) {
            const [start, end] = spans[place]!
            read[place] = bytes.subarray(start - from, end - from)
          }
        }),
      { concurrency: CALLS, discard: true }
    )
    return read as ReadonlyArray<Uint8Array>
  })
}
