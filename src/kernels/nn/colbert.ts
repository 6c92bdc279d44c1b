/** ColBERT (Khattab & Zaharia 2020): one unit vector per token, on any of the encoders here. */
import { l2Normalise } from "../op/normalise.ts"
import type { Tensor } from "../Tensor.ts"
import type { BertConfig, EncoderInput } from "./bert.ts"
import type { DebertaConfig } from "./deberta.ts"
import { encoder } from "./encoders.ts"
import { linear } from "./layers.ts"
import type { ModernBertConfig } from "./modernBert.ts"
import { type Module, module, optional, type Params } from "./Module.ts"
import type { SentenceInput } from "./sentence.ts"

/** The config of an encoder with ColBERT's head. */
export type EncoderConfig = (BertConfig | DebertaConfig | ModernBertConfig) & {
  /** Size of a token vector; 0 for no projection of the hidden states. */
  readonly dim: number
}
/** An encoder of token sequences: [b, n] -> [b, n, size]; one that pools gives [b, 1, size]. */
export type Encoder = Module<Params, [SentenceInput], Tensor>

/** Size of a token vector. */
export const vectorSize = ({ dim, hidden_size }: EncoderConfig): number => dim === 0 ? hidden_size : dim

/** Unit token vectors [b, n, dim]; `linear` has no bias. */
export const colbert = (c: EncoderConfig): Encoder => {
  const model = encoder(c)
  const head = optional(c.dim > 0, linear(c.hidden_size, c.dim, c.initializer_range))
  return module(
    { ...model.params, linear: head.params },
    (p, input: EncoderInput) => l2Normalise(head.apply(p.linear, model.apply(p, input)))
  ) as unknown as Encoder
}
