/** What settings may be. */
import * as Schema from "effect/Schema"

/** An integer from 1 on. */
export const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
/** An integer from 0 on. */
export const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
/** A number of steps, or -1. */
export const MaybeSteps = Schema.Int.check(Schema.isGreaterThanOrEqualTo(-1))

/** Programs compute in float32, in which less than this is 0 and more than its greatest number infinite. */
const [LEAST, GREATEST] = [2 ** -126, (2 - 2 ** -23) * 2 ** 127]
const inFloat32 = Schema.makeFilter((value: number) =>
  value === 0 || (Math.abs(value) >= LEAST && Math.abs(value) <= GREATEST) || "is beyond what float32 can hold"
)
/** A number above 0 that float32 holds. */
export const Positive = Schema.Finite.check(Schema.isGreaterThan(0), inFloat32)
/** A number from 0 on that float32 holds. */
export const NonNegative = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0), inFloat32)
/** A number from 0 to 1. */
export const Share = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
/** The share of an old mean that a new one keeps: 1 would keep all of it. */
export const Decay = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0), Schema.isLessThan(1))
/** The share of activations that dropout leaves out. */
export const Rate = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 0.99 }))

/** Nobody but a shell knows what `~` and `$HOME` stand for: a folder of that name would be made. */
const asNamed = Schema.makeFilter((path: string) => {
  if (path.includes("\0")) return "holds a null character"
  return !/^(~(\/|$)|\$)/.test(path) || "is taken literally: ~ and variables are not expanded; write the path in full"
})
/** A path of a file or folder. */
export const Path = Schema.NonEmptyString.check(asNamed)
/** A path, or nothing. */
export const MaybePath = Schema.String.check(asNamed)

/** Modules by the last names of their paths, or a pattern of whole paths. */
export const Modules = Schema.Union([Schema.NonEmptyString, Schema.Array(Schema.NonEmptyString)])
/** Values by field. */
export const Where = Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Finite]))
