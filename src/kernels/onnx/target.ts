/** What each execution provider has: which operators have a kernel, and for which types. */
import type { Target } from "../Tensor.ts"

/** Operators by the element types that their kernels take, of the operand that is computed with. */
type Kernels = Readonly<Record<string, string>>

const target = (name: Target["name"], kernels: Kernels): Target => {
  const types = new Map<string, ReadonlySet<string>>()
  for (const [taken, operators] of Object.entries(kernels)) {
    for (const operator of operators.split(" ")) types.set(operator, new Set(taken.split(" ")))
  }
  return { name, device: true, has: (opType, type) => types.get(opType)?.has(type ?? "float32") ?? false }
}

const products: ReadonlySet<string> = new Set(["Gemm", "MatMul", "MatMulNBits", "FusedMatMul"])
const halves: ReadonlySet<string> = new Set(["float16", "bfloat16"])

/**
 * ONNX Runtime on the CPU, which has kernels for everything written here but products in half precision. Given one, it
 * would multiply in float32 and leave out the casts that round its operands and its result.
 */
export const cpu: Target = {
  name: "cpu",
  device: false,
  has: (opType, type = "float32") => !(products.has(opType) && halves.has(type))
}

/**
 * Kernels that the binaries of ONNX Runtime 1.30.0 register, for the opset 21 and Microsoft operators written here. On
 * CUDA, the axes and shapes that an operator reads on the host are constants.
 */
export const cuda: Target = target(
  "cuda",
  {
    "float32 float16 bfloat16 int32 int64 uint8 uint16 uint32 bool": "Reshape",
    "float32 float16 bfloat16 int32 int64 uint16 uint32 bool":
      "Cast Concat Expand Gather GatherElements Identity Scan ScatterElements Shape Slice Squeeze Transpose",
    "float32 float16 bfloat16": "Erf Exp FusedMatMul GatherBlockQuantized Gelu Gemm LayerNormalization MatMul "
      + "MatMulNBits RotaryEmbedding Sigmoid SimplifiedLayerNormalization Softmax Sqrt Tanh",
    "float32 float16": "Cos Log LogSoftmax Reciprocal Sin Softplus",
    "float32 float16 bfloat16 int32 int64 uint16 uint32": "Add Div Mul Sub",
    "bool": "And Not Or",
    "float32 float16 bfloat16 int32 int64": "Neg ReduceSum Where",
    "float32 float16 bfloat16 int32 int64 uint32": "Max Min",
    "float32 float16 int32 int64 uint32 bool": "Equal",
    "float32 float16 int32 int64 uint32": "Less",
    "float32 float16 bool": "Pad",
    "float32 int32 int64": "Range",
    "float32 float16 int32 int64": "ReduceMax"
  }
)

/** ONNX Runtime's WebGPU provider. Its sine and cosine are too imprecise and left out. */
export const webgpu: Target = target(
  "webgpu",
  {
    "float32 float16 int32 uint32":
      "Add Concat Div Equal Gemm Identity Less Max Min Mul Pad ReduceMax ReduceSum ScatterElements Shape "
      + "Softmax Squeeze Sub Transpose",
    "float32 float16": "Erf Exp Floor GatherBlockQuantized GatherElements Gelu LayerNormalization Log MatMul "
      + "MatMulNBits Neg Reciprocal RotaryEmbedding Sigmoid SimplifiedLayerNormalization Slice Softplus Sqrt Tanh",
    "float32 float16 int32 uint8 uint32 bool": "Reshape",
    "float32 float16 int32 uint32 bool": "Cast Expand Gather Where",
    "bool": "And Not",
    "float32 int32": "Range"
  }
)
