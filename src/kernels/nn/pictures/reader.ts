/** A decoder that reads pictures: with its connector, and with its tower, where those are parts of the model. */
import { reshape } from "../../op/broadcast.ts"
import type { Tensor } from "../../Tensor.ts"
import { causalLm, type Decoder, type DecoderConfig, type DecoderInput } from "../decoder.ts"
import { type Bound, type Module, module, type Params } from "../Module.ts"
import { spelled } from "../spelled.ts"
import { connector, type ConnectorConfig, features, type FeaturesConfig, patchesOf } from "./reading.ts"

/** The names of a checkpoint's parts. */
export interface ReaderNames {
  /** A name of the decoder as a checkpoint of it alone has it -> its name here. */
  readonly language: (path: string) => string
  /** What the names of the connector, and of the tower, begin with. */
  readonly connector: string
  readonly tower: string
}

/** Patches of parts of pictures, [parts · patches, channels·side·side], in the order of their parts. */
interface Looking {
  readonly patches: Tensor
}

/** A reader with its tower takes a decoder's input, of which patches are the features; or patches alone. */
type ReaderInput = Looking | (DecoderInput & Partial<Looking>)

/**
 * The decoder under a checkpoint's names. With `projected`, features are rows of the tower, [f, from], which the connector
 * brings to the decoder's width; without, they have it. With a `tower` besides, they have it too, and `onPatches` and `rowsOf`
 * take patches.
 */
export const reader = (
  c: DecoderConfig,
  names: ReaderNames,
  projected?: ConnectorConfig,
  tower?: FeaturesConfig
): Decoder => {
  const decoder = spelled(causalLm(c) as unknown as Module<Params, [DecoderInput], Tensor>, names.language)
  if (!projected) return decoder as unknown as Decoder
  const between = connector(projected, names.connector)
  if (tower) return withTower(decoder, between, tower, names.tower)
  return module(
    merged(decoder.params, between.params),
    (p, input: DecoderInput) =>
      decoder.apply(p, input.features ? { ...input, features: between.apply(p, input.features) } : input)
  ) as unknown as Decoder
}

const withTower = (
  decoder: Module<Params, [DecoderInput], Tensor>,
  between: Module<Params, [Tensor], Tensor>,
  c: FeaturesConfig,
  prefix: string
): Decoder => {
  const tower = features(c, prefix)
  return module(
    merged(merged(decoder.params, between.params), tower.params),
    (p, input: ReaderInput) => {
      if (!input.patches) return decoder.apply(p, input as DecoderInput)
      const { patches, ...read } = input
      const seen = tower.apply(p, reshape(patches, [-1, patchesOf(c), patches.type.shape[1]!]))
      const rows = between.apply(p, reshape(seen, [-1, seen.type.shape[2]!]))
      return "ids" in read ? decoder.apply(p, { ...read, features: rows }) : rows
    }
  ) as unknown as Decoder
}

type Whole = (params: Bound<Decoder["params"]>, input: ReaderInput) => Tensor

/** A reader with its tower whose `features` are patches, [parts · patches, channels·side·side]: of the same parameters. */
export const onPatches = ({ apply, params }: Decoder): Decoder =>
  module(
    params,
    (p, { features, ...read }: DecoderInput) => (apply as Whole)(p, features ? { ...read, patches: features } : read)
  )

/** The rows that a reader with its tower makes of patches, [rows, hidden]: the features of its decoder. */
export const rowsOf = ({ apply }: Decoder) => (p: Bound<Decoder["params"]>, patches: Tensor): Tensor =>
  (apply as Whole)(p, { patches })

/** Two trees in one; both may have branches of the same name. */
const merged = (a: Params, b: Params): Params => {
  const all: Record<string, Params[string]> = { ...a }
  for (const [name, node] of Object.entries(b)) {
    const own = all[name]
    all[name] = own === undefined ? node : merged(own as Params, node as Params)
  }
  return all
}
