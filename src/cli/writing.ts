/** Flags of commands that have a model write: an endpoint's, or those of our own reader. */
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { besideWritten } from "../domain/fileNames.ts"
import { columns } from "../domain/textTable.ts"
import { load } from "../programs/settings.ts"
import type { Estimate } from "../programs/synthesize/pipeline.ts"
import {
  endpoint,
  endpointDefaults as defaults,
  type EndpointOptions,
  reader,
  type WriterLayer,
  type WritingOptions
} from "../programs/writing/writers.ts"
import { refuse } from "./command.ts"

/** The flags by name. */
export const writing = {
  endpoint: Flag.String("endpoint").pipe(
    Flag.withMetavar("address"),
    Flag.withDescription("OpenAI-compatible endpoint that writes, such as https://host/v1"),
    Flag.optional
  ),
  model: Flag.String("model").pipe(Flag.withDescription("The endpoint's model"), Flag.optional),
  apiKeyEnv: Flag.String("api-key-env").pipe(
    Flag.withMetavar("name"),
    Flag.withDescription("Variable of the environment that has the endpoint's key"),
    Flag.withDefault(defaults.api_key_env)
  ),
  reader: Flag.File("reader").pipe(
    Flag.withDescription("Settings of a run whose reader writes in place of an endpoint"),
    Flag.optional
  ),
  temperature: Flag.String("temperature").pipe(
    Flag.withMetavar("number"),
    Flag.withDescription("Sampling temperature; \"default\" for the model's own"),
    Flag.withDefault(String(defaults.temperature))
  ),
  seed: Flag.Int("seed").pipe(
    Flag.withDescription("Seed of the samples; endpoints may ignore it"),
    Flag.withDefault(defaults.seed)
  ),
  concurrency: Flag.Int("concurrency").pipe(
    Flag.withDescription("Requests to the endpoint at once"),
    Flag.withDefault(defaults.concurrency)
  ),
  requestsPerMinute: Flag.Int("requests-per-minute").pipe(
    Flag.withDescription("Most requests to the endpoint a minute; 0 for no limit"),
    Flag.withDefault(defaults.requests_per_minute)
  ),
  timeout: Flag.Int("timeout").pipe(
    Flag.withDescription("Seconds to wait for an answer of the endpoint"),
    Flag.withDefault(defaults.timeout)
  ),
  tokenBudget: Flag.Int("token-budget").pipe(
    Flag.withDescription("Stop before requests and answers take more tokens than this; 0 for no limit"),
    Flag.withDefault(defaults.token_budget)
  ),
  cache: Flag.Path("cache").pipe(
    Flag.withDescription("Folder where answers are kept: what is in it is not asked for again (default: OUT.answers)"),
    Flag.optional
  )
}

/** Files in place of calls, for commands whose requests do not follow from each other's answers. */
export const batching = {
  batch: Flag.Path("batch").pipe(
    Flag.withMetavar("file"),
    Flag.withDescription(
      "Write requests to OpenAI batch files (50,000 lines or 200 MB each) in place of making them; the output is written once "
        + "all are answered"
    ),
    Flag.optional
  ),
  answers: Flag.File("answers").pipe(
    Flag.withDescription("Read a batch's answers or errors, in any order, and keep the answers; repeat for more"),
    Flag.atLeast(0)
  )
}

/** Whether to tell what would be asked, in place of asking. */
export const dryRun = Flag.Boolean("dry-run").pipe(
  Flag.withDescription("Print prompts and an estimate; ask for nothing"),
  Flag.withDefault(false)
)

/** The values of the flags. */
export interface Writing {
  readonly endpoint: Option.Option<string>
  readonly model: Option.Option<string>
  readonly apiKeyEnv: string
  readonly reader: Option.Option<string>
  readonly temperature: string
  readonly seed: number
  readonly concurrency: number
  readonly requestsPerMinute: number
  readonly timeout: number
  readonly tokenBudget: number
  readonly cache: Option.Option<string>
  readonly batch?: Option.Option<string>
  readonly answers?: ReadonlyArray<string>
}

/** The files that stand in for calls, if any do. */
const filesOf = ({ answers = [], batch = Option.none() }: Writing): EndpointOptions["batch"] =>
  Option.isNone(batch) && answers.length === 0 ? undefined : { requests: Option.getOrUndefined(batch), answers }

/** What is wrong with the flags. */
const problemsOf = (flags: Writing): ReadonlyArray<string> => {
  const { concurrency, endpoint, model, reader, requestsPerMinute, seed, temperature, timeout, tokenBudget } = flags
  const [ours, theirs] = [Option.isSome(reader), Option.isSome(endpoint)]
  return [
    ours === theirs && "name one writer: --endpoint ADDRESS with --model NAME, or --reader SETTINGS",
    theirs && Option.isNone(model) && "--endpoint needs a --model",
    ours && Option.isSome(model) && "--model is one of an endpoint; --reader has its own",
    temperature !== "default" && !(Number(temperature) >= 0 && Number(temperature) <= 10 && temperature.trim() !== "")
    && "--temperature must be a number from 0 to 10, or \"default\"",
    filesOf(flags) !== undefined && ours && "--batch and --answers are of an endpoint; --reader answers at once",
    Option.isSome(flags.batch ?? Option.none()) && tokenBudget > 0 && "--token-budget is of calls; --batch makes none",
    concurrency < 1 && "--concurrency must be at least 1",
    timeout < 1 && "--timeout must be at least 1",
    ([["requests-per-minute", requestsPerMinute], ["token-budget", tokenBudget], ["seed", seed]] as const).flatMap((
      [name, value]
    ) => value < 0 ? [`--${name} must be at least 0`] : [])
  ].flat().filter((problem) => problem !== false)
}

/** The layer of the writer that the flags name; `out` is what it writes for. */
export const writerOf = Effect.fnUntraced(function*(flags: Writing, out: string) {
  const problems = problemsOf(flags)
  if (problems.length > 0) return yield* refuse("writer", ...problems)
  const common: WritingOptions = {
    seed: flags.seed,
    temperature: flags.temperature === "default" ? undefined : Number(flags.temperature),
    cache: Option.getOrElse(flags.cache, () => besideWritten.answers(out)),
    token_budget: flags.tokenBudget
  }
  if (Option.isSome(flags.reader)) return reader(yield* load(flags.reader.value, {}), common) as WriterLayer
  return endpoint({
    ...defaults,
    ...common,
    base_url: Option.getOrThrow(flags.endpoint),
    model: Option.getOrThrow(flags.model),
    api_key_env: flags.apiKeyEnv,
    concurrency: flags.concurrency,
    requests_per_minute: flags.requestsPerMinute,
    timeout: flags.timeout,
    batch: filesOf(flags)
  }) as WriterLayer
})

/** An estimate for people. */
export const estimated = ({ items, kept, later, prompts, requests, tokens, writer }: Estimate): string =>
  [
    ...prompts.map((prompt, i) => `--- prompt ${i + 1}\n${prompt}`),
    "---",
    columns([
      ["writer", writer],
      ["items", String(items)],
      ["requests", String(requests)],
      ["answered already", String(kept)],
      ["tokens at most, about", String(tokens)],
      ...(later === undefined ? [] : [["requests of later stages, at most", String(later)]])
    ], () => true)
  ].join("\n")
