/** A tensor is an expression: a type and the operation that yields it. There is no builder and no tape. */
import type { Half } from "./half.ts"
import type { NdArray } from "./NdArray.ts"
import * as Nd from "./NdArray.ts"

/** Element type. `uint16` holds the bits of half-precision floats, see `widen`; `uint8` packed integers, see `dequantise`. */
export type DType = "float32" | "int32" | "uint16" | "uint8" | "bool"
/** Axis sizes, outermost first. */
export type Shape = ReadonlyArray<number>
/** Element type and shape of a tensor. */
export interface TensorType {
  readonly dtype: DType
  readonly shape: Shape
}

/** A tensor whose values are fed when the graph runs. */
export interface Input {
  readonly _tag: "Input"
  readonly type: TensorType
  readonly name: string
}
/** A tensor whose values are part of the graph. */
export interface Const {
  readonly _tag: "Const"
  readonly type: TensorType
  readonly value: NdArray
}
/** The result of an operation. */
export interface Apply {
  readonly _tag: "Apply"
  readonly type: TensorType
  readonly op: Op<any>
  readonly inputs: ReadonlyArray<Tensor>
  readonly attrs: any
}
/** A tensor expression. Expressions are compared by reference: share the value to share its work. */
export type Tensor = Input | Const | Apply

/** ONNX element types that an op may use in its own nodes. */
export type ElementType = DType | Half | "int64" | "uint32"

/** A value of an ONNX node attribute. */
export type Attribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly ints: ReadonlyArray<number> }
  | { readonly text: string }

/** What writing a graph depends on in an execution provider: which operators have a kernel, and for which types. */
export interface Target {
  readonly name: "cpu" | "cuda" | "webgpu"
  /** Whether the operator has a kernel for elements of this type (float32 by default). */
  readonly has: (opType: string, type?: ElementType) => boolean
  /** Data is on a device: the host has to wait for a shape that is computed there. */
  readonly device: boolean
}

/** What an op writes with: nodes over value names, and small constants. */
export interface Emitter {
  /** Adds a node and returns the name of its first output. */
  readonly node: (
    opType: string,
    inputs: ReadonlyArray<string>,
    attributes?: Readonly<Record<string, Attribute>>,
    domain?: "com.microsoft"
  ) => string
  readonly constant: (type: ElementType, shape: Shape, values: ArrayLike<number>) => string
  /** An int64 vector: axes, shapes, pads. */
  readonly ints: (values: ReadonlyArray<number>) => string
  readonly scalar: (type: ElementType, value: number) => string
  readonly cast: (input: string, to: ElementType) => string
  /** Adds a matrix-product node, in the precision of float32 products. */
  readonly product: Emitter["node"]
  /** The provider that runs the graph. */
  readonly target: Target
  /** Whether what is multiplied by a quantised matrix may be rounded to 8 bits a block, on the CPU. */
  readonly rounds: boolean
  /** Whether weights are part of the program, and may be laid out for it once, rather than fed to every run. */
  readonly within: boolean
  /** Records the type of a value that an op has yielded. */
  readonly typed: (value: string, type: TensorType) => void
}

/** The types of an operation's operands and of its result. */
export interface Signature {
  readonly inputs: ReadonlyArray<TensorType>
  readonly output: TensorType
}

/** Where the law tests probe an op: example shapes and attributes, and one range of values per input. */
export interface Law<A> {
  readonly ranges: ReadonlyArray<Range>
  readonly cases: ReadonlyArray<{ readonly shapes: ReadonlyArray<Shape>; readonly attrs: A }>
}
/** Reals of [low, high], integers of [low, high), or booleans. */
export type Range =
  | { readonly dtype: "float32"; readonly low: number; readonly high: number }
  | { readonly dtype: "int32" | "uint16" | "uint8"; readonly low: number; readonly high: number }
  | { readonly dtype: "bool" }

