/** Memory that generation takes, from the shapes of its graph. */
import { causalLm, type DecoderConfig } from "../../../kernels/nn/decoder.ts"
import { bytesOf, type Tensor } from "../../../kernels/Tensor.ts"
import { transient } from "../../engine/Meter.ts"
import { bucket } from "../../engine/Programs.ts"
import { generation } from "./graphs.ts"

/**
 * Estimated peak bytes of generating `rows` texts of up to `length` tokens, prompts included: their cached keys and
 * values, twice while the cache grows, and a step of the decoder. Excludes the weights.
 */
export const footprint = (config: DecoderConfig, length: number) => {
  const family = generation(config, causalLm(config))
  return (rows: number): number => {
    const graph = family.at({ rows, length: 1, slots: bucket(length, Infinity), features: 0 })
    const cached = Object.entries<Tensor>(graph.inputs).filter(([name]) => name.startsWith("past/"))
    return 2 * cached.reduce((sum, [, t]) => sum + bytesOf(t.type), 0) + transient(graph, () => false)
  }
}
