/** Models of the Hub as they lie in a folder of one's own: a plan that names them by id takes them from there. */
import * as Effect from "effect/Effect"
import { ConfigError } from "../../domain/settings/configure.ts"
import { folders } from "../../domain/settings/models.ts"
import type { Raw } from "../../domain/settings/RunConfig.ts"
import { placed, takenText } from "../../runtime/files/hub/local.ts"
import { idOf } from "../../runtime/files/hub/models.ts"
import { Reporter } from "../../runtime/ports/Reporter.ts"
import { settingOf } from "../../systems/all.ts"
import type { Plan } from "./experimentPlan.ts"

const refusal = (reason: string) => new ConfigError({ source: "--models", problems: [reason] })

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
    const path = taken.get(name) ?? (yield* Effect.mapError(placed(folder, id), ({ message }) => refusal(message)))
    if (!taken.has(name)) yield* (yield* Reporter).note(takenText(id, path, revision))
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
