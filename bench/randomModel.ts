/** A decoder's folder of any size, with weights that mean nothing: for measuring how fast it is. */
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import * as Nd from "../src/kernels/NdArray.ts"
import { causalLm } from "../src/kernels/nn/decoder.ts"
import { flatten } from "../src/kernels/nn/Module.ts"

/** SmolLM2-135M, as transformers.js has it, and a quarter of it; and fewer, wider layers of about as many parameters. */
export const sizes = {
  "135M": {
    hidden_size: 576,
    intermediate_size: 1536,
    num_hidden_layers: 30,
    num_attention_heads: 9,
    num_key_value_heads: 3
  },
  "120M": {
    hidden_size: 768,
    intermediate_size: 2048,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    num_key_value_heads: 12
  },
  "30M": {
    hidden_size: 320,
    intermediate_size: 864,
    num_hidden_layers: 12,
    num_attention_heads: 5,
    num_key_value_heads: 5
  }
} as const
export type SizeName = keyof typeof sizes

const common = {
  model_type: "llama",
  architectures: ["LlamaForCausalLM"],
  vocab_size: 49152,
  max_position_embeddings: 8192,
  rms_norm_eps: 1e-5,
  rope_theta: 100000,
  tie_word_embeddings: true,
  hidden_act: "silu",
  initializer_range: 0.04,
  bos_token_id: 0,
  eos_token_id: 0,
  pad_token_id: 0,
  hidden_dropout_prob: 0
}

/** Numbers as if drawn at random from [-range, range), by a linear congruence. */
const noise = (count: number, range: number, seed: number): Float32Array => {
  const values = new Float32Array(count)
  let state = seed
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    values[i] = range * state / 2 ** 31
  }
  return values
}

/** Writes `config.json` and `model.safetensors`. */
export const write = (folder: string, size: SizeName): void => {
  const config = { ...common, ...sizes[size] }
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, "config.json"), JSON.stringify(config, null, 2))
  const params = [
    ...flatten(
      causalLm({
        ...config,
        hidden_act: "silu",
        rope_parameters: { rope_type: "default", rope_theta: config.rope_theta }
      }).params
    )
  ]
  let end = 0
  const entries = params.map(([path, { shape }]) => {
    const data_offsets = [end, end += 4 * Nd.size(shape)]
    return [path, { dtype: "F32", shape, data_offsets }] as const
  })
  const json = JSON.stringify(Object.fromEntries(entries))
  const header = new TextEncoder().encode(json.padEnd(Math.ceil(json.length / 8) * 8))
  const length = new Uint8Array(8)
  new DataView(length.buffer).setBigUint64(0, BigInt(header.length), true)
  const file = openSync(join(folder, "model.safetensors"), "w")
  writeSync(file, length)
  writeSync(file, header)
  params.forEach(([, { shape }], i) => {
    const size = Nd.size(shape)
    const values = shape.length === 1 ? new Float32Array(size).fill(1) : noise(size, 0.07, i + 1)
    writeSync(file, new Uint8Array(values.buffer))
  })
  closeSync(file)
}
