/** A tensor is an expression: a type and the operation that yields it. There is no builder and no tape. */
import type { Half } from "./half.ts"
import type { NdArray } from "./NdArray.ts"
import * as Nd from "./NdArray.ts"

/** What an element is. `uint16` holds the words of 16-bit floats, see `widen`. */
export type DType = "float32" | "int32" | "uint16" | "bool"
/** Sizes of the axes, the slowest first. */
export type Shape = ReadonlyArray<number>
/** What is known of a tensor before it has values. */
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
/** An expression of tensors. Equal ones that are built twice are two; share the value to share the work. */
export type Tensor = Input | Const | Apply

/** ONNX element types an op may use inside its own spelling. */
export type ElementType = DType | Half | "int64" | "uint32"

/** A value of an ONNX node attribute. */
export type Attribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly ints: ReadonlyArray<number> }
  | { readonly text: string }

/** An execution provider as graphs are written for it: which operators have a kernel there, and for which types. */
export interface Target {
  readonly name: "cpu" | "cuda" | "webgpu"
  /** Whether there is a kernel of an operator for elements of a type; float32 where none is given. */
  readonly has: (opType: string, type?: ElementType) => boolean
  /** Its data lie on a device: a shape that is computed there is waited for on the host. */
  readonly device: boolean
}

/** What an op may write: nodes over value names, and small constants. */
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
  /** Adds a node that multiplies matrices, in the precision that products of float32 are computed in. */
  readonly product: Emitter["node"]
  /** Who runs it. */
  readonly target: Target
  /** Tells what a value is that an operation has yielded. */
  readonly typed: (value: string, type: TensorType) => void
}

/** The types of an operation's operands and of its result. */
export interface Signature {
  readonly inputs: ReadonlyArray<TensorType>
  readonly output: TensorType
}

/** Where the laws may probe an op: shapes and attributes by example, values by range, one range an input. */
export interface Law<A> {
  readonly ranges: ReadonlyArray<Range>
  readonly cases: ReadonlyArray<{ readonly shapes: ReadonlyArray<Shape>; readonly attrs: A }>
}
/** Reals of [low, high], integers of [low, high), or truth values. */
export type Range =
  | { readonly dtype: "float32"; readonly low: number; readonly high: number }
  | { readonly dtype: "int32" | "uint16"; readonly low: number; readonly high: number }
  | { readonly dtype: "bool" }

/** Everything the system knows of one operation, in one value. */
export interface Op<in out A> {
  readonly name: string
  /** The shape rule: total over well-typed inputs, throws `ShapeError` otherwise. */
  readonly infer: (inputs: ReadonlyArray<TensorType>, attrs: A) => TensorType
  /** The meaning, in float64, as plainly as it can be written. */
  readonly evaluate: (inputs: ReadonlyArray<NdArray>, attrs: A, type: TensorType) => NdArray
  /** The gradient, as expressions; `null` for an input that carries none. A broadcast input may keep the output's shape. */
  readonly vjp: (ct: Tensor, inputs: ReadonlyArray<Tensor>, output: Tensor, attrs: A) => ReadonlyArray<Tensor | null>
  /** How ONNX spells it; returns the name of the result. */
  readonly onnx: (emit: Emitter, inputs: ReadonlyArray<string>, attrs: A, types: Signature) => string
  readonly law: Law<A>
  /** What it stands for, where that is an expression: its value over inputs of the given types. */
  readonly define?: (inputs: ReadonlyArray<TensorType>, attrs: A) => Defined
  /** Floating-point operations of a product of matrices; all other work is left out. */
  readonly flops?: (types: Signature, attrs: A) => number
  /** Its result lies in the memory of its first operand. */
  readonly view?: true
  /** Bytes that it takes beside its result while it runs, where they are many. */
  readonly scratch?: (types: Signature) => number
}

/** A definition in terms of other operations. */
export interface Defined {
  readonly operands: ReadonlyArray<Input>
  readonly value: Tensor
}

/** Real values between two bounds, to try an operation on. */
export const real = (low: number, high: number): Range => ({ dtype: "float32", low, high })
/** Indices from 0 to `high`, which is none of them, to try an operation on. */
export const index = (high: number): Range => ({ dtype: "int32", low: 0, high })
/** Truth values, to try an operation on. */
export const truth: Range = { dtype: "bool" }

const BYTES: Readonly<Record<DType, number>> = { float32: 4, int32: 4, uint16: 2, bool: 1 }
/** Bytes that the elements take in memory. */
export const bytesOf = ({ dtype, shape }: TensorType): number => Nd.size(shape) * BYTES[dtype]

/** Inputs by their names. */
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

/** A tensor that is fed under this name. */
export const input = (name: string, shape: Shape, dtype: DType = "float32"): Input => ({
  _tag: "Input",
  type: { dtype, shape },
  name
})
/** A tensor of these values. */
export const constant = (value: NdArray, dtype: DType = "float32"): Const => ({
  _tag: "Const",
  type: { dtype, shape: value.shape },
  value
})
/** A float32 constant of no axes. */
export const scalar = (value: number): Const => constant(Nd.scalar(value))

/** The result of an operation; throws `ShapeError` where it does not take operands of these types. */
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
