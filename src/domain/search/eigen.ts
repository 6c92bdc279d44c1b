/** Eigenvalues and eigenvectors of a symmetric matrix. */

type Vector = ReadonlyArray<number>

/** The decomposition of a symmetric matrix. */
export interface Eigen {
  readonly values: Vector
  /** Of unit length, in the order of the values. */
  readonly vectors: ReadonlyArray<Vector>
}

/** Rounds over all pairs of axes, at most; half a dozen suffice. */
const ROUNDS = 50

/** Sum of squares off the diagonal. */
const offDiagonal = (a: ReadonlyArray<Vector>): number =>
  a.reduce((sum, row, i) => sum + row.reduce((s, x, j) => i === j ? s : s + x * x, 0), 0)

/** Cosine and sine of the rotation that makes a[p][q] zero. */
const rotation = (a: ReadonlyArray<Vector>, p: number, q: number): readonly [cos: number, sin: number] => {
  const theta = (a[q]![q]! - a[p]![p]!) / (2 * a[p]![q]!)
  const tan = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1))
  const cos = 1 / Math.sqrt(tan * tan + 1)
  return [cos, tan * cos]
}

/** Rotates two rows in place. */
const rotate = (x: Array<number>, y: Array<number>, cos: number, sin: number): void => {
  for (let i = 0; i < x.length; i++) [x[i], y[i]] = [cos * x[i]! - sin * y[i]!, sin * x[i]! + cos * y[i]!]
}

const transposed = (a: ReadonlyArray<Vector>): Array<Array<number>> => a.map((_, i) => a.map((row) => row[i]!))

/** Decomposes a symmetric matrix by Jacobi's rotations. */
export const eigen = (matrix: ReadonlyArray<Vector>): Eigen => {
  const n = matrix.length
  let a = matrix.map((row) => [...row])
  const vectors = matrix.map((_, i) => matrix.map((_, j) => i === j ? 1 : 0))
  const enough = 1e-30 * (matrix.flat().reduce((sum, x) => sum + x * x, 0) || 1)
  for (let round = 0; round < ROUNDS && offDiagonal(a) > enough; round++) {
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        if (a[p]![q] === 0) continue
        const [cos, sin] = rotation(a, p, q)
        rotate(a[p]!, a[q]!, cos, sin)
        a = transposed(a)
        rotate(a[p]!, a[q]!, cos, sin)
        a = transposed(a)
        rotate(vectors[p]!, vectors[q]!, cos, sin)
      }
    }
  }
  return { values: a.map((row, i) => row[i]!), vectors }
}
