/** Value types of settings. */
import * as Schema from "effect/Schema"

/** An integer of at least 1. */
export const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
/** An integer of at least 0. */
export const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
/** A number of steps, or -1. */
export const MaybeSteps = Schema.Int.check(Schema.isGreaterThanOrEqualTo(-1))

/** The smallest normal and the largest finite float32: programs compute in float32. */
const [LEAST, GREATEST] = [2 ** -126, (2 - 2 ** -23) * 2 ** 127]
const inFloat32 = Schema.makeFilter((value: number) =>
  value === 0 || (Math.abs(value) >= LEAST && Math.abs(value) <= GREATEST) || "is beyond what float32 can hold"
)
/** A positive number in float32's range. */
export const Positive = Schema.Finite.check(Schema.isGreaterThan(0), inFloat32)
/** A number of at least 0 in float32's range. */
export const NonNegative = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0), inFloat32)
/** A number from 0 to 1. */
export const Share = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
/** The decay of a moving average, in [0, 1). */
export const Decay = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0), Schema.isLessThan(1))
/** A dropout rate. */
export const Rate = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 0.99 }))

/** Refuses `~` and `$HOME`, which only shells expand: a folder of that literal name would be created. */
const asNamed = Schema.makeFilter((path: string) => {
  if (path.includes("\0")) return "holds a null character"
  return !/^(~(\/|$)|\$)/.test(path) || "is taken literally: ~ and variables are not expanded; write the path in full"
})
/** A path of a file or folder. */
export const Path = Schema.NonEmptyString.check(asNamed)
/** A path, or an empty string. */
export const MaybePath = Schema.String.check(asNamed)

/** Modules by the last component of their names, or a pattern for full names. */
export const Modules = Schema.Union([Schema.NonEmptyString, Schema.Array(Schema.NonEmptyString)])
/** Values by field. */
export const Where = Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Finite]))
