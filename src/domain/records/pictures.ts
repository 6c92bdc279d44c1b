/** The picture that a record names: in which field, and as what. */
import { type Fields, type Notes, RecordError, show } from "./fields.ts"

/** The fields that name a picture, the first that is there counts: ours, Hugging Face's ImageFolder, JOMED's. */
const names = ["image", "file_name", "img_path", "image_path", "images"] as const
/** The same as a set. */
export const imageFields: ReadonlySet<string> = new Set(names)

/** The one reference in a field's value. @throws RecordError if there are several, or if it is none */
const referenceIn = (field: string, value: unknown): string => {
  const [one, ...others] = Array.isArray(value) ? value as ReadonlyArray<unknown> : [value]
  if (others.length > 0) {
    throw new RecordError(field, `names ${others.length + 1} pictures; a record has one`)
  }
  if (typeof one !== "string") {
    throw new RecordError(
      field,
      `is to name a picture (a path, file.npz#array/row, file.dcm#frame/1, or a data URI), got ${show(one)}`
    )
  }
  if (/^(?!data:)[a-z][\w+.-]+:\/\//i.test(one)) {
    throw new RecordError(field, "is a URL, and pictures are read from files: download it, and name the file")
  }
  return one
}

/** The reference of a record's picture as the record has it; `undefined` if it has none. */
export const imageOf = (fields: Fields, notes: Notes): string | undefined => {
  const [first, ...others] = names.filter((name) => name in fields)
  if (first === undefined) return undefined
  const reference = referenceIn(first, fields[first])
  for (const name of others) if (referenceIn(name, fields[name]) !== reference) notes.unused(name)
  return reference
}
