/** Loads rows that a language model learns from as they are: examples, documents, preferences. */
import * as Effect from "effect/Effect"
import type { Notes } from "../domain/records/fields.ts"
import { listed } from "./dataset.ts"
import { questionFile } from "./datasetFiles.ts"
import { load, type Loaded, type LoadOptions } from "./loading.ts"
import { type Raw, recordsOf } from "./recordFile.ts"

const all = () => true

/** Decodes a row; throws if it is invalid. */
type Decode<A> = (line: unknown, also: ReadonlySet<string>, notes: Notes) => A

/** The rows of a file, in file order; those without an id are named by their place. */
export const rows = Effect.fnUntraced(function*<A extends { readonly id: string | undefined }>(
  path: string,
  decode: Decode<A>,
  options: LoadOptions = {}
) {
  const file = yield* questionFile(path, undefined)
  const also = new Set(Object.keys(options.where ?? {}))
  const read = (line: unknown, { at, unit }: Raw, notes: Notes) => {
    const row = decode(line, also, notes)
    return { ...row, id: row.id ?? (typeof at === "string" ? at : `${unit}-${at}`) }
  }
  const kept = listed<A & { readonly id: string }>()
  const loaded = yield* load(
    recordsOf(file.path, file.dataset, all),
    file.path,
    { what: "rows", wanted: all, read },
    options,
    kept
  )
  return { ...loaded, records: kept.records() } satisfies Loaded<A & { readonly id: string }> as Loaded<
    A & { readonly id: string }
  >
})
