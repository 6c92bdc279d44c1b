/** Floating-point operations of runs, from the plans of `anamnesis plan --json`. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ConfigError } from "../../domain/settings/configure.ts"
import { decodeFile } from "../../runtime/files/disk.ts"
import type { Arm } from "./statistics.ts"

/** What is read of a plan. */
const Planned = Schema.Struct({
  steps: Schema.Natural,
  stepSize: Schema.Natural,
  probe: Schema.NullOr(Schema.Struct({
    work: Schema.Array(Schema.Struct({ flops: Schema.Finite })),
    index: Schema.Struct({ flops: Schema.Finite, times: Schema.Natural })
  }))
})

/** Of all steps, and of the index each time that it is made. */
export const totalOf = Effect.fnUntraced(function*(path: string) {
  const { probe, stepSize, steps } = yield* decodeFile(path, Schema.decodeUnknownEffect(Planned))
  if (probe) {
    const each = probe.work.reduce((sum, { flops }) => sum + flops, 0)
    return steps * stepSize * each + probe.index.times * probe.index.flops
  }
  return yield* new ConfigError({
    source: path,
    problems: ["was made without steps, which FLOPs are counted by: --steps"]
  })
})

/** Operations by arm; refuses a plan of an arm that there is not. */
export const flopsOf = Effect.fn("flopsOf")(
  function*(arms: ReadonlyArray<Arm>, plans: Readonly<Record<string, string>>) {
    const unknown = Object.keys(plans).filter((name) => !arms.some((arm) => arm.name === name))
    if (unknown.length > 0) {
      const problem = `no arm is named ${unknown.join(", ")}; there are ${arms.map(({ name }) => name).join(", ")}`
      return yield* new ConfigError({ source: "--plan", problems: [problem] })
    }
    return new Map(
      yield* Effect.forEach(
        Object.entries(plans),
        ([name, path]) => Effect.map(totalOf(path), (flops) => [name, flops] as const)
      )
    )
  }
)