/** Everything the system knows about one operation, in one value. */
export interface Op<in out A> {
  readonly name: string
  /** The shape rule: total over well-typed inputs, throws `ShapeError` otherwise. */
  readonly infer: (inputs: ReadonlyArray<TensorType>, attrs: A) => TensorType
  /** The reference semantics in float64, written as plainly as possible. */
  readonly evaluate: (inputs: ReadonlyArray<NdArray>, attrs: A, type: TensorType) => NdArray
  /** The gradient, as expressions; `null` for an input that carries none. A broadcast input may keep the output's shape. */
  readonly vjp: (ct: Tensor, inputs: ReadonlyArray<Tensor>, output: Tensor, attrs: A) => ReadonlyArray<Tensor | null>
  /** Writes the op as ONNX nodes; returns the name of the result. */
  readonly onnx: (emit: Emitter, inputs: ReadonlyArray<string>, attrs: A, types: Signature) => string
  readonly law: Law<A>
  /** The expression that a composite op stands for, over inputs of the given types. */
  readonly define?: (inputs: ReadonlyArray<TensorType>, attrs: A) => Defined
  /** Floating-point operations of a matrix product; other work is not counted. */
  readonly flops?: (types: Signature, attrs: A) => number
  /** The result counts as a constant, whatever it is made of: the gradient is 0 by definition, not by the meaning. */
  readonly stops?: true
  /** The result shares the memory of the first operand. */
  readonly view?: true
  /** Temporary bytes besides the result while the op runs, if they are many. */
  readonly scratch?: (types: Signature) => number
}

/** A definition in terms of other operations. */
export interface Defined {
  readonly operands: ReadonlyArray<Input>
  readonly value: Tensor
}

/** Reals of [low, high], to test an op on. */
export const real = (low: number, high: number): Range => ({ dtype: "float32", low, high })
/** Indices of [0, high), to test an op on. */
export const index = (high: number): Range => ({ dtype: "int32", low: 0, high })
/** Booleans, to test an op on. */
export const truth: Range = { dtype: "bool" }

const BYTES: Readonly<Record<DType, number>> = { float32: 4, int32: 4, uint16: 2, uint8: 1, bool: 1 }
/** Size of the elements in bytes. */
export const bytesOf = ({ dtype, shape }: TensorType): number => Nd.size(shape) * BYTES[dtype]

/** Inputs by name. */
export const byName = (inputs: Iterable<Input>): Readonly<Record<string, Tensor>> =>
  Object.fromEntries([...inputs].map((t) => [t.name, t]))

/** "float32[2,3]". */
export const showType = (type: TensorType): string => `${type.dtype}[${type.shape.join(",")}]`

/** A graph that cannot be built: the op, the operand types and the rule they break. */
export class ShapeError extends Error {
  override readonly name = "ShapeError"
  constructor(op: string, inputs: ReadonlyArray<TensorType>, reason: string) {
    super(`${op}(${inputs.map(showType).join(", ")}): ${reason}`)
  }
}

/** A tensor fed under this name when the graph runs. */
export const input = (name: string, shape: Shape, dtype: DType = "float32"): Input => ({
  _tag: "Input",
  type: { dtype, shape },
  name
})
/** A tensor with constant values. */
export const constant = (value: NdArray, dtype: DType = "float32"): Const => ({
  _tag: "Const",
  type: { dtype, shape: value.shape },
  value
})
/** A float32 scalar constant. */
export const scalar = (value: number): Const => constant(Nd.scalar(value))

/** The result of an op; throws `ShapeError` if it does not take operands of these types. */
export const apply = <A>(op: Op<A>, inputs: ReadonlyArray<Tensor>, attrs: A): Tensor => ({
  _tag: "Apply",
  type: op.infer(inputs.map((t) => t.type), attrs),
  op,
  inputs,
  attrs
})

/** Every expression the outputs depend on, operands first, each once. Iterative: graphs are deeper than the stack. */
export const topological = (outputs: ReadonlyArray<Tensor>): ReadonlyArray<Tensor> => {
  const done = new Set<Tensor>()
  const stack: Array<{ readonly tensor: Tensor; next: number }> = []
  for (const output of outputs) {
    if (!done.has(output)) stack.push({ tensor: output, next: 0 })
    while (stack.length > 0) {
      const top = stack.at(-1)!
      const operands = top.tensor._tag === "Apply" ? top.tensor.inputs : []
      const operand = operands[top.next++]
      if (operand === undefined) {
        done.add(top.tensor)
        stack.pop()
      } else if (!done.has(operand)) stack.push({ tensor: operand, next: 0 })
    }
  }
  return [...done]
}
