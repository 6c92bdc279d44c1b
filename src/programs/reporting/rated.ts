/** What raters found, from the output of `anamnesis ratings read --json`; and what was checked of written answers, by arm. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { decodeFile } from "../../runtime/files/disk.ts"
import { type Hallucinated, hallucinatedOf } from "../analysis/hallucinated.ts"
import { type Arm, evaluatedOf } from "./statistics.ts"

const Bound = Schema.NullOr(Schema.Finite)
const Interval = { mean: Schema.Finite, low: Bound, high: Bound }

/** What is read of the output. */
const Rated = Schema.Struct({
  items: Schema.Natural,
  agreements: Schema.Array(Schema.Struct({
    raters: Schema.Tuple([Schema.String, Schema.String]),
    items: Schema.Natural,
    same: Bound,
    near: Bound,
    plain: Bound,
    linear: Bound,
    quadratic: Bound
  })),
  systems: Schema.Array(Schema.Struct({
    system: Schema.String,
    rater: Schema.String,
    items: Schema.Natural,
    mean: Schema.Struct(Interval),
    /** Against the first system. */
    against: Schema.optionalKey(Schema.Struct({ ...Interval, p: Bound }))
  })),
  flaws: Schema.Array(Schema.Struct({
    rater: Schema.String,
    missing: Schema.Array(Schema.String),
    outside: Schema.Array(Schema.String)
  }))
})
/** Ratings of several sheets, as a report shows them. */
export type Rated = typeof Rated.Type

/** The ratings of files, in their order. */
export const ratingsIn = (files: ReadonlyArray<string>) =>
  Effect.forEach(files, (path) => decodeFile(path, Schema.decodeUnknownEffect(Rated)))

/** Figures of the arms whose written answers were checked, over their checked seeds. */
export const hallucinationsOf = (arms: ReadonlyArray<Arm>): ReadonlyArray<Hallucinated> =>
  arms.flatMap((arm) => {
    const runs = evaluatedOf(arm).flatMap(({ checked }) => checked ? [checked] : [])
    const types = new Map(runs.flatMap((own) => [...own.types]))
    return runs.length === 0 ? [] : [hallucinatedOf(arm.name, runs, types)]
  })
