/** Flags shared by the commands that write model folders. */
import * as Flag from "effect/cli/Flag"
import { writtenTypes } from "../runtime/files/gguf/blocks/quantise.ts"
import { savedTypes } from "../runtime/models/export/folder.ts"

/** Writes a GGUF file in place of a folder. */
export const gguf = Flag.Literals("gguf", writtenTypes).pipe(
  Flag.withDescription("Write a GGUF file, for llama.cpp, whose matrices have this type"),
  Flag.optional
)

export const format = {
  dtype: Flag.Literals("dtype", savedTypes).pipe(
    Flag.withDescription("Dtype of the weights; auto for that of config.json, else float32"),
    Flag.withDefault("auto" as const)
  ),
  maxShardSize: Flag.String("max-shard-size").pipe(
    Flag.withDescription("Greatest size of a weight file"),
    Flag.withDefault("5GB")
  )
}
