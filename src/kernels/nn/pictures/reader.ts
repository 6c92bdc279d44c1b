/** A decoder that reads pictures: its features pass through a connector, where that is trained with it. */
import type { Tensor } from "../../Tensor.ts"
import { causalLm, type Decoder, type DecoderConfig, type DecoderInput } from "../decoder.ts"
import { type Module, module, type Params } from "../Module.ts"
import { spelled } from "../spelled.ts"
import { connector, type ConnectorConfig } from "./reading.ts"

/** The names of a checkpoint's parts. */
export interface ReaderNames {
  /** A name of the decoder as a checkpoint of it alone has it -> its name here. */
  readonly language: (path: string) => string
  /** What the names of the connector, and of the tower, begin with. */
  readonly connector: string
  readonly tower: string
}

/**
 * The decoder under a checkpoint's names. With `projected`, features are rows of the tower, [f, from], which the connector
 * brings to the decoder's width; without, they have it.
 */
export const reader = (c: DecoderConfig, names: ReaderNames, projected?: ConnectorConfig): Decoder => {
  const decoder = spelled(causalLm(c) as unknown as Module<Params, [DecoderInput], Tensor>, names.language)
  if (!projected) return decoder as unknown as Decoder
  const between = connector(projected, names.connector)
  return module(
    merged(decoder.params, between.params),
    (p, input: DecoderInput) =>
      decoder.apply(p, input.features ? { ...input, features: between.apply(p, input.features) } : input)
  ) as unknown as Decoder
}

/** Two trees in one; both may have branches of the same name. */
const merged = (a: Params, b: Params): Params => {
  const all: Record<string, Params[string]> = { ...a }
  for (const [name, node] of Object.entries(b)) {
    const own = all[name]
    all[name] = own === undefined ? node : merged(own as Params, node as Params)
  }
  return all
}
