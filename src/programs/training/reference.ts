/**
 * Program: what the untrained model says of a run's rows, before training, where its mode asks for that: one model is in
 * memory at a time. Kept in the run's folder, so that a run that is resumed learns from the same figures.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import type { TokenRecord } from "../../domain/examples/tokens.ts"
import { referenceKept } from "../../domain/fileNames.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { makeFolder, sha256 } from "../../runtime/files/disk.ts"
import * as LineFile from "../../runtime/files/lineFile.ts"
import * as Lock from "../../runtime/files/lock.ts"
import { Reporter } from "../../runtime/ports/Reporter.ts"
import { Shared } from "../../runtime/ports/Shared.ts"
import { modeOf } from "../../systems/all.ts"
import type { TextRows } from "../../systems/System.ts"
import { weightsOf } from "../models.ts"
import type { Prepared } from "../prepare.ts"

const Line = Schema.Struct({
  row: Schema.String,
  ref_chosen_logps: Schema.Finite,
  ref_rejected_logps: Schema.Finite
})
const decode = Schema.decodeUnknownSync(Line)
type Pair = readonly [chosen: number, rejected: number]

/** Rows that are judged at a time, and kept. */
const TOGETHER = 64

const hashOf = ({ ids, learned, starts }: TokenRecord): string => sha256(JSON.stringify([ids, starts, learned]))

const withReference = (own: TokenRecord, reference: Pair): TokenRecord => Object.assign({}, own, { reference })

/** SHA-256 of what the figures depend on besides the rows: the weights, and how they are stored. */
const conditions = Effect.fnUntraced(function*(c: RunConfig) {
  const { quantization, quantization_block_size, torch_dtype } = c
  const weights = yield* weightsOf(c.reader_name_or_path)
  return sha256(JSON.stringify([weights, quantization, quantization_block_size, torch_dtype, c.seed]))
})

/** The figures kept in a file, by the hash of their row, and how more are added; open until the scope ends. */
const open = Effect.fnUntraced(function*(path: string) {
  const known = new Map<string, Pair>()
  const file = yield* LineFile.growingJson(path, {
    decode,
    see: (own) => void known.set(own.row, [own.ref_chosen_logps, own.ref_rejected_logps]),
    reason: "is no line of a reference; remove the file, and it is made again"
  })
  const add = (hashes: ReadonlyArray<string>, found: ReadonlyArray<Pair>) => {
    hashes.forEach((hash, i) => known.set(hash, found[i]!))
    const lines = hashes.map((row, i) => ({
      row,
      ref_chosen_logps: found[i]![0],
      ref_rejected_logps: found[i]![1]
    }))
    return file.add(lines.map((own) => JSON.stringify(own)))
  }
  return { known: known as ReadonlyMap<string, Pair>, add }
})

/** Judges the rows that are not known. */
const judge = Effect.fnUntraced(function*(
  c: RunConfig,
  { judge, layer }: NonNullable<TextRows["refer"]>,
  records: ReadonlyArray<TokenRecord>,
  { add, known }: Effect.Success<ReturnType<typeof open>>
) {
  const missing = [...new Map(records.map((own) => [hashOf(own), own])).entries()].filter(([hash]) => !known.has(hash))
  if (missing.length === 0) return
  const reporter = yield* Reporter
  yield* reporter.note(`reference: ${missing.length} rows are judged by ${c.reader_name_or_path} before training`)
  const work = Effect.gen(function*() {
    for (let from = 0; from < missing.length; from += TOGETHER) {
      const some = missing.slice(from, from + TOGETHER)
      yield* add(some.map(([hash]) => hash), yield* judge(some.map(([, own]) => own)))
    }
  })
  yield* Effect.provide(work, layer, { local: true })
}, Effect.scoped)

/** The rows of a run with what the model of the settings says of them; as they are where the mode asks for nothing. */
export const referred = Effect.fn("reference")(function*(prepared: Prepared) {
  const { config, epochs, heldOut = [] } = prepared
  const refer = modeOf(config).texts?.refer
  if (refer === undefined) return prepared
  const records = epochs(0) as ReadonlyArray<TokenRecord>
  const shared = yield* Shared
  const folder = shared.folder ?? config.output_dir
  const name = referenceKept(yield* conditions(config))
  const made = Effect.gen(function*() {
    yield* makeFolder(folder)
    const kept = yield* open(join(folder, name))
    const before = new Set([...records, ...heldOut].map(hashOf).filter((hash) => kept.known.has(hash))).size
    if (before > 0) shared.save("references", { times: 1, readings: 2 * before, seconds: 0 })
    yield* judge(config, refer, [...records, ...heldOut], kept)
    const known = (own: TokenRecord) => withReference(own, kept.known.get(hashOf(own))!)
    return { all: records.map(known), held: heldOut.map(known) }
  }).pipe(Effect.scoped)
  const { note } = yield* Reporter
  /** Runs that share a file wait for each other; in a run's own folder there is no other. */
  const alone = Effect.andThen(
    Lock.waiting(
      join(folder, ".locks", name),
      (other) => note(`${folder}: waits for the reference of process ${other}`)
    ),
    made
  )
  const { all, held } = yield* shared.folder === undefined ? Lock.holding(folder)(made) : Effect.scoped(alone)
  return { ...prepared, epochs: () => all, heldOut: prepared.heldOut && held } satisfies Prepared as Prepared
})

/** The same with figures of 0 instead, for a run that is only measured. */
export const unreferred = (prepared: Prepared): Prepared => {
  if (modeOf(prepared.config).texts?.refer === undefined) return prepared
  const records = (prepared.epochs(0) as ReadonlyArray<TokenRecord>).map((own) => withReference(own, [0, 0]))
  return { ...prepared, epochs: () => records }
}
