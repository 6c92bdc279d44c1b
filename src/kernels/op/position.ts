/** Rotary position embedding (Su et al. 2021), in the half-split layout of Hugging Face's Llama. */
import * as Nd from "../NdArray.ts"
import { apply, index, type Op, real, ShapeError, type Tensor } from "../Tensor.ts"

export interface Rotation {
  /** Angle per position of each of the head's d/2 planes. */
  readonly frequencies: ReadonlyArray<number>
  /** Positions are below this. */
  readonly positions: number
  /** Turn backwards: the inverse and the adjoint. */
  readonly reverse: boolean
}

const table = ({ frequencies, positions }: Rotation, f: (angle: number) => number): ReadonlyArray<number> =>
  Array.from(
    { length: positions * frequencies.length },
    (_, i) => f(Math.floor(i / frequencies.length) * frequencies[i % frequencies.length]!)
  )

/** Turns plane (i, i + d/2) of each head vector by position × frequency: x [b, heads, n, d], int32 positions [b, n]. */
export const Rotary: Op<Rotation> = {
  name: "Rotary",
  infer: ([x, at], { frequencies }) => {
    const [b, _, n, d] = x!.shape
    if (x!.shape.length !== 4 || d !== 2 * frequencies.length || at!.shape.join() !== [b, n].join()) {
      throw new ShapeError("Rotary", [x!, at!], "not [b, heads, n, d] and [b, n]")
    }
    return x!
  },
  evaluate: ([x, at], { frequencies, reverse }, type) => {
    const half = frequencies.length
    return Nd.make(type.shape, ([b, _, n, i], flat) => {
      const angle = Nd.get(at!, [b!, n!]) * frequencies[i! % half]! * (reverse ? -1 : 1)
      const partner = i! < half ? -x!.data[flat + half]! : x!.data[flat - half]!
      return x!.data[flat]! * Math.cos(angle) + partner * Math.sin(angle)
    })
  },
  vjp: (ct, [_, at], __, attrs) => [rotary(ct, at!, { ...attrs, reverse: !attrs.reverse }), null],
  onnx: (emit, [x, at], attrs) => {
    const shape = [attrs.positions, attrs.frequencies.length]
    const [cosine, sine] = [table(attrs, Math.cos), table(attrs, attrs.reverse ? (a) => -Math.sin(a) : Math.sin)]
    return emit.node(
      "RotaryEmbedding",
      [x!, emit.cast(at!, "int64"), emit.constant("float32", shape, cosine), emit.constant("float32", shape, sine)],
      {},
      "com.microsoft"
    )
  },
  law: {
    ranges: [real(-2, 2), index(5)],
    cases: [
      { shapes: [[2, 2, 3, 4], [2, 3]], attrs: { frequencies: [1, 0.1], positions: 5, reverse: false } },
      { shapes: [[2, 1, 3, 4], [2, 3]], attrs: { frequencies: [1, 0.1], positions: 5, reverse: true } }
    ]
  }
}
export const rotary = (x: Tensor, positions: Tensor, rotation: Rotation): Tensor =>
  apply(Rotary, [x, positions], rotation)
