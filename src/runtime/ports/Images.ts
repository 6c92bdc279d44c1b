/** Pictures by reference. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Picture } from "../../domain/pictures/Picture.ts"

const kinds = {
  missing: "there is no such picture",
  empty: "is empty: it has no byte",
  undecodable: "cannot be decoded"
} as const

/** A picture that is not there, that is empty, or that cannot be decoded; `path` is what was tried. */
export class ImageError extends Schema.TaggedError<ImageError>()("ImageError", {
  path: Schema.String,
  kind: Schema.Literals(["missing", "empty", "undecodable"]),
  /** What else is known of it; may be empty. */
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.path}: ${kinds[this.kind]}${this.detail === "" ? "" : ` (${this.detail})`}`
  }
}

/** Pictures that are named beside the first. */
const SHOWN = 2

/** The first of several errors, which tells how many of `count` pictures of `what` cannot be read, and names the next of them. */
export const together = (
  errors: readonly [ImageError, ...Array<ImageError>],
  count: number,
  what: string
): ImageError => {
  const [first, ...others] = errors
  if (others.length === 0) return first
  const next = others.slice(0, SHOWN).map(({ path }) => path).join(", ")
  const all = `${errors.length} of ${count} pictures of ${what} cannot be read, next ${next}`
  const more = others.length > SHOWN ? ", ..." : ""
  const detail = `${first.detail === "" ? "" : `${first.detail}; `}${all}${more}`
  return new ImageError({ path: first.path, kind: first.kind, detail })
}

/** A decoded picture. */
export interface Loaded {
  readonly picture: Picture
  /** SHA-256 of its size and pixels: the same for the same picture, whatever file it lies in. */
  readonly hash: string
}

/**
 * The pictures that records name. A reference is the absolute path of a file, such a path with `#array/row` of an `.npz`
 * file or `#frame/number` of a DICOM file, or a data URI.
 */
export class Images extends Context.Service<Images, {
  /** A picture, upright and of 8 bits a channel. */
  readonly read: (reference: string) => Effect.Effect<Loaded, ImageError>
  /** The hash of a picture, which is decoded for it at most once. */
  readonly hash: (reference: string) => Effect.Effect<string, ImageError>
}>()("anamnesis/runtime/Images") {}
