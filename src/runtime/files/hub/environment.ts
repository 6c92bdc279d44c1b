/**
 * The environment variables of the Hub's clients, with the meanings and defaults they have in `huggingface_hub`:
 * `HF_HOME`, `HF_HUB_CACHE`, `HF_TOKEN`, `HF_TOKEN_PATH`, `HF_ENDPOINT`, `HF_HUB_OFFLINE` and timeouts; and our own
 * `ANAMNESIS_MODELS`. An empty variable counts as unset.
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { homedir } from "node:os"
import { join } from "node:path"
import { brief } from "../../../domain/brief.ts"
import { exists, readText } from "../disk.ts"
import { HubError } from "./errors.ts"

/** How the Hub is reached. */
export interface Online {
  /** Without a trailing slash. */
  readonly endpoint: string
  readonly token: Redacted.Redacted | undefined
  /** Milliseconds until the headers of an answer, and between pieces of its body. */
  readonly patience: { readonly headers: number; readonly body: number }
  /** A variable that names a proxy, which Node does not use unless it is told to. */
  readonly unusedProxy: string | undefined
}

const ENDPOINT = "https://huggingface.co"

const variable = (name: string): Effect.Effect<string> =>
  Effect.orDie(Effect.map(Config.String(name).pipe(Config.withDefault("")), (text) => text.trim()))

/** The first of these variables that is set. */
const first = Effect.fnUntraced(function*(...names: ReadonlyArray<string>) {
  for (const name of names) {
    const found = yield* variable(name)
    if (found !== "") return found
  }
  return ""
})

const isTrue = (text: string): boolean => ["1", "ON", "YES", "TRUE"].includes(text.toUpperCase())
const flag = (...names: ReadonlyArray<string>) => Effect.map(first(...names), isTrue)

/** A path with `~` and variables expanded; unset ones are left as they are, as in Python. */
const expanded = Effect.fnUntraced(function*(path: string) {
  const names = [...path.matchAll(/\$(?:\{(\w+)\}|(\w+))/g)].map((match) => match[1] ?? match[2]!)
  const values = new Map<string, string>()
  for (const name of names) values.set(name, yield* variable(name))
  return path
    .replace(/\$(?:\{(\w+)\}|(\w+))/g, (whole, braced, bare) => values.get(braced ?? bare) || whole)
    .replace(/^~(?=\/|$)/, homedir())
})

const home = Effect.gen(function*() {
  const own = yield* first("HF_HOME")
  if (own !== "") return yield* expanded(own)
  const caches = yield* first("XDG_CACHE_HOME")
  return join(caches === "" ? join(homedir(), ".cache") : yield* expanded(caches), "huggingface")
})

/** The folder of cached models: `HF_HUB_CACHE`, else `hub` in `HF_HOME`. */
export const cache = Effect.gen(function*() {
  const own = yield* first("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")
  return own === "" ? join(yield* home, "hub") : yield* expanded(own)
})

/** The variable of `models`. */
export const MODELS = "ANAMNESIS_MODELS"

/** The folder from which all models of the Hub are taken, instead of the Hub and its cache; `undefined` without one. */
export const models = Effect.gen(function*() {
  const folder = yield* first(MODELS)
  return folder === "" ? undefined : yield* expanded(folder)
})

/** Whether requests are forbidden: `HF_HUB_OFFLINE`, or `TRANSFORMERS_OFFLINE`. */
export const offline = flag("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")

/** The token of the environment, else of the file that logging in writes. */
const token = Effect.gen(function*() {
  if (yield* flag("HF_HUB_DISABLE_IMPLICIT_TOKEN")) return undefined
  const given = yield* first("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
  if (given !== "") return Redacted.make(given)
  const named = yield* first("HF_TOKEN_PATH")
  const path = named === "" ? join(yield* home, "token") : yield* expanded(named)
  const text = (yield* exists(path)) ? (yield* readText(path)).trim() : ""
  return text === "" ? undefined : Redacted.make(text)
})

/** Seconds of a variable as milliseconds. */
const seconds = Effect.fnUntraced(function*(model: string, name: string, otherwise: number) {
  const text = yield* first(name)
  if (text === "") return otherwise * 1000
  if (/^\d+$/.test(text) && Number(text) > 0) return Number(text) * 1000
  const reason = `${name}: must be a whole number of seconds, at least 1; given ${brief(text)}`
  return yield* new HubError({ model, kind: "environment", reason })
})

const endpoint = Effect.fnUntraced(function*(model: string) {
  const text = ((yield* first("HF_ENDPOINT")) || ENDPOINT).replace(/\/+$/, "")
  if (/^https?:$/.test(URL.parse(text)?.protocol ?? "")) return text
  const reason = `HF_ENDPOINT: must be an address such as ${ENDPOINT}; given ${brief(text)}`
  return yield* new HubError({ model, kind: "environment", reason })
})

const unusedProxy = Effect.gen(function*() {
  if ((yield* variable("NODE_USE_ENV_PROXY")) === "1") return undefined
  for (const name of ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"]) {
    if ((yield* variable(name)) !== "") return name
  }
  return undefined
})

/** How the Hub is reached; the error names `model`. */
export const online = Effect.fnUntraced(function*(model: string) {
  return {
    endpoint: yield* endpoint(model),
    token: yield* token,
    unusedProxy: yield* unusedProxy,
    patience: {
      headers: yield* seconds(model, "HF_HUB_ETAG_TIMEOUT", 10),
      body: yield* seconds(model, "HF_HUB_DOWNLOAD_TIMEOUT", 10)
    }
  } satisfies Online as Online
})
