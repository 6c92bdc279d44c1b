/** The error function in float64, to about 1e-15: the reference for `Erf` and `Gelu`. */

/** Maclaurin series: erf(x) = 2/√π Σ (-1)^n x^(2n+1) / (n! (2n+1)). */
const series = (x: number): number => {
  let [term, sum] = [x, x]
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= -x * x / n
    sum += term / (2 * n + 1)
    if (n > 200) break
  }
  return 2 / Math.sqrt(Math.PI) * sum
}

/** Continued fraction of Laplace: erfc(x) = exp(-x²)/√π · 1/(x + (1/2)/(x + 1/(x + (3/2)/(x + ...)))), x > 0. */
const complement = (x: number): number => {
  let tail = x
  for (let k = 120; k > 0; k--) tail = x + k / 2 / tail
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / tail
}

/** (2 / √π) times the integral of exp(-t²) from 0 to x. */
export const erf = (x: number): number => Math.abs(x) < 2 ? series(x) : Math.sign(x) * (1 - complement(Math.abs(x)))
