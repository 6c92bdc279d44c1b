/** Program: opens the writer that a command is given, an endpoint or our own reader. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { fromRecords } from "../../datasets/dataset.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { aboutOf } from "../../domain/settings/setting.ts"
import * as Endpoint from "../../runtime/language/endpoint/endpoint.ts"
import * as Local from "../../runtime/language/local.ts"
import * as Corpus from "../../runtime/ports/Corpus.ts"
import type { Writer } from "../../runtime/ports/Writer.ts"
import { modeOf, systemOf } from "../../systems/all.ts"
import { decisive } from "../identity.ts"
import { answering } from "../prepare.ts"
import { trained } from "../run.ts"

/** How a writer draws its answers, and what it may take; the same for both kinds. */
export interface WritingOptions {
  readonly seed: number
  /** `undefined`: the model's own. */
  readonly temperature: number | undefined
  readonly cache: string
  readonly token_budget: number
}

/** An endpoint's settings. */
export type EndpointOptions = Endpoint.EndpointSettings

/** What the answers of our reader depend on besides its files. */
const identityOf = (c: RunConfig) => {
  const { fields } = systemOf(c).spec
  const answers = Object.entries(c).filter(([key]) => aboutOf(fields[key]!).affects === "answers")
  return { ...Object.fromEntries(answers), ...Object.fromEntries(decisive.map((key) => [key, c[key]])) }
}

/** The settings of the system's mode that reads without a retriever, which need not be loaded then. */
export const closedBook = (c: RunConfig): RunConfig => {
  const found = Object.entries(systemOf(c).spec.modes).find(([, { passages, questions, reader, retriever }]) =>
    passages === "none" && questions === "given" && reader !== "none" && retriever === "none"
  )
  return found === undefined ? c : { ...c, mode: found[0] }
}

/** The settings with how a writer draws. */
const drawing = (c: RunConfig, temperature: number | undefined): RunConfig =>
  temperature === undefined ? c : { ...c, do_sample: temperature > 0, temperature }

/** Texts that a reader writes at a time under `per_device_eval_batch_size: auto`. */
const BATCH = 16

/** The layer of a run's reader as a writer; excess length is an error of the one request. */
export const reader = (given: RunConfig, { cache, seed, temperature, token_budget }: WritingOptions) =>
  Layer.unwrap(Effect.gen(function*() {
    const { config: own } = yield* trained(given)
    const config = drawing(closedBook({ ...own, excess_length: "raise" }), temperature)
    if (modeOf(config).traits.reader === "none") {
      return yield* new ConfigError({ source: `mode ${config.mode}`, problems: ["has no reader that could write"] })
    }
    if (!config.apply_chat_template) {
      yield* Effect.logWarning(
        `${config.reader_name_or_path}: is asked without its chat template (apply_chat_template: false)`
      )
    }
    const name = config.reader_name_or_path
    const identity = { ...identityOf(config), model: yield* Local.identityOf(name) }
    const batch = typeof config.per_device_eval_batch_size === "number" ? config.per_device_eval_batch_size : BATCH
    return Local.layer({ name, identity, seed, batch, cache, token_budget }).pipe(
      Layer.provide(answering(config, fromRecords([])))
    )
  }))

/** The layer of an endpoint as a writer. */
export const endpoint = Endpoint.layer

/** A writer of either kind. */
export type WriterLayer<A extends Layer.Any = ReturnType<typeof endpoint> | ReturnType<typeof reader>> = Layer.Layer<
  Writer,
  Layer.Error<A>,
  Layer.Services<A>
>

/** What the answers of a run's reader depend on. */
export const readerAbout = Effect.fnUntraced(function*(given: RunConfig) {
  const { config } = yield* trained(given)
  return { ...identityOf(closedBook(config)), model: yield* Local.identityOf(config.reader_name_or_path) }
})

/** Settings of an endpoint where users do not say otherwise. */
export const endpointDefaults = Endpoint.defaults

/** The layer of a run's retriever over a corpus that is yet to be given, for scores of texts. */
export const scorer = Effect.fnUntraced(function*(given: RunConfig) {
  const { config } = yield* trained(given)
  const { retriever } = modeOf(config).traits
  if (retriever !== "frozen" && retriever !== "trained") {
    const problem = "has no retriever that scores a text by itself; name a mode with one, such as --set mode=joint"
    return yield* new ConfigError({ source: `mode ${config.mode}`, problems: [problem] })
  }
  return Layer.unwrap(Effect.map(Corpus.Corpus, (corpus) => answering({ ...config, index_path: "" }, corpus)))
})
