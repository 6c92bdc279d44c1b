/** How a model folder names its tensors. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { modelFiles } from "../../../domain/fileNames.ts"
import type { Json } from "../../files/config/keys.ts"
import { decodeFile } from "../../files/model.ts"
import type * as Peft from "../../files/peft.ts"
import { encoderType, HEAD, ofDecoder, ofEncoder, twinsOf } from "../../files/stateDict.ts"
import { decodeReader } from "../../files/vision/reader.ts"
import { namesOf, ofReader, readerTwins, respelled } from "../../files/vision/readerNames.ts"
import * as WeightFiles from "../../files/weights.ts"
import * as Sentence from "./sentence.ts"

/** The naming of a folder's tensors. */
interface Kind {
  readonly naming: WeightFiles.Naming
  /** Whether the output head is tied to the embedding. */
  readonly tied: boolean
  readonly twins?: ReadonlyMap<string, string>
  /** An adapter under the folder's names, where there are others. */
  readonly spelled?: (adapter: Peft.Adapter) => Peft.Adapter
}

/** How the folder names its tensors, and whether its head is tied to the embedding. */
export const kindOf = Effect.fnUntraced(
  function*(folder: string, config: Json, sentence: Sentence.Sentence | undefined) {
    if (sentence) {
      const encoder = encoderType(config["model_type"], false)
      return { naming: Sentence.namingOf(encoder), tied: encoder === undefined } satisfies Kind as Kind
    }
    const shapes = yield* WeightFiles.shapes(folder)
    const encoder = encoderType(config["model_type"], shapes?.has(HEAD) ?? false)
    if (encoder) return { naming: ofEncoder(encoder), tied: false } satisfies Kind as Kind
    const path = join(folder, modelFiles.config)
    const { pictures, ...decoder } = yield* decodeFile(path, (json) => decodeReader(json, path))
    const tied = decoder.tie_word_embeddings
    if (!pictures) return { naming: ofDecoder(decoder), tied, twins: twinsOf(decoder) } satisfies Kind as Kind
    const names = namesOf(pictures, shapes?.keys() ?? [])
    const parts = ["language", "connector", "tower"] as const
    const spelled = (adapter: Peft.Adapter) => respelled(adapter, pictures, names)
    return {
      naming: ofReader({ names, parts, tied }),
      tied,
      twins: readerTwins(names, tied),
      spelled
    } satisfies Kind as Kind
  }
)
