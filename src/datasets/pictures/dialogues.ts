/** Program: converts dialogues about pictures (LLaVA, ShareGPT, LLaMA-Factory, TRL) to questions with pictures. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { dirname, isAbsolute, join } from "node:path"
import { type Fields, RecordError } from "../../domain/records/fields.ts"
import { makeFolder, replace } from "../../runtime/files/disk.ts"
import { errorOf, valueOf } from "../loading.ts"
import { placeId, recordsOf } from "../recordFile.ts"
import { from, lines } from "./references.ts"

/** Where a picture stands in a turn. */
const MARK = "<image>"

interface Turn {
  readonly who: "user" | "assistant" | "other"
  readonly text: string
}

const roles: Readonly<Record<string, Turn["who"]>> = {
  user: "user",
  human: "user",
  assistant: "assistant",
  gpt: "assistant"
}

/** The text of a turn, with a mark for each picture. @throws RecordError */
const said = (field: string, content: unknown): string => {
  if (typeof content === "string") return content
  if (!Array.isArray(content)) throw new RecordError(field, "is to be a text, or a list of pictures and texts")
  return content.map((part: Fields) => {
    if (part["type"] === "image") return MARK
    if (part["type"] === "text" && typeof part["text"] === "string") return part["text"]
    throw new RecordError(field, `has a part of type ${String(part["type"])}; pictures and texts are read`)
  }).join("")
}

/** The turns of a record. @throws RecordError */
const turnsOf = (record: Fields): ReadonlyArray<Turn> => {
  const field = Array.isArray(record["messages"]) ? "messages" : "conversations"
  const all = record[field]
  if (!Array.isArray(all)) throw new RecordError(field, "is missing: a record has messages or conversations")
  return all.map((turn: Fields, i) => ({
    who: roles[String(turn["role"] ?? turn["from"])] ?? "other",
    text: said(`${field}.${i}`, turn["content"] ?? turn["value"])
  }))
}

/** The paths of a record's pictures. @throws RecordError */
const picturesOf = (record: Fields): ReadonlyArray<string> =>
  [record["images"] ?? record["image"] ?? []].flat().map((given: unknown) => {
    const path = typeof given === "object" && given !== null ? (given as Fields)["path"] : given
    if (typeof path === "string" && path !== "") return path
    throw new RecordError("images", "is to name files; pictures within the record are not read")
  })

/** A question of a dialogue. */
interface Asked {
  readonly picture: string
  readonly question: string
  readonly answer: string
}

/** What was read of dialogues. */
interface Counts {
  questions: number
  /** Turns of a person that no answer follows. */
  unanswered: number
  /** Pictures that stand before the one that is asked about, with what is said of them. */
  context: number
  /** Turns of other speakers, such as the system. */
  left: number
}

/** A turn's question, which is what follows its last mark, or stands before it if nothing does. */
const questionIn = (text: string): string => {
  const pieces = text.split(MARK)
  return (pieces.at(-1)!.trim() || (pieces.length === 2 ? pieces[0]! : "")).trim()
}

/** The questions of a dialogue, one for each turn of a person; each about the last picture that was shown by then. */
const asked = (record: Fields, counts: Counts): ReadonlyArray<Asked> => {
  const [turns, pictures] = [turnsOf(record), picturesOf(record)]
  const marks = turns.reduce((sum, { text, who }) => sum + (who === "user" ? text.split(MARK).length - 1 : 0), 0)
  if (marks !== pictures.length && !(marks === 0 && pictures.length === 1)) {
    throw new RecordError("images", `names ${pictures.length} pictures, and the turns have ${marks} times ${MARK}`)
  }
  const found: Array<Asked> = []
  let shown = marks === 0 ? 1 : 0
  turns.forEach(({ text, who }, i) => {
    if (who === "other") counts.left++
    if (who !== "user") return
    const own = text.split(MARK).length - 1
    shown += own
    counts.context += Math.max(0, own - 1)
    const next = turns[i + 1]
    const question = questionIn(text)
    if (next?.who !== "assistant" || shown === 0) return counts.unanswered++
    if (question === "") throw new RecordError(`turn ${i + 1}`, "asks nothing about its picture")
    found.push({ picture: pictures[shown - 1]!, question, answer: next.text.trim() })
  })
  return found
}

/**
 * Writes the questions of a file of dialogues to `out`/questions.jsonl, and reports counts. Pictures are named relative to
 * `images`, by default the file's folder; those of one picture are of one group.
 */
export const importFile = Effect.fn("importDialogues")(function*(path: string, out: string, images?: string) {
  const counts: Counts = { questions: 0, unanswered: 0, context: 0, left: 0 }
  const records: Array<object> = []
  yield* Stream.runForEach(recordsOf(path, undefined, () => true), (raw) =>
    Effect.try({
      try: () => {
        const record = valueOf(raw) as Fields
        asked(record, counts).forEach(({ answer, picture, question }, i) => {
          const file = isAbsolute(picture) ? picture : join(images ?? dirname(path), picture)
          const image = from(out, file)
          records.push({
            id: `${String(record["id"] ?? placeId(raw))}/${i + 1}`,
            image,
            question,
            answer,
            group: picture
          })
        })
      },
      catch: (error) => errorOf(raw, error)
    }))
  yield* makeFolder(out)
  yield* replace(join(out, "questions.jsonl"), lines(records))
  return { ...counts, questions: records.length }
})
