/** Program: has the models of a run at hand before it starts, those of the Hub included. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { folders } from "../domain/settings/models.ts"
import type { RunConfig } from "../domain/settings/RunConfig.ts"
import { pinned } from "../runtime/models/folder.ts"
import { modeOf } from "../systems/all.ts"

/** The commits of the models that this process has looked up: all its runs use the same. */
const Pins = Context.Reference<Map<string, string>>("anamnesis/Pins", { defaultValue: () => new Map() })

/** Fetches a model of the Hub, once a process; returns its name with its commit, or a folder's as it is. */
export const atHand = Effect.fnUntraced(function*(name: string) {
  const pins = yield* Pins
  const known = pins.get(name)
  if (known !== undefined) return known
  const found = yield* pinned(name)
  if (found !== name) pins.set(name, found)
  return found
})

/** The settings of a run, whose mode's models are at hand, named with their commits if they are of the Hub. */
export const withModels = Effect.fn("withModels")(function*(c: RunConfig) {
  const { reader, retriever } = modeOf(c).traits
  const used = [
    ...(retriever === "frozen" || retriever === "trained" ? [folders.retriever] : []),
    ...(reader === "none" ? [] : [folders.reader])
  ]
  const names = yield* Effect.forEach(used, (key) => Effect.map(atHand(c[key]), (name) => [key, name] as const))
  return { ...c, ...Object.fromEntries(names) }
})
