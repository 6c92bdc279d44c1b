/** Settings of a model: one schema, instantiated for each of a system's models under its own keys. */
import * as Schema from "effect/Schema"
import { Modules, Natural, NonNegative, Path, Positive, Rate } from "./kinds.ts"
import { type About, aboutOf, setting } from "./setting.ts"
import type { Training } from "./training.ts"
import { all, type Use, where } from "./uses.ts"

/** `MODEL` in a description is replaced by the model's name. */
const model = {
  name_or_path: setting(Path, {
    description:
      "The MODEL: a folder with `config.json`, `tokenizer.json` and, once trained, `model.safetensors`; a GGUF file; or a "
      + "model of the Hugging Face Hub, `organisation/name` or `organisation/name@revision`, which is fetched unless the "
      + "cache has it.",
    affects: "learning"
  }),
  learning_rate: setting(NonNegative, { description: "Learning rate of the MODEL.", affects: "learning" }),
  trainable: setting(Schema.Literals(["all", "embeddings"]), {
    description: "Which weights of a MODEL without adapters are trained: all, or only the embeddings.",
    affects: "learning",
    default: "all"
  }),
  lora_r: setting(Natural, {
    description:
      "Rank of the MODEL's LoRA adapters, trained while its own weights are frozen; 0 to train the weights themselves.",
    affects: "learning",
    default: 0
  }),
  lora_alpha: setting(Positive, {
    description: "LoRA scaling of the MODEL: what adapters add is multiplied by alpha / rank.",
    affects: "learning",
    default: 8
  }),
  lora_dropout: setting(Rate, {
    description: "Dropout on the inputs of the MODEL's adapters.",
    affects: "learning",
    default: 0
  }),
  lora_target_modules: setting(Modules, {
    description:
      "Modules of the MODEL that get adapters, as in PEFT: last names of their paths, a pattern of whole paths, or "
      + "\"all-linear\".",
    affects: "learning",
    default: "all-linear"
  }),
  quantization: setting(Schema.Literals(["none", "int8", "int4"]), {
    description:
      "Frozen matrices of the MODEL (linear layers, embeddings, output head) as integers of 8 or 4 bits with a scale for "
      + "each block; norms, biases and what is trained stay float32, as does all arithmetic. A GGUF file's Q4_0, Q4_1 and "
      + "(int8, or where others have fewer bits) Q8_0 are kept as they are, in blocks of 32.",
    affects: "learning",
    default: "none"
  }),
  quantization_block_size: setting(Schema.Literals([32, 128]), {
    description: "Consecutive weights of a row that share a scale in quantised matrices of the MODEL.",
    affects: "learning",
    default: 32
  }),
  quantization_activations: setting(Schema.Literals(["int8", "float32"]), {
    description:
      "What quantised matrices of the MODEL are multiplied by while it writes text on the CPU: int8 rounds it to 8 bits "
      + "for each block, many times as fast with int8 matrices; float32 keeps it. All else is float32.",
    affects: "answers",
    default: "int8"
  }),
  modules_to_save: setting(Schema.Array(Schema.NonEmptyString), {
    description: "Modules of the MODEL trained in full beside the adapters, by the ends of their paths.",
    affects: "learning",
    default: []
  })
}
type Key = keyof typeof model

/** What a model's folder may be. */
export const descriptionOf = (name: string): string => aboutOf(model.name_or_path).description.replaceAll("MODEL", name)
const ofAdapters: ReadonlySet<Key> = new Set(["lora_alpha", "lora_dropout", "lora_target_modules", "modules_to_save"])

/** User-facing keys of a model's settings, by schema key. */
type Spelling = Readonly<Partial<Record<Key, string>>>
type Instance<N extends Spelling> = { readonly [K in keyof N & Key as N[K] & string]: (typeof model)[K] }

/** Overrides for individual keys of a model. */
type Particulars = { readonly [K in Key]?: Partial<About> }

/** A model's settings under its keys; `trained` says when they matter. */
export const instance = <const N extends Spelling>(
  name: string,
  spelling: N,
  trained: Use,
  particulars: Particulars = {}
): Instance<N> => {
  const adapts = where(`with a ${spelling.lora_r} above 0`, (c) => c[spelling.lora_r ?? ""] !== 0)
  const packs = where(`with ${spelling.quantization} int8 or int4`, (c) => c[spelling.quantization ?? ""] !== "none")
  const use = (key: Key): { readonly matters?: Use } => {
    if (key === "name_or_path") return {}
    if (key === "quantization_block_size" || key === "quantization_activations") return { matters: all(trained, packs) }
    return { matters: ofAdapters.has(key) ? all(trained, adapts) : trained }
  }
  const fields = Object.entries(spelling as Record<Key, string>).map(([key, spelled]) => {
    const own = model[key as Key] as Schema.Top
    const about = aboutOf(own)
    const description = about.description.replaceAll("MODEL", name)
    return [spelled, setting(own, { ...about, description, ...use(key as Key), ...particulars[key as Key] })]
  })
  return Object.fromEntries(fields) as Instance<N>
}

/** A model's settings, as its layers take them. */
export interface ModelSettings extends Pick<Training, "torch_dtype" | "use_rslora"> {
  /** Prefix of the user-facing keys, for messages. */
  readonly prefix: string
  readonly name_or_path: string
  readonly learning_rate: number
  readonly trainable: "all" | "embeddings"
  readonly lora_r: number
  readonly lora_alpha: number
  readonly lora_dropout: number
  readonly lora_target_modules: string | ReadonlyArray<string>
  readonly modules_to_save: ReadonlyArray<string>
  readonly quantization: "none" | "int8" | "int4"
  readonly quantization_block_size: 32 | 128
  readonly quantization_activations: "int8" | "float32"
}

/** Extracts a model's settings from those of a run. */
export const modelOf = (
  prefix: string,
  spelling: Spelling,
  c: Readonly<Record<string, any>> & Pick<Training, "torch_dtype" | "use_rslora">
): ModelSettings => {
  const { torch_dtype, use_rslora } = c
  const own = Object.entries(spelling).map(([key, spelled]) => [key, c[spelled] as unknown])
  const absent = {
    trainable: "all",
    quantization: "none",
    quantization_block_size: 32,
    quantization_activations: "int8"
  } as const
  return Object.assign({ prefix, ...absent, torch_dtype, use_rslora }, Object.fromEntries(own))
}
