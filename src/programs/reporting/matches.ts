/** Matches of tokens for the first questions of a report: each arm's retriever is loaded again, from the checkpoint evaluated. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { checkpointFiles, parts } from "../../domain/fileNames.ts"
import { queryOf } from "../../domain/records/options.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import { exists, hashFile } from "../../runtime/files/disk.ts"
import { type QueryMatches, tokenMatcher } from "../../runtime/retrieval/tokenMatches.ts"
import { modeOf } from "../../systems/all.ts"
import { orTold, type Telling } from "./runs.ts"
import { type Arm, evaluatedOf } from "./statistics.ts"
import type { Texts } from "./texts.ts"

/** The matches of an arm's run, by question id and then by passage id. */
export interface Matches {
  readonly arm: string
  readonly seed: number
  readonly questions: ReadonlyMap<string, { readonly tokens: ReadonlyArray<string>; readonly passages: PassageMatches }>
}
type PassageMatches = ReadonlyMap<string, QueryMatches["passages"][number]>

type Run = ReturnType<typeof evaluatedOf>[number]

const unable = (run: Run, problem: string) =>
  new ConfigError({ source: `${run.arm}, seed ${run.seed}: matches of tokens are left out`, problems: [problem] })

/** The retriever's folder that a run was evaluated with; refuses a checkpoint that is another by now. */
const retrieverOf = Effect.fnUntraced(function*(run: Run) {
  const models = Object(run.evaluated.source["models"]) as Readonly<Record<string, unknown>>
  const checkpoint = models["checkpoint"]
  if (typeof checkpoint !== "string") return run.config!.retriever_name_or_path
  const manifest = join(checkpoint, checkpointFiles.manifest)
  if (!(yield* exists(manifest)) || (yield* hashFile(manifest)) !== models["sha256"]) {
    return yield* unable(run, `${checkpoint} is not there any more, or is another than was evaluated`)
  }
  const own = join(checkpoint, parts[0])
  return (yield* exists(own)) ? own : run.config!.retriever_name_or_path
})

const matchesIn = Effect.fnUntraced(function*(run: Run, ids: ReadonlyArray<string>, texts: Texts, most: number) {
  const { config } = run
  if (!config) return yield* unable(run, "its settings are not known")
  const { passages, retriever } = modeOf(config).traits
  if (passages !== "found" || !["frozen", "trained"].includes(retriever)) {
    return yield* unable(run, "it retrieves by no model of vectors")
  }
  const match = yield* tokenMatcher(yield* retrieverOf(run), config)
  if (!match) return yield* unable(run, "its retriever has one vector per text")
  const wanted = new Set(ids)
  const found = yield* Effect.forEach(
    run.evaluated.answered.filter(({ id }) => wanted.has(id) && texts.questions.has(id)),
    Effect.fnUntraced(function*({ id, top }) {
      const known = top.slice(0, most).map(([passage]) => passage).filter((passage) => texts.passages.has(passage))
      const query = queryOf(config)(texts.questions.get(id)!)
      const { passages, tokens } = yield* match(query, known.map((passage) => texts.passages.get(passage)!))
      return [id, { tokens, passages: new Map(known.map((passage, i) => [passage, passages[i]!])) }] as const
    })
  )
  return { arm: run.arm, seed: run.seed, questions: new Map(found) } satisfies Matches as Matches
}, Effect.scoped)

/** Matches of each arm under its first evaluated seed; arms for which there are none are told. */
export const matchesOf = Effect.fn("matchesOf")(function*(
  arms: ReadonlyArray<Arm>,
  ids: ReadonlyArray<string>,
  texts: Texts,
  most: number,
  telling: Telling
) {
  if (ids.length === 0) return []
  const runs = arms.flatMap((arm) => evaluatedOf(arm).slice(0, 1))
  const found = yield* Effect.forEach(runs, (run) =>
    orTold(
      telling,
      Effect.mapError(matchesIn(run, ids, texts, most), (error) =>
        error._tag === "ConfigError" ? error : unable(run, error.message))
    ))
  return found.filter((own) => own !== undefined)
})
