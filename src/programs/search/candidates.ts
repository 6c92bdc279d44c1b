/** Candidates of a search: merged, scored on the development sets, and removed; scores are kept and not computed again. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as References from "effect/References"
import { join } from "node:path"
import { searchFiles } from "../../domain/fileNames.ts"
import type { Point } from "../../domain/search/space.ts"
import { located } from "../../runtime/files/disk.ts"
import type * as Store from "../../runtime/files/store.ts"
import { decode as decodeConfig } from "../../runtime/models/merging/config.ts"
import { meaningOf } from "../../runtime/models/merging/meaning.ts"
import * as Merge from "../../runtime/models/merging/merge.ts"
import type { Identity } from "../../runtime/ports/Checkpoints.ts"
import * as Reporter from "../../runtime/ports/Reporter.ts"
import { weightsOf } from "../models.ts"
import type { DevSet } from "./devSets.ts"
import { filled, type Varied } from "./file.ts"

type Json = Readonly<Record<string, unknown>>

/** What all candidates have in common. */
export interface Common {
  /** Of the config, for messages. */
  readonly source: string
  readonly template: Json
  readonly varied: ReadonlyArray<Varied>
  readonly opened: Merge.Opened
  readonly options: Omit<Merge.Options, "config">
  readonly seed: number
}

/** A candidate: its config, and what that means. */
export const candidateOf = Effect.fnUntraced(function*({ source, template, varied }: Common, point: Point) {
  const json = filled(template, varied, point)
  const { config } = yield* decodeConfig(source, json)
  return { json, config, meaning: meaningOf(config) }
})

/** Plans the merge of a point; fails with a `ConfigError` of its problems. */
export const plannedAt = Effect.fnUntraced(function*(common: Common, point: Point) {
  const { config, json, meaning } = yield* candidateOf(common, point)
  return { json, meaning, prepared: yield* Merge.planned(common.opened, { ...common.options, config }) }
})

/** The identity of a merged model: what its config means, the models' files, and the seed where masks are random. */
export const identifying = Effect.fnUntraced(function*({ opened, options, seed }: Common) {
  const names = [...opened.models.keys()]
  const hashes = yield* Effect.forEach(names, (name) => {
    const { adapter, model } = options.references.get(name) ?? { model: name }
    const parts = Effect.forEach([model, ...adapter === undefined ? [] : [adapter]], weightsOf)
    return Effect.map(parts, (own) => [`model ${name}`, own.join(" ")] as const)
  })
  return ({ config, meaning }: Effect.Success<ReturnType<typeof candidateOf>>): Identity => ({
    merge: meaning,
    ...Object.fromEntries(hashes),
    ...(config.method.random ? { seed: String(seed) } : {})
  })
})

const isScores = (value: unknown, length: number): value is ReadonlyArray<number> =>
  Array.isArray(value) && value.length === length && value.every((own) => typeof own === "number")

/** Scores candidates, with counts of those that were merged and of those that were kept from before. */
export const scoring = Effect.fnUntraced(function*<E, R>(
  common: Common,
  sets: ReadonlyArray<DevSet<E, R>>,
  work: string,
  store: Store.Store
) {
  const fs = yield* FileSystem.FileSystem
  const identityOf = yield* identifying(common)
  const folder = join(work, searchFiles.candidate)
  const remove = fs.remove(folder, { recursive: true, force: true }).pipe(located(folder))
  const counts = { evaluated: 0, kept: 0 }
  let told = false
  yield* remove

  /** The folder of a merged candidate, gone with the scope. */
  const merged = Effect.fnUntraced(function*(point: Point) {
    const { prepared } = yield* plannedAt(common, point)
    yield* Effect.addFinalizer(() => Effect.ignore(remove))
    yield* Merge.save(prepared, folder, new Map())
    if (told) return
    told = true
    for (const set of sets) yield* set.tell(folder)
  })
  const missing = Effect.fnUntraced(function*(point: Point, level: number, lacking: ReadonlyMap<DevSet<E, R>, string>) {
    yield* merged(point)
    for (const [set, key] of lacking) {
      const found = yield* set.scores(folder, level).pipe(
        Effect.provide(Reporter.silent),
        Effect.provideService(References.MinimumLogLevel, "Error")
      )
      yield* store.put(key, found)
    }
  }, Effect.scoped)

  const score = Effect.fnUntraced(function*(point: Point, level: number) {
    const identity = identityOf(yield* candidateOf(common, point))
    const keys = new Map(sets.map((set) => [set, set.key(identity, level)] as const))
    const known = Effect.fnUntraced(function*() {
      const found = new Map<DevSet<E, R>, ReadonlyArray<number>>()
      for (const [set, key] of keys) {
        const value = yield* store.get(key)
        if (isScores(value, set.examples(level))) found.set(set, value)
      }
      return found
    })
    const before = yield* known()
    const lacking = new Map([...keys].filter(([set]) => !before.has(set)))
    if (lacking.size === 0) counts.kept++
    else {
      counts.evaluated++
      yield* missing(point, level, lacking)
    }
    const all = lacking.size === 0 ? before : yield* known()
    return { scores: sets.map((set) => all.get(set)!), kept: lacking.size === 0 }
  })
  return { score, counts: () => ({ ...counts }) }
})
