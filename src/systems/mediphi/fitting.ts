/** Examples that exceed `max_length`: refused, cut at their end, or left out. */
import * as Effect from "effect/Effect"
import { type Example, learnedOf } from "../../domain/examples/tokens.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import type { MediphiConfig } from "./settings.ts"

/** Examples that fit, and what there is to tell of the others. */
export interface Fitted<A> {
  readonly kept: ReadonlyArray<A>
  readonly told: ReadonlyArray<string>
}

const FEW = 3
const shown = (long: ReadonlyArray<{ readonly id: string; readonly tokens: number }>): string =>
  long.slice(0, FEW).map(({ id, tokens }) => `${id} (${tokens} tokens)`).join(", ") + (long.length > FEW ? ", ..." : "")

/** Fits items of which each has a length in tokens; `cut` shortens one, or says that nothing is left of it. */
export const fittedBy = <A extends { readonly id: string }>(
  c: Pick<MediphiConfig, "excess_length" | "max_length" | "train_file">,
  items: ReadonlyArray<A>,
  what: string,
  tokens: (item: A) => number,
  cut: (item: A) => A | undefined
): Effect.Effect<Fitted<A>, ConfigError> => {
  const long = items.filter((item) => tokens(item) > c.max_length).map((item) => ({
    id: item.id,
    tokens: tokens(item)
  }))
  if (long.length === 0) return Effect.succeed({ kept: items, told: [] })
  const line = `${long.length} of ${items.length} ${what} exceed max_length (${c.max_length}): ${shown(long)}`
  const fail = (problem: string) => Effect.fail(new ConfigError({ source: c.train_file, problems: [problem] }))
  if (c.excess_length === "raise") {
    return fail(`${line}; raise max_length, or set excess_length: truncate (which cuts their ends) or skip`)
  }
  const skips = c.excess_length === "skip"
  const kept = items.flatMap((item) => tokens(item) <= c.max_length ? [item] : skips ? [] : cut(item) ?? [])
  if (kept.length === 0) return fail(`${line}; nothing is left that fits`)
  const lost = items.length - kept.length
  const told = skips
    ? [`${line}; they are left out`]
    : [`${line}; their ends are cut${lost === 0 ? "" : `, and ${lost} of which nothing is left to learn are left out`}`]
  return Effect.succeed({ kept, told })
}

/** The same for examples, which keep their beginnings. */
export const fitted = (c: MediphiConfig, examples: ReadonlyArray<Example>) =>
  fittedBy(c, examples, "examples", ({ ids }) => ids.length, ({ id, ids, learned }) => {
    const own = { id, ids: ids.slice(0, c.max_length), learned: learned.slice(0, c.max_length) }
    return learnedOf(own) === 0 ? undefined : own
  })
