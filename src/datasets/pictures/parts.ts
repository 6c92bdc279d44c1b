/** Parts of published data: which of its files are to train on, and which to judge by. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { basename, extname, join } from "node:path"
import { FileError, located, namesIn } from "../../runtime/files/disk.ts"

/** What records are used for. */
export type Split = "train" | "dev" | "test"

/** Splits, by the names that publishers give them. */
export const splits: Readonly<Record<string, Split>> = {
  train: "train",
  training: "train",
  validation: "dev",
  validate: "dev",
  valid: "dev",
  val: "dev",
  dev: "dev",
  test: "test",
  testing: "test"
}

/** The split that a file's name begins with: `train-00000-of-00007.parquet`, `validate.json`; `undefined` if it is none. */
export const splitOf = (path: string): Split | undefined => {
  const [name = ""] = basename(path).toLowerCase().split(/[-_.]/, 1)
  return Object.hasOwn(splits, name) ? splits[name] : undefined
}

/** A file of a split; `undefined` where its name is that of none. */
export interface Part {
  readonly path: string
  readonly split: Split | undefined
}

/**
 * The files of a path: the file itself, or those of a folder (or of its folder `data`, as Hugging Face has it) that have one of the `endings`
 * and begin with a split's name, sorted by name. Fails if there are none.
 */
export const partsOf = Effect.fnUntraced(function*(path: string, endings: ReadonlyArray<string>) {
  const fs = yield* FileSystem.FileSystem
  const { type } = yield* fs.stat(path).pipe(located(path))
  if (type !== "Directory") return [{ path, split: splitOf(path) }] as ReadonlyArray<Part>
  for (const folder of [path, join(path, "data")]) {
    const names = (yield* namesIn(folder)).filter((name) => endings.includes(extname(name))).toSorted()
    const parts = names.map((name): Part => ({ path: join(folder, name), split: splitOf(name) }))
    const known = parts.filter(({ split }) => split !== undefined)
    if (known.length > 0) return known as ReadonlyArray<Part>
  }
  const reason = `has no file, nor has its folder data, that is named by a split (${
    Object.keys(splits).join(", ")
  }) and ends in ${endings.join(" or ")}`
  return yield* new FileError({ path, place: "", reason })
})
