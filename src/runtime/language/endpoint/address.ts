/** Where an endpoint is, and the key it wants, which only the environment has. */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { brief } from "../../../domain/brief.ts"
import { EndpointRefused } from "../../ports/Writer.ts"

/** The variable that has the key unless another one is named. */
export const KEY = "ENDPOINT_API_KEY"

const refuse = (endpoint: string, reason: string) => new EndpointRefused({ endpoint, kind: "settings", reason })

/** An address without what may be secret in it, to be named in messages and in the keys of the cache. */
const shownOf = (url: URL): string => `${url.origin}${url.pathname}`.replace(/\/+$/, "")

const isLocal = ({ hostname }: URL): boolean => /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname)

/** The address of chat completions under a base address, such as `https://host/v1`. */
export const addressOf = Effect.fnUntraced(function*(base: string) {
  const url = URL.parse(base.trim())
  if (url === null || !/^https?:$/.test(url.protocol)) {
    return yield* refuse("endpoint", "must be an address such as https://host/v1; what is given is none")
  }
  const shown = shownOf(url).replace(/\/chat\/completions$/, "")
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    const reason = "the address must be without a user, a password, a query and a fragment; keys are taken from the "
      + `environment (${KEY})`
    return yield* refuse(shown, reason)
  }
  return { base: shown, url: `${shown}/chat/completions`, bare: url.protocol === "http:" && !isLocal(url) }
})

/** The key in a variable, if it is set; warns if it would go over the network in the clear. */
export const keyIn = Effect.fnUntraced(function*(name: string, { bare, base }: { base: string; bare: boolean }) {
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(name)) {
    return yield* refuse(
      base,
      "the key is given by the name of a variable of the environment; what is given is no name"
    )
  }
  const given = yield* Effect.orDie(Effect.map(Config.String(name).pipe(Config.withDefault("")), (text) => text.trim()))
  if (given === "") {
    if (name === KEY) return undefined
    return yield* refuse(base, `the environment has no ${brief(name)}, which is to have the key`)
  }
  // oxlint-disable-next-line no-control-regex
  if (/[^\u0021-\u007e]/.test(given)) return yield* refuse(base, `${name} holds characters that no key has`)
  if (bare) yield* Effect.logWarning(`${base}: the key is sent in the clear, as the address is not https`)
  return Redacted.make(given)
})
