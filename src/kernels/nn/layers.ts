/** Linear layers, embeddings and norms, with PyTorch's parameter names and layouts; LoRA adapts the first two. */
import * as Nd from "../NdArray.ts"
import { reshape } from "../op/broadcast.ts"
import { affine, matmul } from "../op/contract.ts"
import { gelu, geluTanh, mul, scale, sigmoid, silu } from "../op/elementwise.ts"
import { gather, slice } from "../op/gather.ts"
import * as Normalise from "../op/normalise.ts"
import { relu } from "../op/select.ts"
import { constant, type Tensor } from "../Tensor.ts"
import { plus } from "./lora.ts"
import { lookup, type Module, module, normal, ones, type Param, zeros } from "./Module.ts"

/** x σ(1.702 x): the approximation of GELU that CLIP's release was trained with (Hendrycks & Gimpel 2016). */
const quickGelu = (x: Tensor): Tensor => mul(x, sigmoid(scale(x, 1.702)))

/** Activations by their `hidden_act` name. */
export const activations = {
  silu,
  swish: silu,
  gelu,
  gelu_new: geluTanh,
  gelu_pytorch_tanh: geluTanh,
  quick_gelu: quickGelu,
  relu
}
/** Name of an activation in Hugging Face configs. */
export type Activation = keyof typeof activations

/** Splits the last axis into consecutive parts of the given sizes. */
export const parts = (x: Tensor, sizes: ReadonlyArray<number>): ReadonlyArray<Tensor> => {
  let end = 0
  return sizes.map((size) => slice(x, -1, end, end += size))
}

/** Applies a map of rows to the last axis: x [..., in] -> [..., out], as one product over all rows. */
const rowwise = (x: Tensor, f: (rows: Tensor) => Tensor): Tensor => {
  if (x.type.shape.length === 2) return f(x)
  const rows = f(reshape(x, [-1, x.type.shape.at(-1)!]))
  return reshape(rows, [...x.type.shape.slice(0, -1), rows.type.shape[1]!])
}

/** weight [out, in], bias [out]. */
export type LinearParams = { readonly weight: Param; readonly bias?: Param }

/** x Wᵀ, plus b if there is a bias: x [..., in] -> [..., out]. */
export const linear = (
  from: number,
  to: number,
  std: number,
  bias = false
): Module<LinearParams, [Tensor], Tensor> =>
  module(
    { weight: normal([to, from], std), ...(bias ? { bias: zeros(to) } : {}) } as LinearParams,
    (p, x) =>
      rowwise(
        x,
        (rows) => plus(p, rows, p.bias ? affine(rows, p.weight, p.bias) : matmul(rows, p.weight, false, true))
      )
  )

/** int32 ids [...] -> [..., size]. */
export const embedding = (count: number, size: number, std: number): Module<{ weight: Param }, [Tensor], Tensor> =>
  module({ weight: lookup([count, size], std) }, (p, ids) => plus(p, ids, gather(p.weight, ids)))

/** x / √(mean square + ε) · weight, over the last axis (Zhang & Sennrich 2019): x [..., size]. */
export const rmsNorm = (size: number, epsilon: number): Module<{ weight: Param }, [Tensor], Tensor> =>
  module({ weight: ones(size) }, (p, x) => Normalise.rmsNorm(x, p.weight, epsilon))

/** weight [size], bias [size]. */
export type LayerNormParams = { readonly weight: Param; readonly bias?: Param }

/** (x - mean) / √(variance + ε) · weight + bias, over the last axis (Ba et al. 2016): x [..., size]. */
export const layerNorm = (size: number, epsilon: number, bias = true): Module<LayerNormParams, [Tensor], Tensor> =>
  module(
    { weight: ones(size), ...(bias ? { bias: zeros(size) } : {}) } as LayerNormParams,
    (p, x) => Normalise.layerNorm(x, p.weight, p.bias ?? constant(Nd.make([size], () => 0)), epsilon)
  )
