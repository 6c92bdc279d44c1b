/** Program: converts a file of MedMNIST (.npz) to passages, which are pictures with captions, and questions about pictures. */
import * as Effect from "effect/Effect"
import { basename, join } from "node:path"
import * as Key from "../../domain/Key.ts"
import * as Npz from "../../runtime/files/arrays/npz.ts"
import { FileError, makeFolder, replace, sha256 } from "../../runtime/files/disk.ts"
import { from, lines } from "../pictures/references.ts"
import { type MedmnistSet, sets } from "./tables.ts"

/** What is asked for. */
export interface MedmnistOptions {
  /** Pictures of the training set that become passages with captions; by default all that are no questions. */
  readonly memory?: number | undefined
  /** Pictures of the training set that become questions. */
  readonly labelled: number
  /** Pictures of the training set that become questions of the split `held`, which nothing is trained on; none by default. */
  readonly held?: number | undefined
  readonly seed: number
  /** Names of the labels, in order, of a set that is not known by its file's name. */
  readonly labels?: ReadonlyArray<string> | undefined
}

/** Pictures of one of the file's parts. */
interface Part {
  readonly name: "train" | "val" | "test"
  readonly labels: Uint8Array
  /** SHA-256 of the pixels of each picture. */
  readonly hashes: ReadonlyArray<string>
}

const parts = ["test", "val", "train"] as const

const setOf = Effect.fnUntraced(function*(path: string, labels: MedmnistOptions["labels"]) {
  const name = basename(path).toLowerCase().replace(/(_\d+)?\.npz$/, "")
  const known = Object.hasOwn(sets, name) ? sets[name]! : undefined
  if (labels) return { picture: known?.picture ?? "picture", labels } satisfies MedmnistSet as MedmnistSet
  if (known) return known
  const reason = `is no set of MedMNIST with one label a picture by its name (${
    Object.keys(sets).join(", ")
  }); give --labels`
  return yield* new FileError({ path, place: "", reason })
})

/** The pictures' labels: one for each picture, and each with a name. */
const labelsOf = (images: Npz.Bytes, labels: Npz.Bytes, names: ReadonlyArray<string>): string | undefined => {
  const [count = 0, ...rest] = images.shape
  const [rows, columns = 1] = labels.shape
  if (images.shape.length === 4 && rest[2] !== 3) return `has the shape (${images.shape.join()}): volumes are not read`
  if (rest.length < 2 || rest.length > 3) return `has the shape (${images.shape.join()}), and is to be pictures`
  if (columns !== 1) return `has ${columns} labels a picture, and a question has one answer`
  if (rows !== count) return `has ${count} pictures and ${rows} labels`
  const beyond = labels.data.find((label) => label >= names.length)
  return beyond === undefined ? undefined : `has the label ${beyond}, and ${names.length} names of labels`
}

const partOf = Effect.fnUntraced(function*(file: Npz.Npz, name: Part["name"], set: MedmnistSet) {
  const [images, labels] = [yield* file.array(`${name}_images`), yield* file.array(`${name}_labels`)]
  const wrong = labelsOf(images, labels, set.labels)
  if (wrong !== undefined) return yield* new FileError({ path: file.path, place: `${name}_images`, reason: wrong })
  const size = images.data.length / Math.max(1, images.shape[0]!)
  const hashes = Array.from(labels.data, (_, i) => sha256(images.data.subarray(i * size, (i + 1) * size)))
  return { name, labels: labels.data, hashes } satisfies Part as Part
})

/**
 * Rows of each part: the test set whole, the validation set without pictures of the test set, the training set without those of either
 * and without its own a second time. Equal pictures of one part are of one group.
 */
const distinct = (found: ReadonlyArray<Part>) => {
  const seen = new Set<string>()
  return new Map(found.map(({ hashes, name }) => {
    const before = new Set(seen)
    const rows = [...hashes.keys()].filter((i) => {
      const hash = hashes[i]!
      const known = name === "train" ? seen.has(hash) : before.has(hash)
      seen.add(hash)
      return !known
    })
    return [name, rows] as const
  }))
}

/** The training rows that become questions, passages and held-out questions, drawn under the seed, each in the file's order. */
const drawn = Effect.fnUntraced(
  function*(path: string, rows: ReadonlyArray<number>, { held = 0, labelled, memory, seed }: MedmnistOptions) {
    const wanted = labelled + held + (memory ?? 0)
    if (wanted > rows.length || Math.min(labelled, held, memory ?? 0) < 0) {
      const asked = [`labelled (${labelled})`, `held (${held})`, ...memory === undefined ? [] : [`memory (${memory})`]]
        .join(" and ")
      const reason = `has ${rows.length} distinct pictures to train on, fewer than, or no number for, ${asked}`
      return yield* new FileError({ path, place: "train_images", reason })
    }
    const order = Array.from(Key.permutation(Key.fold(Key.make(seed), "medmnist"), rows.length), (i) => rows[i]!)
    const pick = (from: number, to: number) => order.slice(from, to).toSorted((a, b) => a - b)
    const end = labelled + (memory ?? rows.length - labelled - held)
    return { questions: pick(0, labelled), passages: pick(labelled, end), heldOut: pick(end, end + held) }
  }
)

/** How records name a picture, from the folder that they are in: the file, the array and the row. */
const imageOf = (path: string, out: string) => (part: Part["name"], row: number) =>
  `${from(out, path)}#${part}_images/${row}`

/**
 * Writes `passages.jsonl` (captioned pictures of the training set) and `questions.jsonl` (train, dev, test, held) to `out`, and reports
 * counts. Pictures that are also in the test or validation set are left out, and counted: no passage is a question's own picture.
 */
export const importFile = Effect.fn("importMedmnist")(function*(path: string, out: string, options: MedmnistOptions) {
  const set = yield* setOf(path, options.labels)
  const file = yield* Npz.open(path)
  const found = yield* Effect.forEach(parts, (name) => partOf(file, name, set))
  const rows = distinct(found)
  const by = new Map(found.map((part) => [part.name, part]))
  const { heldOut, passages, questions } = yield* drawn(path, rows.get("train")!, options)
  const image = imageOf(path, out)
  const question = (part: Part["name"], split: string) => (row: number) => ({
    id: `${part}/${row}`,
    split,
    image: image(part, row),
    question: `Which of these does this ${set.picture} show?`,
    options: set.labels,
    answer: set.labels[by.get(part)!.labels[row]!]!,
    group: by.get(part)!.hashes[row]!.slice(0, 16)
  })
  const passage = (row: number) => ({
    _id: `train/${row}`,
    image: image("train", row),
    text: `This ${set.picture} shows: ${set.labels[by.get("train")!.labels[row]!]!}.`,
    group: by.get("train")!.hashes[row]!.slice(0, 16)
  })
  const asked = [
    ...questions.map(question("train", "train")),
    ...rows.get("val")!.map(question("val", "dev")),
    ...rows.get("test")!.map(question("test", "test")),
    ...heldOut.map(question("train", "held"))
  ]
  yield* makeFolder(out)
  yield* replace(join(out, "passages.jsonl"), lines(passages.map(passage)))
  yield* replace(join(out, "questions.jsonl"), lines(asked))
  const all = found.reduce((sum, { hashes }) => sum + hashes.length, 0)
  const kept = [...rows.values()].reduce((sum, own) => sum + own.length, 0)
  return {
    passages: passages.length,
    train: questions.length,
    dev: rows.get("val")!.length,
    test: rows.get("test")!.length,
    held: heldOut.length,
    duplicates: all - kept,
    unused: rows.get("train")!.length - questions.length - passages.length - heldOut.length
  }
})
