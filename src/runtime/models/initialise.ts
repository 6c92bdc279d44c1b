/** Initial values of weights that no checkpoint has: drawn from the run's seed, with one key per parameter. */
import * as Key from "../../domain/Key.ts"
import * as Nd from "../../kernels/NdArray.ts"
import type { Flat, Param } from "../../kernels/nn/Module.ts"

/** Box-Muller on the 2 × 32 random bits of each counter. */
const normals = (key: Key.Key, count: number, std: number): Float32Array => {
  const values = new Float32Array(count)
  for (let i = 0; i < count; i += 2) {
    const { hi, lo } = Key.block(key, 1, i)
    const radius = std * Math.sqrt(-2 * Math.log((hi + 0.5) / 2 ** 32))
    const angle = 2 * Math.PI * lo / 2 ** 32
    values[i] = radius * Math.cos(angle)
    if (i + 1 < count) values[i + 1] = radius * Math.sin(angle)
  }
  return values
}

const uniforms = (key: Key.Key, count: number, bound: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => bound * (2 * Key.uniform(key, i) - 1))

const draw = ({ init, shape }: Param, key: Key.Key): Float32Array => {
  const size = Nd.size(shape)
  if ("constant" in init) return new Float32Array(size).fill(init.constant)
  return "normal" in init ? normals(key, size, init.normal) : uniforms(key, size, init.uniform)
}

/** Initial values of all parameters, each drawn with a key derived from its path. */
export const initialise = (params: Flat, key: Key.Key): Map<string, Float32Array> =>
  new Map([...params].map(([path, param]) => [path, draw(param, Key.fold(key, path))]))
