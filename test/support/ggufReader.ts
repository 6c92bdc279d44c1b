/** A reader as a GGUF file: a llama of a few thousand weights, whose rows are whole blocks. */
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as Key from "../../src/domain/Key.ts"
import { causalLm } from "../../src/kernels/nn/decoder.ts"
import { flatten } from "../../src/kernels/nn/Module.ts"
import { decodeDecoder } from "../../src/runtime/files/config/decoder.ts"
import * as Safetensors from "../../src/runtime/files/safetensors/write.ts"
import * as SavedGguf from "../../src/runtime/models/export/gguf.ts"
import { initialise } from "../../src/runtime/models/initialise.ts"
import { folderOf } from "./files.ts"
import * as Tiny from "./tiny.ts"

const root = join(import.meta.dirname, "..", "..")
const sizes = {
  model_type: "llama",
  vocab_size: 4000,
  hidden_size: 32,
  intermediate_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 400,
  rms_norm_eps: 1e-5,
  bos_token_id: 0,
  eos_token_id: 1,
  initializer_range: 0.3,
  tie_word_embeddings: true
}
/** A model of weights that no format has exactly, as a GGUF file: in Q4_0 its embedding, which is its head too, is in Q8_0. */
export const fileOf = Effect.fnUntraced(function*(type: SavedGguf.Type) {
  const params = flatten(causalLm(yield* decodeDecoder(sizes)).params)
  const folder = yield* folderOf({
    "config.json": JSON.stringify(sizes),
    "tokenizer.json": readFileSync(join(root, "test", "golden", "tokenizers", "llama3", "tokenizer.json"), "utf8"),
    "tokenizer_config.json": JSON.stringify({ bos_token: "<|begin_of_text|>", eos_token: "<|end_of_text|>" }),
    "model.safetensors": Safetensors.encode(
      new Map([...initialise(params, Key.make(1))].map(([path, data]) => [path, {
        shape: params.get(path)!.shape,
        data
      }]))
    )
  })
  const file = join(folder, "m.gguf")
  yield* SavedGguf.save(folder, file, "m", type).pipe(Effect.provide(Tiny.core))
  return file
})
