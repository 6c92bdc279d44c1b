/** A corpus in compact form: ids in a table, texts and pictures' references in a spool, without an object per passage. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import type { Passage } from "../../domain/records/Records.ts"
import type { FileError } from "../../runtime/files/disk.ts"
import { type Span, Spool } from "../../runtime/files/spool.ts"
import { checkRow, type Corpus, CorpusError } from "../../runtime/ports/Corpus.ts"
import { resolved } from "../pictures/references.ts"
import { IdTable } from "./idTable.ts"
import { withRoom } from "./room.ts"

const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

/** Characters hashed at a time. */
const HASHED = 1 << 16
/** Bytes of text read at a time by a full scan. */
const AT_ONCE = 1 << 17

const onDisk = (what: string) =>
  Effect.mapError(({ path, reason }: FileError) =>
    new CorpusError({
      path,
      reason: `${reason}; the texts that corpus_in_memory has no room for are ${what}. Free space there, name another `
        + "folder in TMPDIR, or raise corpus_in_memory"
    })
  )

/** What a passage has besides id and text. */
type More = Omit<Passage, "id" | "text">

/** The same as text; "" for nothing. */
const spelled = (more: More): string => Object.keys(more).length === 0 ? "" : JSON.stringify(more)

/** A corpus under construction. `done` may be read only after `settle` has followed the last `add`. */
export class Growing {
  private readonly ids = new IdTable()
  private readonly texts: Spool
  /** End offset of each passage, in bytes. */
  private ends = new Float64Array(1 << 8)
  /** Bytes after each passage's text that hold what else it has; as many as there are rows up to the last that has any. */
  private more = new Int32Array(0)
  private pictures = 0
  private readonly sum = createHash("sha256")
  private pending = ""

  /** Bytes of text beyond `memory` go to the temporary folder. */
  constructor(memory: number) {
    this.texts = new Spool(memory)
  }

  readonly size = (): number => this.ids.size
  /** Row of an id; -1 if the id is unknown. */
  readonly find = (id: string): number => this.ids.find(id)
  /** Adds a passage whose id is new, of the file `path` if its picture is named relative to one. */
  readonly add = ({ id, text, ...more }: Passage, _slot?: number, path?: string): void => {
    const row = this.size()
    if (this.ids.add(id) !== row) throw new RangeError(`two passages are called ${id}`)
    this.ends = withRoom(this.ends, row + 1)
    this.ends[row] = this.texts.add(text)
    const given = spelled(more)
    if (given !== "") this.addMore(row, more, path)
    this.pending += given === "" ? `${id}\0${text}\0` : `${id}\0${text}\0${given}\0`
    if (this.pending.length < HASHED) return
    this.sum.update(this.pending)
    this.pending = ""
  }
  private addMore(row: number, more: More, path: string | undefined): void {
    const { image } = more
    if (image !== undefined) this.pictures++
    const found = image === undefined || path === undefined ? more : { ...more, image: resolved(image, path) }
    const from = this.ends[row]!
    this.ends[row] = this.texts.add(spelled(found))
    this.more = withRoom(this.more, row + 1)
    this.more[row] = this.ends[row]! - from
  }
  /** Spills texts so that memory stays within its limit. */
  readonly settle = Effect.suspend(() => this.texts.settle.pipe(onDisk("written there")))

  /** The corpus of all passages added. */
  done(): Corpus["Service"] {
    const { ends, ids, more, pictures, texts } = this
    const { size } = ids
    const passage = (row: number, bytes: Uint8Array): Passage => {
      const to = bytes.length - (more[row] ?? 0)
      const own = { id: ids.id(row), text: decoder.decode(bytes.subarray(0, to)) }
      return to === bytes.length ? own : { ...own, ...JSON.parse(decoder.decode(bytes.subarray(to))) as More }
    }
    const span = (row: number): Span => {
      checkRow(row, size)
      return [row === 0 ? 0 : ends[row - 1]!, ends[row]!]
    }
    const read = (rows: ReadonlyArray<number>) =>
      Effect.suspend(() => texts.read(rows.map(span))).pipe(
        Effect.map((found) => found.map((bytes, i) => passage(rows[i]!, bytes))),
        onDisk("read there")
      )
    /** The first row after the chunk that starts at `row`. */
    const next = (row: number): number => {
      const most = span(row)[0] + AT_ONCE
      let to = row + 1
      while (to < size && ends[to]! <= most) to++
      return to
    }
    return {
      size,
      hash: this.sum.update(this.pending).digest("hex"),
      pictures,
      id: (row) => {
        checkRow(row, size)
        return ids.id(row)
      },
      row: (id) => ids.find(id),
      read: (rows) => Effect.suspend(() => read(Array.from(rows))),
      all: size === 0 ? Stream.empty : Stream.paginate(0, (from) => {
        const to = next(from)
        const rows = Array.from({ length: to - from }, (_, i) => from + i)
        return Effect.map(read(rows), (passages) => [passages, to < size ? Option.some(to) : Option.none()] as const)
      })
    }
  }
}

/** A corpus in memory. Ids must be unique. */
export const fromRecords = (records: ReadonlyArray<Passage>): Corpus["Service"] => {
  const growing = new Growing(Infinity)
  for (const record of records) growing.add(record)
  return growing.done()
}
