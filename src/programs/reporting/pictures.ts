/** The pictures of a report's questions and of the passages that were found for them: made small, each once, within a bound. */
import * as Effect from "effect/Effect"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { thumbnail } from "../../runtime/pictures/thumbnail.ts"
import { Images } from "../../runtime/ports/Images.ts"
import { imagesOf } from "../pictures.ts"
import { type Arm, evaluatedOf } from "./statistics.ts"
import type { Texts } from "./texts.ts"

/** Most pixels of a side of a picture in a page. */
const SIDE = 128

/** Pictures of a report. */
export interface Pictures {
  /** Data URIs; no two are the same picture. */
  readonly data: ReadonlyArray<string>
  /** Places of questions' and passages' pictures among them, by id. */
  readonly questions: ReadonlyMap<string, number>
  readonly passages: ReadonlyMap<string, number>
  /** Pictures that were wanted and are not here, because of the bound. */
  readonly left: number
  /** Pictures that could not be read, in sentences. */
  readonly told: ReadonlyArray<string>
}

/** A report without pictures. */
export const noPictures: Pictures = { data: [], questions: new Map(), passages: new Map(), left: 0, told: [] }

interface Wanted {
  readonly of: "questions" | "passages"
  readonly id: string
  readonly reference: string
}

/** The pictures that are shown of a question: its own, and those of the first passages of each run, before training and after. */
const wantedOf = (arms: ReadonlyArray<Arm>, shown: ReadonlyArray<string>, texts: Texts, passages: number) => {
  const found = new Map<string, Array<string>>(shown.map((id) => [id, []]))
  for (const { before, evaluated, reads = 0 } of arms.flatMap(evaluatedOf)) {
    for (const { id, top } of [...evaluated.answered, ...before?.answered ?? []]) {
      found.get(id)?.push(...top.slice(0, Math.max(passages, reads)).map(([passage]) => passage))
    }
  }
  return [...found].flatMap(([id, own]): ReadonlyArray<Wanted> => {
    const reference = texts.questions.get(id)?.image
    const ofPassages = [...new Set(own)].flatMap((passage): ReadonlyArray<Wanted> => {
      const picture = texts.images.get(passage)
      return picture === undefined ? [] : [{ of: "passages", id: passage, reference: picture }]
    })
    return reference === undefined ? ofPassages : [{ of: "questions", id, reference } as Wanted].concat(ofPassages)
  })
}

/** Reads pictures in the order in which they are wanted, until those made take more than `most` bytes. */
const made = Effect.fnUntraced(function*(wanted: ReadonlyArray<Wanted>, most: number) {
  const images = yield* Images
  const data: Array<string> = []
  /** Places by the hash of pixels, and by reference. */
  const [places, known] = [new Map<string, number>(), new Map<string, number>()]
  const found = { questions: new Map<string, number>(), passages: new Map<string, number>() }
  const [left, lost] = [new Set<string>(), new Map<string, string>()]
  let [bytes, full] = [0, most === 0]
  const place = Effect.fnUntraced(function*(reference: string) {
    const { hash, picture } = yield* images.read(reference)
    const same = places.get(hash)
    if (same !== undefined) return same
    const uri = `data:image/webp;base64,${Buffer.from(yield* thumbnail(picture, SIDE, reference)).toString("base64")}`
    full = bytes + uri.length > most
    if (full) return undefined
    bytes += uri.length
    places.set(hash, data.length)
    return data.push(uri) - 1
  })
  for (const { id, of, reference } of wanted) {
    if (lost.has(reference)) continue
    if (!known.has(reference) && !full) {
      const at = yield* Effect.catch(
        place(reference),
        (error) => Effect.sync(() => void lost.set(reference, error.message))
      )
      if (at !== undefined) known.set(reference, at)
    }
    const at = known.get(reference)
    if (at !== undefined) found[of].set(id, at)
    else if (!lost.has(reference)) left.add(reference)
  }
  const [first] = lost.values()
  const told = first === undefined ? [] : [`${lost.size} pictures cannot be shown (first: ${first})`]
  return { data, ...found, left: left.size, told } satisfies Pictures as Pictures
})

/**
 * The pictures of the questions shown and of their passages, at most `most` bytes as they stand in the page; those that do not fit
 * or cannot be read are counted.
 */
export const picturesOf = Effect.fn("picturesOf")(function*(
  config: RunConfig | undefined,
  arms: ReadonlyArray<Arm>,
  shown: ReadonlyArray<string>,
  texts: Texts,
  { most, passages }: { readonly most: number; readonly passages: number }
) {
  const wanted = wantedOf(arms, shown, texts, passages)
  if (config === undefined || wanted.length === 0) return noPictures
  return yield* Effect.provide(made(wanted, most), imagesOf(config))
})
