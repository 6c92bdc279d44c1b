/** `preprocessor_config.json`: how pictures are prepared for an encoder, in the Hugging Face format. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { modelFiles } from "../../../domain/fileNames.ts"
import type { Size } from "../../../domain/pictures/Picture.ts"
import type { Colour, Preprocessing, Target } from "../../../domain/pictures/preprocess.ts"
import { filters } from "../../../domain/pictures/resample.ts"
import { BadConfig, Count, type Decode, keys, names, oneOf, Positive, refuse, tell } from "../config/keys.ts"

/** What a processor does where its file does not say. */
interface Defaults {
  readonly size: Target
  /** What a size that is one number means. */
  readonly edge: "square" | "shortest"
  readonly resample: number
  readonly crop?: Size
  readonly mean: Colour
  readonly std: Colour
  /** Keys of this processor beside those of all. */
  readonly own: ReadonlyArray<keyof Config>
}

const square = (side: number): Size => ({ width: side, height: side })
const half: Colour = [0.5, 0.5, 0.5]
const [imageMean, imageStd]: readonly [Colour, Colour] = [[0.48145466, 0.4578275, 0.40821073], [
  0.26862954,
  0.26130258,
  0.27577711
]]
/** What CLIP's processor does where its file does not say. */
export const clip: Defaults = {
  size: { shortest: 224 },
  edge: "shortest",
  resample: 3,
  crop: square(224),
  mean: imageMean,
  std: imageStd,
  own: ["do_center_crop", "crop_size"]
}
const vit: Defaults = { size: square(224), edge: "square", resample: 2, mean: half, std: half, own: [] }
const idefics3: Defaults = {
  size: { longest: 4 * 364 },
  edge: "square",
  resample: 1,
  mean: half,
  std: half,
  own: ["do_image_splitting", "max_image_size", "do_pad"]
}

/** Processors by the beginning of their class's name. */
const processors: Readonly<Record<string, Defaults>> = {
  ViT: vit,
  CLIP: clip,
  Siglip: { ...vit, resample: 3 },
  Bit: clip,
  Llava: { ...clip, own: [...clip.own, "do_pad"] },
  Idefics3: idefics3,
  SmolVLM: idefics3
}

const Edges = Schema.Struct({
  height: Schema.optionalKey(Count),
  width: Schema.optionalKey(Count),
  shortest_edge: Schema.optionalKey(Count),
  longest_edge: Schema.optionalKey(Count)
})
const Side = Schema.Union([Count, Schema.Tuple([Count, Count]), Edges])
const Channels = Schema.Union([Schema.Finite, Schema.Tuple([Schema.Finite, Schema.Finite, Schema.Finite])])
const flag = Schema.optionalKey(Schema.Boolean)

const Keys = Schema.Struct({
  image_processor_type: Schema.optionalKey(Schema.String),
  feature_extractor_type: Schema.optionalKey(Schema.String),
  do_resize: flag,
  size: Schema.optionalKey(Side),
  resample: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: filters.length - 1 }))),
  do_center_crop: flag,
  crop_size: Schema.optionalKey(Side),
  do_rescale: flag,
  rescale_factor: Schema.optionalKey(Positive),
  do_normalize: flag,
  image_mean: Schema.optionalKey(Channels),
  image_std: Schema.optionalKey(Channels),
  do_pad: flag,
  do_image_splitting: flag,
  max_image_size: Schema.optionalKey(Side),
  do_convert_rgb: flag
})
type Config = typeof Keys.Type
type SideKey = "size" | "crop_size" | "max_image_size"

/** Keys without effect: where pixels lie, and how tensors are returned. Pictures are always converted to RGB. */
const idle = names(
  "processor_class _valid_processor_keys return_tensors data_format input_data_format device disable_grouping",
  "default_to_square image_seq_length num_additional_image_tokens use_square_size size_divisor return_row_col_info",
  "do_convert_annotations pad_size"
)

/** Keys that ask for more than is done, if they are true. */
const asks = (c: Config, type: string, { own }: Defaults): ReadonlyArray<string | false> =>
  (["do_center_crop", "do_pad", "do_image_splitting"] as const).map((key) =>
    c[key] === true && !own.includes(key) && `${key} is not known of ${type}'s image processor`
  )

const badSide = (key: SideKey) =>
  new BadConfig({ problems: [`${key} is to be a number, [height, width], height and width, or one edge`] })

