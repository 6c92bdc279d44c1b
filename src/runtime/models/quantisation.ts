/** A model's frozen matrices, quantised one at a time as they are read. */
import * as Effect from "effect/Effect"
import type { ModelSettings } from "../../domain/settings/model.ts"
import { bytesText } from "../../domain/units.ts"
import type { Param } from "../../kernels/nn/Module.ts"
import { arraysOf } from "../../kernels/nn/quantised.ts"
import { type Blocks, quantise, type rules } from "../../kernels/quantise.ts"
import type { LoadOptions } from "../files/weights.ts"

/** How matrices are quantised. */
export interface Quantisation extends Blocks {
  readonly rule: keyof typeof rules
}

/**
 * The quantisation of the settings; `undefined` for none. Eight bits are symmetric. Four use the whole range of a block:
 * of sixteen values one more is worth having.
 */
export const quantisationOf = (
  { quantization, quantization_block_size: size }: Pick<ModelSettings, "quantization" | "quantization_block_size">
): Quantisation | undefined => {
  switch (quantization) {
    case "none":
      return undefined
    case "int8":
      return { bits: 8, size, rule: "symmetric" }
    case "int4":
      return { bits: 4, size, rule: "asymmetric" }
  }
}

/** Quantises the matrices of the paths for which `frozen` holds. */
export interface Packer {
  /** The blocks of a parameter; `undefined` if it is not quantised. */
  readonly chosen: (path: string, param: Param) => Blocks | undefined
  /** The values of a parameter's parts in place of its own; `undefined` if it is not quantised. */
  readonly pack: NonNullable<LoadOptions["pack"]>
  /** Logs how many matrices were quantised, their size before and after, and the largest error. */
  readonly tell: (folder: string) => Effect.Effect<void>
}

/** A packer of the frozen matrices: linear maps and embedding tables; norms and biases stay as they are. */
export const packer = (quantisation: Quantisation, frozen: (path: string) => boolean): Packer => {
  const { bits, rule, size } = quantisation
  let [matrices, before, after, most, worst] = [0, 0, 0, 0, ""]
  const chosen: Packer["chosen"] = (path, { shape }) => shape.length === 2 && frozen(path) ? { bits, size } : undefined
  return {
    chosen,
    pack: (path, param, values) => {
      const blocks = chosen(path, param)
      if (blocks === undefined) return undefined
      const made = quantise(values, param.shape[1]!, blocks, rule)
      const arrays = arraysOf(path, made)
      matrices++
      before += values.byteLength
      after += arrays.reduce((sum, [, { byteLength }]) => sum + byteLength, 0)
      if (made.error >= most) [most, worst] = [made.error, path]
      return arrays
    },
    tell: (folder) =>
      matrices === 0 ? Effect.void : Effect.logInfo(
        `${folder}: ${matrices} frozen matrices in ${bits} bits (blocks of ${size}), ${
          bytesText(before)
        } in float32 now `
          + `${bytesText(after)}; the largest error is ${most.toPrecision(3)}, in ${worst}`
      )
  }
}
