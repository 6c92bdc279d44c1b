/** When requests may start: so many a minute, and none while the endpoint asks for a pause. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** Milliseconds of a duration such as "1s", "6m0s" or "120ms"; `undefined` if it is none. */
export const durationOf = (text: string): number | undefined => {
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(text)) return undefined
  const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const
  return [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * units[unit as keyof typeof units],
    0
  )
}

/** The longest pause that is taken for a quota that is used up, in milliseconds; a refusal may ask for longer ones. */
const LONGEST = 60_000

/** Milliseconds until a quota that the headers of an answer call used up is renewed; 0 if none is. */
export const usedUp = (headers: Readonly<Record<string, string | undefined>>): number =>
  Math.max(
    0,
    ...["requests", "tokens"].map((what) =>
      headers[`x-ratelimit-remaining-${what}`]?.trim() === "0"
        ? Math.min(durationOf(headers[`x-ratelimit-reset-${what}`]?.trim() ?? "") ?? 0, LONGEST)
        : 0
    )
  )

/** `perMinute`: most requests a minute, evenly spaced; 0 for no limit. */
export const make = (perMinute: number) => {
  const interval = perMinute > 0 ? 60_000 / perMinute : 0
  let [next, closed] = [0, 0]
  /** Waits for a turn. */
  const pass: Effect.Effect<void> = Effect.gen(function*() {
    const now = yield* Clock.currentTimeMillis
    const own = Math.max(now, next)
    next = own + interval
    yield* Effect.sleep(own - now)
    for (let left = closed - own; left > 0; left = closed - (yield* Clock.currentTimeMillis)) yield* Effect.sleep(left)
  })
  /** No request passes for so many milliseconds. */
  const pause = (milliseconds: number) =>
    Effect.map(Clock.currentTimeMillis, (now) => void (closed = Math.max(closed, now + milliseconds)))
  return { pass, pause }
}
/** When requests may start. */
export type Gate = ReturnType<typeof make>
