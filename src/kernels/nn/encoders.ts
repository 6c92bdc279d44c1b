/** Encoders of any family, with their parameters as their checkpoints spell them. */
import type { Tensor } from "../Tensor.ts"
import { bert, type BertConfig, type BertType, type EncoderInput } from "./bert.ts"
import { deberta, type DebertaConfig } from "./deberta.ts"
import { embedder, type EmbedderConfig } from "./embedder.ts"
import { modernBert, type ModernBertConfig } from "./modernBert.ts"
import { type Module, module, type Params } from "./Module.ts"
import { spelled } from "./spelled.ts"

/** The config of an encoder. */
export type AnyEncoder = BertConfig | DebertaConfig | ModernBertConfig | EmbedderConfig

/** The name under which checkpoints with a head have an encoder, by `model_type`. */
export const roots: Readonly<Record<AnyEncoder["model_type"], string>> = {
  bert: "bert",
  roberta: "roberta",
  "xlm-roberta": "roberta",
  camembert: "roberta",
  distilbert: "distilbert",
  mpnet: "mpnet",
  deberta: "deberta",
  "deberta-v2": "deberta",
  modernbert: "model",
  decoder: "model"
}

/** Parts of a layer's paths in BERT, and what they are in a relative. */
type Spelling = ReadonlyArray<readonly [own: RegExp, theirs: string]>
const spellings: Partial<Readonly<Record<BertType, Spelling>>> = {
  distilbert: [
    [/^encoder\.layer\./, "transformer.layer."],
    [/\.attention\.self\.(q|k|v)(?:uery|ey|alue)\./, ".attention.$1_lin."],
    [/\.attention\.output\.dense\./, ".attention.out_lin."],
    [/\.attention\.output\.LayerNorm\./, ".sa_layer_norm."],
    [/\.intermediate\.dense\./, ".ffn.lin1."],
    [/\.output\.dense\./, ".ffn.lin2."],
    [/\.output\.LayerNorm\./, ".output_layer_norm."]
  ],
  mpnet: [
    [/\.attention\.self\.(q|k|v)(?:uery|ey|alue)\./, ".attention.attn.$1."],
    [/\.attention\.output\.dense\./, ".attention.attn.o."],
    [/\.attention\.output\.LayerNorm\./, ".attention.LayerNorm."]
  ]
}

/** A path of BERT's parameters as a relative's checkpoints have it. */
export const bertPath = (type: BertType, path: string): string =>
  (spellings[type] ?? []).reduce((own, [pattern, theirs]) => own.replace(pattern, theirs), path)

const inner = (c: AnyEncoder) => {
  switch (c.model_type) {
    case "modernbert":
      return modernBert(c)
    case "deberta":
    case "deberta-v2":
      return deberta(c)
    case "decoder":
      return embedder(c)
    default:
      return spelled(bert(c), (path) => bertPath(c.model_type, path))
  }
}

/** Hidden states [b, n, hidden]; parameters are nested under the model's name. */
export const encoder = (c: AnyEncoder): Module<Params, [EncoderInput], Tensor> => {
  const [name, model] = [roots[c.model_type], inner(c) as unknown as Module<Params, [EncoderInput], Tensor>]
  return module(
    { [name]: model.params },
    (p, input: EncoderInput) => model.apply(p[name]!, input)
  ) as unknown as Module<Params, [EncoderInput], Tensor>
}
