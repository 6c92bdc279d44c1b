/** What a merge method computes with: one tensor as all models have it, and the parameters of its merge. */
import { type Half, round, rounding } from "../../../kernels/half.ts"

/** The element type that a tensor is merged in. */
export type Dtype = "float32" | Half

/** Rounds a number to an element type. */
export type Round = (x: number) => number

/** The rounding of an element type. */
export const rounded = (dtype: Dtype): Round => dtype === "float32" ? Math.fround : rounding(dtype)

/** Rounds values, which are float32, to an element type in place. */
export const settle = (values: Float32Array, dtype: Dtype): void => {
  if (dtype !== "float32") round(values, dtype)
}

/** Values of parameters by name; a parameter whose default is null may be left out. */
export type Parameters = Readonly<Record<string, number | boolean>>

/** The `i`-th of a model's random numbers for this tensor, uniform on [0, 1). */
export type Uniform = (i: number) => number

/** A model's tensor. */
export interface Input {
  /** Row-major; methods may overwrite them. */
  readonly values: Float32Array
  readonly isBase: boolean
  /** The model's own parameters, such as its weight. */
  readonly parameters: Parameters
  readonly uniform: Uniform
}

/** A tensor to be merged. */
export interface Group {
  readonly shape: ReadonlyArray<number>
  /** The type of all values, which results are rounded to. */
  readonly dtype: Dtype
  /** In the order of the config, the base among them if the method has one. */
  readonly inputs: ReadonlyArray<Input>
  /** Parameters that all models share, such as `normalize`. */
  readonly shared: Parameters
}

/** The base's tensor; `undefined` without a base. */
export const baseOf = ({ inputs }: Group): Float32Array | undefined => inputs.find(({ isBase }) => isBase)?.values

/** All tensors but the base's. */
export const othersOf = ({ inputs }: Group): ReadonlyArray<Input> => inputs.filter(({ isBase }) => !isBase)

/** A parameter that is a number. */
export const numberOf = (parameters: Parameters, name: string): number => Number(parameters[name])

/** A condition under which a tensor cannot be merged, such as vectors that cancel; the message says which. */
export class Unmergeable extends Error {}

/** The inner product of two vectors, in float64. */
export const dot = (a: Float32Array, b: Float32Array): number => {
  let total = 0
  for (let i = 0; i < a.length; i++) total += a[i]! * b[i]!
  return total
}

/** Euclidean length of a vector, in float64. */
export const length = (v: Float32Array): number => Math.sqrt(dot(v, v))
