/** VQA-RAD and SLAKE as they are published: which fields of a record say what, and where the pictures are. */
import { type Fields, RecordError, show } from "../../domain/records/fields.ts"
import type { Split } from "../pictures/parts.ts"
import type { Asked } from "./asked.ts"
import { closedOf, neededOf, textOf } from "./fields.ts"

/** A question of a record, without its file. */
export type Named = Omit<Asked, "path">

/** How a data set's records are read. */
export interface Publication {
  readonly name: string
  /** Folders beside its files where its pictures usually are. */
  readonly folders: ReadonlyArray<string>
  /** A record of a part; a text where it is left out, and why. @throws RecordError */
  readonly read: (fields: Fields, split: Split | undefined) => Named | string
}

/** The split of a record of VQA-RAD: `split` if it has one, or else what its phrase is of. @throws RecordError */
const radSplit = (fields: Fields): Split => {
  const split = textOf(fields, "split")
  if (split === "train" || split === "test") return split
  if (split !== "") throw new RecordError("split", `is train or test, got ${show(split)}`)
  return neededOf(fields, "phrase_type").startsWith("test") ? "test" : "train"
}

const sentenceCase = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1).toLowerCase()

/** VQA-RAD: the JSON of its release at OSF, or JSON lines of the same under shorter names. */
export const vqaRad: Publication = {
  name: "vqa-rad",
  folders: ["VQA_RAD Image Folder", "images", "."],
  read: (fields) => {
    const answer = textOf(fields, "answer")
    if (answer === "") return "without_answer"
    return {
      id: neededOf(fields, "qid", "id"),
      split: radSplit(fields),
      picture: neededOf(fields, "image_name", "image"),
      question: neededOf(fields, "question"),
      answer,
      closed: closedOf(fields),
      type: textOf(fields, "question_type"),
      about: sentenceCase(textOf(fields, "image_organ", "organ"))
    }
  }
}

/** Languages of SLAKE's questions. */
export const languages = ["en", "zh", "all"] as const
/** One of `languages`. */
export type Language = typeof languages[number]

/** SLAKE: a file a split, in English and Chinese. */
export const slake = (language: Language): Publication => ({
  name: "slake",
  folders: ["imgs", "images", "."],
  read: (fields, split) => {
    if (split === undefined) {
      throw new RecordError("", "is in a file that is named by no split: train, validate or test")
    }
    if (language !== "all" && neededOf(fields, "q_lang") !== language) return "other_language"
    const answer = textOf(fields, "answer")
    if (answer === "") return "without_answer"
    const [modality, location] = [textOf(fields, "modality"), textOf(fields, "location")]
    return {
      id: `${split}/${neededOf(fields, "qid")}`,
      split,
      picture: neededOf(fields, "img_name"),
      question: neededOf(fields, "question"),
      answer,
      closed: closedOf(fields),
      type: textOf(fields, "content_type"),
      about: [modality, location.replaceAll("_", " ").toLowerCase()].filter((text) => text !== "").join(", ")
    }
  }
})
