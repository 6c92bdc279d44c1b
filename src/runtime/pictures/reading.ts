/** Pictures as they stand in the texts that a decoder reads: the tokens of each. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { modelFiles } from "../../domain/fileNames.ts"
import { expansionOf, marks } from "../../domain/pictures/expansion.ts"
import { type Division, divisionOf, partsOf } from "../../domain/pictures/parts.ts"
import type { Size } from "../../domain/pictures/Picture.ts"
import type { ReaderNames } from "../../kernels/nn/pictures/reader.ts"
import { FileError } from "../files/disk.ts"
import { preparedSize } from "../files/vision/preprocessor.ts"
import * as Processor from "../files/vision/processor.ts"
import type { PicturesConfig } from "../files/vision/reader.ts"
import { ImageError, Images } from "../ports/Images.ts"
import type { Tokenizer } from "../tokenizers/tokenizer.ts"

/** A picture as it stands in a text. */
export interface Shown {
  readonly reference: string
  /** SHA-256 of its pixels: equal pictures have equal features. */
  readonly hash: string
  /** The tokens that stand for it. */
  readonly ids: ReadonlyArray<number>
  /** Rows of its features: one for each of its ids that is the picture's. */
  readonly rows: number
}

/** What is opened of a model folder. */
export interface ReadingFolder {
  readonly folder: string
  readonly pictures: PicturesConfig
  readonly names: ReaderNames
  readonly tied: boolean
  readonly tokenizer: Pick<Tokenizer, "encode" | "id" | "token">
}

const by = ({ height, width }: Size): string => `${height} × ${width}`

/** The token of pictures' rows, which the tokenizer must read as one. */
const tokenOf = Effect.fnUntraced(
  function*({ folder, pictures: { family, image_token_id: id }, tokenizer }: ReadingFolder) {
    const fail = (reason: string) => new FileError({ path: join(folder, modelFiles.tokenizer), place: "", reason })
    const token = tokenizer.token(id)
    if (token === undefined) return yield* fail(`has no token ${id}, which stands for pictures by ${modelFiles.config}`)
    if (tokenizer.encode(token).join() !== String(id)) return yield* fail(`reads ${token} as other tokens than ${id}`)
    const lost = family === "idefics3" ? Object.values(marks).filter((mark) => tokenizer.id(mark) === undefined) : []
    if (lost.length > 0) return yield* fail(`has no ${lost.join(", ")}, which stand around pictures`)
    return token
  }
)

/** Refuses a processor that gives pictures another size, or another number of tokens, than the model takes. */
const fitting = Effect.fnUntraced(
  function*({ config, path, preprocessing, tokens }: Processor.Processor, p: PicturesConfig) {
    const size = preparedSize(preprocessing)
    const fail = (file: string, reason: string) => new FileError({ path: file, place: "", reason })
    if (size === undefined || by(size) !== by(p.image)) {
      const made = size === undefined ? "different sizes" : `${by(size)} pixels`
      return yield* fail(path, `makes pictures of ${made}, and the model's tower takes ${by(p.image)}`)
    }
    const { image_seq_len, num_additional_image_tokens: extra = 0, patch_size, vision_feature_select_strategy } = config
    const counted = p.family === "idefics3" || patch_size === undefined
      ? image_seq_len
      : Math.floor(size.height / patch_size) * Math.floor(size.width / patch_size) + extra
        - (vision_feature_select_strategy === "default" ? 1 : 0)
    if (counted === undefined || counted === p.rows) return
    return yield* fail(
      tokens ?? path,
      `counts ${counted} tokens for a picture, of which the model makes ${p.rows} rows`
    )
  }
)

const unseen = (reference: string) =>
  new ImageError({ path: reference, kind: "missing", detail: "no pictures are at hand where the model was opened" })

/** The pictures of the surroundings, if there are any. */
export const pictures = Effect.map(Effect.serviceOption(Images), (found) =>
  Images.of(
    found._tag === "Some"
      ? found.value
      : { read: (reference) => Effect.fail(unseen(reference)), hash: (reference) => Effect.fail(unseen(reference)) }
  ))

const whole: Division = { rows: 0, columns: 0 }

/** How pictures are shown: the tokens of each, by its size where that matters. */
const showing = (images: Images["Service"], o: Processed, hashes: boolean) => {
  const { pictures: { family, rows }, preprocessing: p, token } = o
  const texts = new Map<string, ReadonlyArray<number>>()
  const shown = new Map<string, Shown>()
  const idsOf = (division: Division) => {
    const key = `${division.rows} ${division.columns}`
    const ids = texts.get(key) ?? o.tokenizer.encode(expansionOf({ family, rows, token }, division))
    texts.set(key, ids)
    return ids
  }
  return Effect.fnUntraced(function*(reference: string) {
    const known = shown.get(reference)
    if (known) return known
    const hash = hashes ? yield* images.hash(reference) : reference
    const division = p.split === undefined ? whole : divisionOf((yield* images.read(reference)).picture, p)
    const found: Shown = { reference, hash, ids: idsOf(division), rows: rows * partsOf(division) }
    shown.set(reference, found)
    return found
  })
}

/** What a model folder says of pictures: how they are prepared, and what stands for one in a text. Reads no weights. */
export const processed = Effect.fnUntraced(function*(o: ReadingFolder) {
  const processor = yield* Processor.read(o.folder)
  yield* fitting(processor, o.pictures)
  return { ...o, preprocessing: processor.preprocessing, token: yield* tokenOf(o), id: o.pictures.image_token_id }
})
/** A model folder of which this is known. */
export type Processed = Effect.Success<ReturnType<typeof processed>>

/** How pictures are shown in texts. Without `hashes` they are only looked at where their size matters. */
export const sight = Effect.fnUntraced(function*(o: Processed, { hashes }: { readonly hashes: boolean }) {
  return { token: o.token, id: o.id, show: showing(yield* pictures, o, hashes) }
})
