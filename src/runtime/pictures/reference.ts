/** Pictures as records name them: a file's path, a frame of a DICOM file, a row of an array in an `.npz` file, or the picture itself in a data URI. */
import * as Effect from "effect/Effect"
import { dirname, isAbsolute, join } from "node:path"
import { cut } from "../../domain/brief.ts"
import { ofGray, type Picture } from "../../domain/pictures/Picture.ts"
import { bytesText } from "../../domain/units.ts"
import * as Npz from "../files/arrays/npz.ts"
import { FileError } from "../files/disk.ts"
import { decode, type Decoded, type Limits, limits, read } from "./decode.ts"
import { Kept } from "./kept.ts"

/** A picture that a record names, with what decoding has done to it; nothing where it is a row of an array. */
export type Referred = Pick<Decoded, "picture" | "done">

/** A row of pictures [n, height, width] or [n, height, width, 3]. */
const rowOf = ({ data, shape }: Npz.Bytes, row: number): Picture | string => {
  const [count = 0, height = 0, width = 0, channels = 1] = shape
  if (shape.length < 3 || shape.length > 4 || (shape.length === 4 && channels !== 3)) {
    return `has the shape (${shape.join()}), and is to be pictures (n, height, width) or (n, height, width, 3)`
  }
  if (row >= count) return `has ${count} rows, the last of which is ${count - 1}`
  if (height * width === 0) return "has pictures without a pixel"
  const size = height * width * channels
  const pixels = data.slice(row * size, (row + 1) * size)
  return channels === 3 ? { width, height, channels, data: pixels } : ofGray({ width, height }, pixels)
}

const base64 = /^data:[\w.+/-]*;base64,([A-Za-z0-9+/\s]+={0,2}\s*)$/

const inArray = /^(.*\.npz)#([^#/]+)\/(\d+)$/
const inFile = /^(.+)#frame\/(\d+)$/

/** The file that a reference names; `undefined` for a data URI. */
export const fileOf = (reference: string): string | undefined =>
  reference.startsWith("data:") ? undefined : inArray.exec(reference)?.[1] ?? inFile.exec(reference)?.[1] ?? reference

/**
 * Reads pictures by what records name, relative to the file of the records. An `.npz` file is opened once, and each of its
 * arrays unpacked once, as long as they are within `memory` bytes.
 */
export const reader = (given: Limits = limits, memory = Infinity) => {
  const opened = new Kept<Npz.Npz>(memory)
  const arrays = new Kept<Npz.Bytes>(memory)
  const told = new Set<string>()
  const arrayOf = Effect.fnUntraced(function*(path: string, name: string) {
    const key = `${path}#${name}`
    const known = arrays.get(key)
    if (known) return known
    const file = opened.get(path) ?? (yield* Npz.open(path))
    opened.set(path, file, file.size)
    const array = yield* file.array(name)
    arrays.set(key, array, array.data.length)
    if (array.data.length > memory && !told.has(key)) {
      told.add(key)
      const taken = `${bytesText(array.data.length)}, more than images_in_memory`
      yield* Effect.logWarning(`${path}: ${name} takes ${taken}, and is unpacked again whenever another was in use`)
    }
    return array
  })
  /**
   * `records`: path of the file that names the picture, if its reference is relative. Fails with `FileError`, with the path
   * that was tried.
   */
  return Effect.fnUntraced(function*(reference: string, records = "") {
    if (reference.startsWith("data:")) {
      const encoded = base64.exec(reference)?.[1]
      const own = cut(reference, 40)
      const [path, place] = records === "" ? [own, ""] : [records, own]
      if (encoded !== undefined) {
        const named = place === "" ? path : `${path}, ${place}`
        return (yield* decode(Buffer.from(encoded, "base64"), named, given)) as Referred
      }
      return yield* new FileError({ path, place, reason: "is no data URI in base64" })
    }
    const [, file, name, row] = inArray.exec(reference) ?? []
    const at = (path: string) => isAbsolute(path) ? path : join(dirname(records), path)
    if (file === undefined) {
      const [, whole = reference, frame] = inFile.exec(reference) ?? []
      return (yield* read(at(whole), given, frame === undefined ? undefined : Number(frame))) as Referred
    }
    const path = at(file)
    const picture = rowOf(yield* arrayOf(path, name!), Number(row))
    if (typeof picture !== "string") return { picture, done: [] } satisfies Referred as Referred
    return yield* new FileError({ path, place: `${name}/${row}`, reason: `${name} ${picture}` })
  })
}
