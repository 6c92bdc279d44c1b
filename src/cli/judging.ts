/** Flags that name a judge of answers: an endpoint's model, or our own reader. */
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { join } from "node:path"
import type { Judge } from "../programs/benchmarks/generative/outside.ts"
import { load } from "../programs/settings.ts"
import { endpointDefaults as defaults, readerAbout } from "../programs/writing/writers.ts"
import { writerOf } from "./writing.ts"

/** The flags by name. */
export const judging = {
  judgeEndpoint: Flag.String("judge-endpoint").pipe(
    Flag.withMetavar("address"),
    Flag.withDescription("OpenAI-compatible endpoint whose model judges answers (metrics llm_judge, llm_judge_pair)"),
    Flag.optional
  ),
  judgeModel: Flag.String("judge-model").pipe(Flag.withDescription("The judge's model there"), Flag.optional),
  judgeApiKeyEnv: Flag.String("judge-api-key-env").pipe(
    Flag.withMetavar("name"),
    Flag.withDescription("Variable of the environment that has the judge's key"),
    Flag.withDefault(defaults.api_key_env)
  ),
  judgeReader: Flag.File("judge-reader").pipe(
    Flag.withDescription("Settings of a run whose reader judges in place of an endpoint"),
    Flag.optional
  )
}

/** The values of the flags. */
export interface Judging {
  readonly judgeEndpoint: Option.Option<string>
  readonly judgeModel: Option.Option<string>
  readonly judgeApiKeyEnv: string
  readonly judgeReader: Option.Option<string>
}

/** Folder of a judge's answers, in that of results. */
const KEPT = "judge"

/** The judge that the flags name, deterministic where it can be; `undefined` if they name none. */
export const judgeOf = Effect.fnUntraced(function*(flags: Judging, out: string) {
  const { judgeApiKeyEnv, judgeEndpoint, judgeModel, judgeReader } = flags
  if (Option.isNone(judgeEndpoint) && Option.isNone(judgeReader) && Option.isNone(judgeModel)) return undefined
  const layer = yield* writerOf({
    endpoint: judgeEndpoint,
    model: judgeModel,
    apiKeyEnv: judgeApiKeyEnv,
    reader: judgeReader,
    temperature: "0",
    seed: defaults.seed,
    concurrency: defaults.concurrency,
    requestsPerMinute: defaults.requests_per_minute,
    timeout: defaults.timeout,
    tokenBudget: 0,
    cache: Option.some(join(out, KEPT))
  }, out)
  const identity = Option.isSome(judgeReader)
    ? yield* readerAbout(yield* load(judgeReader.value, {}))
    : { endpoint: Option.getOrThrow(judgeEndpoint), model: Option.getOrThrow(judgeModel) }
  return { layer, identity } satisfies Judge as Judge
})