/** The size that a key gives. */
const sideOf = (key: SideKey, given: typeof Side.Type, edge: Defaults["edge"]): Effect.Effect<Target, BadConfig> => {
  if (typeof given === "number") return Effect.succeed(edge === "square" ? square(given) : { shortest: given })
  if ("length" in given) return Effect.succeed({ height: given[0], width: given[1] })
  const { height, longest_edge: longest, shortest_edge: shortest, width } = given
  switch (Object.keys(given).toSorted().join()) {
    case "height,width":
      return Effect.succeed({ height: height!, width: width! })
    case "shortest_edge":
      return Effect.succeed({ shortest: shortest! })
    case "longest_edge":
      return Effect.succeed(key === "max_image_size" ? square(longest!) : { longest: longest! })
    default:
      return Effect.fail(badSide(key))
  }
}

const fixed = (key: SideKey, target: Target) => "width" in target ? Effect.succeed(target) : Effect.fail(badSide(key))

const colour = (given: typeof Channels.Type): Colour => typeof given === "number" ? [given, given, given] : given

const sizes = Effect.fnUntraced(function*(c: Config, known: Defaults) {
  const target = c.size === undefined ? known.size : yield* sideOf("size", c.size, known.edge)
  const splits = known.own.includes("do_image_splitting")
  yield* refuse([
    "longest" in target && !splits && "size is given by its longest edge, which only Idefics3's processors do",
    "shortest" in target && known.crop === undefined && "size is given by its shortest edge, which only CLIP's kin do"
  ])
  const first = c.do_resize === false ? [] : [target]
  if (!splits) return first
  return c.do_image_splitting === false ? [...first, yield* largest(c)] : first
})

/** The size of a picture in one piece, and of each of its squares. */
const largest = Effect.fnUntraced(function*(c: Config) {
  return yield* fixed("max_image_size", yield* sideOf("max_image_size", c.max_image_size ?? 364, "square"))
})

/** The side of the squares that pictures are divided into, where they are. */
const divides = Effect.fnUntraced(function*(c: Config, known: Defaults) {
  if (!known.own.includes("do_image_splitting") || c.do_image_splitting === false) return {}
  const { height, width } = yield* largest(c)
  yield* refuse([height !== width && `max_image_size ${height} × ${width} is not square, as parts of pictures are`])
  return { split: width }
})

const crop = Effect.fnUntraced(function*(c: Config, known: Defaults) {
  if (known.crop === undefined || c.do_center_crop === false) return undefined
  if (c.crop_size === undefined) return known.crop
  return yield* fixed("crop_size", yield* sideOf("crop_size", c.crop_size, "square"))
})

/** The processor's name without what its class ends with: "CLIP" of "CLIPImageProcessorFast". */
const processorOf = (c: Config): string =>
  (c.image_processor_type ?? c.feature_extractor_type ?? "").replace(
    /(ImageProcessor(Fast|Pil)?|FeatureExtractor)$/,
    ""
  )

/** Decodes `preprocessor_config.json`; fails with what is invalid or not done here, and tells keys that it does not know. */
export const decodePreprocessor: Decode<Preprocessing> = Effect.fnUntraced(
  function*(json, path = modelFiles.preprocessor) {
    const c = yield* keys(Keys)(json)
    const type = processorOf(c)
    yield* refuse([oneOf("image_processor_type", type, Object.keys(processors))])
    const known = processors[type]!
    const std = colour(c.image_std ?? known.std)
    const mean = colour(c.image_mean ?? known.mean)
    yield* refuse([
      ...asks(c, type, known),
      std.some((deviation) => deviation <= 0) && "image_std is to be positive"
    ])
    const passed = Object.keys(json as object).filter((key) => !(key in Keys.fields) && !idle.has(key))
    yield* tell(path, passed)
    const middle = yield* crop(c, known)
    const padded = known === processors["Llava"] && c.do_pad === true
    return {
      alpha: known === idefics3 ? "white" : "drop",
      ...(padded ? { square: mean.map((level) => Math.trunc(level * 255)) as unknown as Colour } : {}),
      sizes: yield* sizes(c, known),
      ...(yield* divides(c, known)),
      filter: filters[c.resample ?? known.resample]!,
      ...(middle ? { crop: middle } : {}),
      scale: c.do_rescale === false ? 1 : c.rescale_factor ?? 1 / 255,
      ...(c.do_normalize === false ? {} : { normalise: { mean, std } })
    }
  }
)

/** The size of all pictures, or of all their parts, after preparation; `undefined` where it depends on the picture. */
export const preparedSize = ({ crop, sizes, split }: Preprocessing): Size | undefined => {
  if (split !== undefined) return square(split)
  const last = crop ?? sizes.at(-1)
  return last && "width" in last ? last : undefined
}
