/** The data of a run that learns from texts: its rows, and those that are held out. */
import * as Effect from "effect/Effect"
import * as Dataset from "../../datasets/dataset.ts"
import { spread } from "../../datasets/splits.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import { stepsOf } from "../../domain/settings/contradictions.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { stepSize } from "../../domain/settings/training.ts"
import { sha256 } from "../../runtime/files/disk.ts"
import type { HeldOut, TextRows, TokenRows } from "../../systems/System.ts"
import { beyondMemory } from "../costs/limits.ts"
import { tell, told } from "../telling.ts"

const hashOf = (ids: ReadonlyArray<number>): string => sha256(ids.join())

/** How many held-out texts are learned too. */
const learnedToo = (learned: TokenRows, held: TokenRows): number => {
  const hashes = new Set(held.texts.map(hashOf))
  const found = new Set(learned.texts.map(hashOf).filter((hash) => hashes.has(hash)))
  return held.texts.filter((ids) => found.has(hashOf(ids))).length
}

/** The held-out rows, and warnings of what makes their figures say less. */
const heldOutOf = Effect.fnUntraced(function*(c: RunConfig, learned: TokenRows, { file, read }: HeldOut) {
  const held = yield* told(file, read)
  if (held.records.length === 0) return yield* new ConfigError({ source: file, problems: ["has no rows to judge"] })
  const same = learnedToo(learned, held)
  const few = c.max_eval_samples > 0 && held.records.length > c.max_eval_samples
  yield* tell(file, [
    ...same > 0 ? [`${same} of ${held.texts.length} texts are learned too: their figures say less of others`] : [],
    ...few ? [`${c.max_eval_samples} of ${held.records.length} rows are judged (max_eval_samples)`] : []
  ])
  return few ? spread(held.records, c.max_eval_samples) : held.records
})

/** What a run on texts learns, for how many steps, and what is held out of it. */
export const textsOf = Effect.fnUntraced(function*(c: RunConfig, { heldOut, read }: TextRows) {
  const learned = yield* told(c.train_file, read)
  const { counts, records } = learned
  if (records.length < stepSize(c)) {
    yield* tell(c.train_file, [`a step takes ${stepSize(c)} rows of ${records.length}: it learns some more than once`])
  }
  const problem = beyondMemory(c)
  if (problem !== false) return yield* new ConfigError({ source: `mode ${c.mode}`, problems: [problem] })
  const steps = stepsOf(c, records.length)
  if (typeof steps === "string") return yield* new ConfigError({ source: `mode ${c.mode}`, problems: [steps] })
  return {
    passages: Dataset.fromRecords([]),
    empty: new Set<string>(),
    config: { ...c, max_steps: steps },
    rows: c.train_file,
    epochs: () => records,
    counts,
    heldOut: heldOut && (yield* heldOutOf(c, learned, heldOut))
  }
})
