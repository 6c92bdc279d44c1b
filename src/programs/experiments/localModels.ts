/** Models of the Hub as they lie in a folder of one's own: a plan that names them by id takes them from there. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { basename, join } from "node:path"
import { modelFiles } from "../../domain/fileNames.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import { folders } from "../../domain/settings/models.ts"
import type { Raw } from "../../domain/settings/RunConfig.ts"
import { exists, located, namesIn } from "../../runtime/files/disk.ts"
import { idOf } from "../../runtime/files/hub/models.ts"
import { Reporter } from "../../runtime/ports/Reporter.ts"
import { settingOf } from "../../systems/all.ts"
import type { Plan } from "./experimentPlan.ts"

const refusal = (reason: string) => new ConfigError({ source: "--models", problems: [reason] })

/**
 * The path of a model in `folder`, by the last part of its id: the model folder of that name, or the only GGUF file in a
 * folder of that name.
 */
const placed = Effect.fnUntraced(function*(folder: string, name: string) {
  const fs = yield* FileSystem.FileSystem
  const place = join(folder, basename(name))
  if (!(yield* exists(place))) return yield* refusal(`${name}: there is no ${place}`)
  const { type } = yield* fs.stat(place).pipe(located(place))
  if (type !== "Directory") return yield* refusal(`${name}: ${place} is no folder`)
  if (yield* exists(join(place, modelFiles.config))) return place
  const [file, ...others] = (yield* namesIn(place)).filter((own) => own.endsWith(".gguf")).toSorted()
  if (file !== undefined && others.length === 0) return join(place, file)
  const found = file === undefined
    ? "no GGUF file"
    : `${others.length + 1} GGUF files (${[file, ...others].join(", ")})`
  return yield* refusal(`${name}: ${place} has no ${modelFiles.config}, and ${found} instead of one`)
})

const isModel = (key: string): boolean => Object.values(folders).some((folder) => folder === settingOf(key))

/** A plan, and the settings that win over it. */
export interface Given {
  readonly plan: Plan
  readonly overrides: Raw
}

/**
 * The same with the paths in `folder` of all models that are named by their ids at the Hub; as it is without a folder.
 * Tells each that is taken; fails if one is not there, or if none is named by an id. Revisions are not checked.
 */
export const locally = Effect.fn("locally")(function*(whole: Given, folder: string | undefined) {
  if (folder === undefined) return whole
  const { overrides, plan } = whole
  const taken = new Map<string, string>()
  const take = Effect.fnUntraced(function*(name: string) {
    const [id, revision] = name.split("@") as [string, string?]
    const path = taken.get(name) ?? (yield* placed(folder, id))
    if (!taken.has(name)) {
      const unchecked = revision === undefined ? "" : ` (which may be of another revision than ${revision})`
      yield* (yield* Reporter).note(`${id}: taken from ${path}${unchecked}`)
    }
    taken.set(name, path)
    return path
  })
  const given = Effect.fnUntraced(function*(settings: Raw) {
    const all = Object.entries(settings).map(Effect.fnUntraced(function*([key, value]) {
      const isId = isModel(key) && typeof value === "string" && (yield* idOf(value)) !== undefined
      return [key, isId ? yield* take(value) : value] as const
    }))
    return Object.fromEntries(yield* Effect.all(all)) as Raw
  })
  const each = <A, B, E, R>(record: Readonly<Record<string, A>>, change: (value: A) => Effect.Effect<B, E, R>) =>
    Effect.map(
      Effect.forEach(
        Object.entries(record),
        ([name, value]) => Effect.map(change(value), (own) => [name, own] as const)
      ),
      (all) => Object.fromEntries(all)
    )
  const own = {
    ...plan,
    settings: yield* given(plan.settings),
    warm_up: yield* each(plan.warm_up, given),
    arms: yield* each(
      plan.arms,
      ({ phases, settings }) => Effect.all({ phases: each(phases, given), settings: given(settings) })
    )
  } satisfies Plan as Plan
  const won = yield* given(overrides)
  if (taken.size === 0) return yield* refusal("the plan names no model by its id at the Hub")
  return { plan: own, overrides: won } satisfies Given as Given
})
