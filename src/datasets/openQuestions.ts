/** Loads questions together with their records, of which other fields are to be kept. */
import * as Effect from "effect/Effect"
import { type Fields, type Notes, present, RecordError, show } from "../domain/records/fields.ts"
import { toQuestion } from "../domain/records/Records.ts"
import type { OpenQuestion } from "../domain/synthesis/closed.ts"
import { listed } from "./dataset.ts"
import { questionFile } from "./datasetFiles.ts"
import { load, type Loaded, type LoadOptions } from "./loading.ts"
import { type Raw, recordsOf } from "./recordFile.ts"

const all = () => true

const typeOf = (fields: Fields, name: string): string => {
  const type = fields[name] ?? ""
  if (typeof type === "object") throw new RecordError(name, `expected a text or a number, got ${show(type)}`)
  return String(type)
}

/** The questions of a file, in file order, each with the fields of its record; their type is in the field of this name. */
export const openQuestions = Effect.fnUntraced(function*(path: string, typeField: string, options: LoadOptions = {}) {
  const file = yield* questionFile(path, undefined)
  const also = new Set(Object.keys(options.where ?? {}))
  const read = (line: unknown, { at, unit }: Raw, { remark }: Notes): OpenQuestion => {
    const id = typeof at === "string" ? at : `${unit}-${at}`
    const notes = { unused: () => undefined, remark }
    const fields = present(line)
    return { ...toQuestion(line, { also, id, notes }), type: typeOf(fields, typeField), fields }
  }
  const kept = listed<OpenQuestion>()
  const reading = { what: "questions", wanted: all, read }
  const { skipped, told } = yield* load(recordsOf(file.path, file.dataset, all), file.path, reading, options, kept)
  return { records: kept.records(), skipped, told } as Loaded<OpenQuestion>
})
