/** Heads: encoders of a query's picture that are trained, and begin as copies of a frozen encoder F (JOMED, Mazor & Hope). */
import { reshape, sum } from "../../op/broadcast.ts"
import { matmul } from "../../op/contract.ts"
import { add, mul, scale } from "../../op/elementwise.ts"
import { l2Normalise } from "../../op/normalise.ts"
import type { Shape, Tensor } from "../../Tensor.ts"
import { activations } from "../layers.ts"
import { type Module, module, normal, type Params, zeros } from "../Module.ts"
import { area } from "./positions.ts"
import { imageEncoder, imageEnd, type VisionConfig, visionTokens } from "./vision.ts"

/** What a head is: a copy of all of F, of its last `n` layers, or an adapter of `width` on F's vector. */
export type HeadKind =
  | { readonly kind: "copy" }
  | { readonly kind: "layers"; readonly n: number }
  | { readonly kind: "adapter"; readonly width: number }

/** A head: what it reads of a picture, [b, ...own], to a unit vector [b, size]. */
export interface Head extends Module<Params, [Tensor], Tensor> {
  /** Shape of its input for one picture: patches, hidden states, or F's vector. */
  readonly own: Shape
}

/**
 * F's vector x [b, size] -> (x + A₂ gelu(A₁ x)) / |...|: A₁ [width, size] is drawn, A₂ [size, width] begins as zero, so that
 * the head begins as F.
 */
const adapter = (size: number, width: number): Head => {
  const down = normal([width, size], 1 / Math.sqrt(size))
  const own = module({ down, up: zeros(size, width) }, (p, x: Tensor) => {
    const hidden = activations.gelu(matmul(x, p.down, false, true))
    return l2Normalise(add(x, matmul(hidden, p.up, false, true)))
  })
  return { ...(own as unknown as Module<Params, [Tensor], Tensor>), own: [size] }
}

/** The head of a kind on an encoder whose vectors have `size` numbers; copies of layers need the tower's config. */
export const headOf = (kind: HeadKind, size: number, vision?: VisionConfig): Head => {
  if (kind.kind === "adapter") return adapter(size, kind.width)
  if (vision === undefined) throw new TypeError("an encoder without a tower has no layers to copy")
  if (kind.kind === "layers") {
    return { ...imageEnd(vision, kind.n), own: [visionTokens(vision), vision.hidden_size] }
  }
  const width = vision.num_channels * vision.patch_size ** 2
  return { ...imageEncoder(vision), own: [area(vision.patches ?? vision.positions), width] }
}

/** λ H(q) + (1 - λ) F(q), as it is: unit vectors [b, size] each -> [b, size]. */
export const mixed = (head: Tensor, base: Tensor, weight: number): Tensor =>
  add(scale(head, weight), scale(base, 1 - weight))

/** Inner products of each query with its own passages: [b, size], [b, n, size] -> [b, n]. */
export const ownProducts = (queries: Tensor, docs: Tensor): Tensor => {
  const [b, , size] = docs.type.shape as readonly [number, number, number]
  return sum(mul(reshape(queries, [b, 1, size]), docs), [2])
}
