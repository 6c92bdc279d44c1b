/** The files of a single-vector retriever as sentence-transformers has them. */
import { modelFiles } from "../../../domain/fileNames.ts"
import { poolings, type SentenceConfig } from "../../../kernels/nn/sentence.ts"
import type { Frame } from "./text.ts"

type Text = readonly [name: string, text: string]

const text = (name: string, json: unknown): Text => [name, `${JSON.stringify(json, null, 2)}\n`]

const listed = (names: ReadonlyArray<readonly [path: string, kind: string]>) =>
  names.map(([path, kind], idx) => ({ idx, name: String(idx), path, type: `sentence_transformers.models.${kind}` }))

const older: Readonly<Record<typeof poolings[number], string>> = {
  cls: "cls_token",
  max: "max_tokens",
  mean: "mean_tokens",
  mean_sqrt_len_tokens: "mean_sqrt_len_tokens",
  weightedmean: "weightedmean_tokens",
  lasttoken: "lasttoken"
}

/** The pooling's config, with the keys of older versions, which newer ones read too. */
const poolingOf = ({ hidden_size, pooling }: SentenceConfig, includePrompt: boolean) => ({
  word_embedding_dimension: hidden_size,
  ...Object.fromEntries(poolings.map((mode) => [`pooling_mode_${older[mode]}`, pooling.includes(mode)])),
  include_prompt: includePrompt
})

/** What is saved. */
export interface Saving {
  readonly config: SentenceConfig
  readonly frame: Frame
  /** Tokens of the longest text. */
  readonly most: number
}

/** The files beside those of the transformer itself, by name. */
export const sentenceFiles = ({ config, frame, most }: Saving): ReadonlyArray<Text> => {
  const { dense, normalise, truncate } = config
  const { prompts: { passage, query } } = frame
  const pooling = modelFiles.pooling
  const normal = `${dense.length + 2}_Normalize`
  const all = [
    ["", "Transformer"],
    [pooling, "Pooling"],
    ...dense.map(({ name }) => [name, "Dense"] as const),
    ...(normalise ? [[normal, "Normalize"] as const] : [])
  ] as const
  const causal = config.model_type === "decoder" ? { config_args: { is_causal: !config.bidirectional } } : {}
  return [
    text(modelFiles.modules, listed(all)),
    text(modelFiles.lengths, { max_seq_length: most, do_lower_case: false, ...causal }),
    text(modelFiles.pylate, {
      prompts: { ...(query === "" ? {} : { query }), ...(passage === "" ? {} : { document: passage }) },
      default_prompt_name: null,
      similarity_fn_name: normalise ? "cosine" : "dot",
      ...(truncate === 0 ? {} : { truncate_dim: truncate })
    }),
    text(`${pooling}/${modelFiles.config}`, poolingOf(config, frame.includePrompt)),
    ...dense.map(({ activation, bias, from, name, to }) =>
      text(`${name}/${modelFiles.config}`, {
        in_features: from,
        out_features: to,
        bias,
        activation_function: `torch.nn.modules.${activation === "Identity" ? "linear" : "activation"}.${activation}`
      })
    ),
    ...(normalise ? [text(`${normal}/${modelFiles.config}`, {})] : [])
  ]
}
