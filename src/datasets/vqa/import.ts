/** Program: converts a data set of questions about pictures to passages and questions. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { FileError, hashFile, makeFolder, replace } from "../../runtime/files/disk.ts"
import type { Split } from "../pictures/parts.ts"
import { lines } from "../pictures/references.ts"
import { answerTypeOf, type Asked, byPicture, type Distinct, distinct, sharedPictures, type Shares } from "./asked.ts"
import { closed, passagesOf, questionOf, type Unit } from "./records.ts"

/** What is asked for. */
export interface VqaOptions {
  /** The splits of the data, or shares of the pictures, of which none is in two splits. */
  readonly split: "official" | Shares
  readonly seed: number
  /** Whether open questions to train on become closed ones. */
  readonly closed: boolean
  readonly passages: Unit
}

/** A data set, read. */
export interface DataSet {
  /** Where it is. */
  readonly path: string
  readonly asked: ReadonlyArray<Asked>
  /** Records that were left out, by reason. */
  readonly leftOut: Readonly<Record<string, number>>
}

/** The same picture by one name, that of the first question about it, whatever files have it. */
const named = Effect.fnUntraced(function*(all: ReadonlyArray<Asked>) {
  const paths = new Map(all.map(({ path, picture }) => [path, picture]))
  const first = new Map<string, string>()
  const names = new Map<string, string>()
  for (const [path, picture] of paths) {
    const hash = yield* hashFile(path)
    if (!first.has(hash)) first.set(hash, picture)
    names.set(path, first.get(hash)!)
  }
  return {
    asked: all.map((asked): Asked => ({ ...asked, picture: names.get(asked.path)! })),
    pictures: first.size,
    equal: paths.size - first.size
  }
})

const splitBy = Effect.fnUntraced(function*(path: string, all: ReadonlyArray<Asked>, { seed, split }: VqaOptions) {
  if (split === "official") return distinct(all)
  /** No split is published: nothing is asked twice, wherever it is. */
  const { asked, ...counts } = distinct(all.map((own): Asked => ({ ...own, split: "train" })))
  const own = byPicture(asked, split, seed)
  for (const part of ["train", "dev", "test"] as const) {
    if (own.some((one) => one.split === part) || (part !== "train" && split[part] === 0)) continue
    const reason = `leaves no picture to the split ${part} with shares of ${split.dev} (dev) and ${split.test} (test)`
    return yield* new FileError({ path, place: "", reason })
  }
  return { asked: own, ...counts } satisfies Distinct as Distinct
})

/** Questions of each kind of answer. */
const kinds = (all: ReadonlyArray<Asked>) => {
  const count = (kind: ReturnType<typeof answerTypeOf>) => all.filter((asked) => answerTypeOf(asked) === kind).length
  return { yes_no: count("yes/no"), choice: count("choice"), open: count("open") }
}

/**
 * Writes `passages.jsonl` (captioned pictures that training asks about) and `questions.jsonl` (train, dev, test) to `out`, and reports
 * counts: of what is written, by kinds of answers before open questions are closed, and of all that is left out. A picture is a group.
 */
export const importAsked = Effect.fn("importVqa")(function*(data: DataSet, out: string, options: VqaOptions) {
  if (data.asked.length === 0) {
    return yield* new FileError({ path: data.path, place: "", reason: "no question is left" })
  }
  const ids = new Set<string>()
  for (const { id } of data.asked) {
    if (ids.has(id)) return yield* new FileError({ path: data.path, place: `question ${id}`, reason: "is given twice" })
    ids.add(id)
  }
  const { equal, pictures, ...whole } = yield* named(data.asked)
  const { asked, duplicates, shared } = yield* splitBy(data.path, whole.asked, options)
  const of = (split: Split) => asked.filter((own) => own.split === split)
  const [train, dev, test] = [of("train"), of("dev"), of("test")]
  const plain = train.map((own) => questionOf(own, out))
  const learned = options.closed ? closed(plain, options.seed) : { questions: plain }
  const passages = passagesOf(train, options.passages, out)
  yield* makeFolder(out)
  yield* replace(join(out, "passages.jsonl"), lines(passages))
  yield* replace(
    join(out, "questions.jsonl"),
    lines([...learned.questions, ...[...dev, ...test].map((own) => questionOf(own, out))])
  )
  return {
    train: learned.questions.length,
    dev: dev.length,
    test: test.length,
    ...kinds(asked),
    ...("closed" in learned ? { closed_of_open: learned.closed, unclosable: learned.unclosable } : {}),
    passages: passages.length,
    pictures,
    equal_pictures: equal,
    judged_pictures_in_training: sharedPictures(train, [...dev, ...test]),
    duplicates,
    also_judged: shared,
    left_out: data.leftOut
  }
})
