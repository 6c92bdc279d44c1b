/** Settings of the two models that every system has so far: a retriever and a reader. */
import { MaybePath } from "./kinds.ts"
import { descriptionOf, instance, modelOf, type ModelSettings } from "./model.ts"
import { setting } from "./setting.ts"
import type { Training } from "./training.ts"
import { reads, trainsRetriever } from "./uses.ts"

const ofReader = {
  name_or_path: "reader_name_or_path",
  learning_rate: "learning_rate",
  lora_r: "lora_r",
  lora_alpha: "lora_alpha",
  lora_dropout: "lora_dropout",
  lora_target_modules: "lora_target_modules",
  modules_to_save: "modules_to_save",
  quantization: "quantization",
  quantization_block_size: "quantization_block_size",
  quantization_activations: "quantization_activations"
} as const

const ofRetriever = {
  name_or_path: "retriever_name_or_path",
  learning_rate: "lr_retriever",
  trainable: "retriever_trainable",
  lora_r: "retriever_lora_r",
  lora_alpha: "retriever_lora_alpha",
  lora_dropout: "retriever_lora_dropout",
  lora_target_modules: "retriever_lora_target_modules",
  modules_to_save: "retriever_modules_to_save"
} as const

/** The models' folders, which modes without a retriever, or without a reader, do without. */
const optional = {
  retriever_name_or_path: setting(MaybePath, {
    description: `${descriptionOf("retriever")} Modes that have no retriever need none.`,
    affects: "learning",
    default: ""
  }),
  reader_name_or_path: setting(MaybePath, {
    description: `${descriptionOf("reader")} Modes that have no reader need none.`,
    affects: "learning",
    default: ""
  })
}

/** The settings of both models, under their user-facing keys. */
export const models = {
  ...instance("retriever", ofRetriever, trainsRetriever, {
    learning_rate: { aliases: ["lr_colbert", "retriever_learning_rate"] }
  }),
  ...instance("reader", ofReader, reads, {
    learning_rate: { default: 1e-5, aliases: ["lr"] },
    lora_r: { aliases: ["lora_rank"] },
    lora_target_modules: { aliases: ["lora_target", "target_modules"] },
    modules_to_save: { aliases: ["lora_modules_to_save", "additional_target"] }
  }),
  ...optional
}

type Given = Readonly<Record<string, unknown>> & Pick<Training, "torch_dtype" | "use_rslora">

/** The settings that name the model folders, by part of a run. */
export const folders = { retriever: "retriever_name_or_path", reader: "reader_name_or_path" } as const

/** Extracts the retriever's settings from those of a run. */
export const retrieverOf = (c: Given): ModelSettings => modelOf("retriever_", ofRetriever, c)
/** Extracts the reader's settings from those of a run. */
export const readerOf = (c: Given): ModelSettings => modelOf("", ofReader, c)
