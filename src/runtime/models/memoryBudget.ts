/** Whether a model fits into memory, checked before any of it is allocated. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { modelFiles } from "../../domain/fileNames.ts"
import { bytesText } from "../../domain/units.ts"
import * as Nd from "../../kernels/NdArray.ts"
import { dtypeOf, type Flat } from "../../kernels/nn/Module.ts"
import { bytesOf } from "../../kernels/Tensor.ts"
import * as Memory from "../engine/memory.ts"
import { FEW } from "../engine/Weights.ts"
import { FileError } from "../files/disk.ts"

/** What a model's memory depends on. */
export interface Model {
  readonly folder: string
  /** Its sizes by key, as in `config.json` and the settings. */
  readonly sizes: Readonly<Record<string, unknown>>
  readonly params: Flat
  readonly trainable: (path: string) => boolean
  /** Optimiser state arrays per trainable parameter. */
  readonly slots: number
}

/** Upper bounds of sizes in real models, by key. */
const usual: Readonly<Record<string, number>> = {
  vocab_size: 2 ** 19,
  hidden_size: 2 ** 15,
  intermediate_size: 2 ** 17,
  num_hidden_layers: 2 ** 8,
  num_attention_heads: 2 ** 10,
  head_dim: 2 ** 15,
  max_position_embeddings: 2 ** 22,
  type_vocab_size: 2 ** 6,
  dim: 2 ** 13,
  lora_r: 2 ** 12,
  retriever_lora_r: 2 ** 12
}

/** The key that exceeds its bound most, if any does. */
const culprit = (sizes: Model["sizes"]): string | undefined => {
  const beyond = Object.entries(usual).flatMap(([key, most]) => {
    const size = sizes[key]
    return typeof size === "number" && size > most ? [[key, size / most] as const] : []
  })
  return beyond.toSorted(([, a], [, b]) => b - a)[0]?.[0]
}

/** Bytes of the weights, and of training: slots, and second copies if double-buffered, else accumulated gradients. */
const needs = ({ params, slots, trainable }: Model): { readonly weights: number; readonly training: number } => {
  let [frozen, learns] = [0, 0]
  for (const [path, param] of params) {
    if (trainable(path)) learns += Nd.size(param.shape)
    else frozen += bytesOf({ dtype: dtypeOf(param), shape: param.shape })
  }
  const beside = learns > FEW ? slots + 1 : 1 + 2 * slots
  return { weights: frozen + 4 * learns, training: 4 * learns * beside }
}

/** Refuses a model that needs more than the `available` bytes of memory. */
export const fits = (model: Model, available = Memory.left()): Effect.Effect<void, FileError> => {
  const { training, weights } = needs(model)
  if (weights + training <= available) return Effect.void
  const key = culprit(model.sizes)
  const parts = training > 0 ? `${bytesText(weights)} of weights and ${bytesText(training)} to train them` : ""
  const what = parts === "" ? `${bytesText(weights)} of weights` : parts
  const has = `${bytesText(Math.max(0, available))} of memory are left`
  return Effect.fail(
    new FileError({
      path: join(model.folder, modelFiles.config),
      place: key ?? "",
      reason: key === undefined ? `takes ${what}; ${has}` : `${String(model.sizes[key])} makes ${what}; ${has}`
    })
  )
}
