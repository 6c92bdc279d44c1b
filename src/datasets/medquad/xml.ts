/** MedQuAD's files: one XML document per web page, with its focus and the questions its sections answer. */
import * as Effect from "effect/Effect"
import * as Xml from "effect/encoding/Xml"
import * as Stream from "effect/Stream"
import { FileError, readBytes } from "../../runtime/files/disk.ts"

/** A question with its answer, white space collapsed. */
export interface Pair {
  readonly id: string
  readonly type: string
  readonly question: string
  readonly answer: string
  /** Id of the first pair in the document with the same answer: usually this pair. */
  readonly gold: string
}

/** A web page of MedQuAD. */
export interface Document {
  readonly id: string
  readonly source: string
  /** The topic; empty in three files. */
  readonly focus: string
  readonly synonyms: ReadonlyArray<string>
  /** Identifies the disease: the first UMLS concept, or else the focus, or else the id. */
  readonly disease: string
  /** The pairs with an answer. */
  readonly pairs: ReadonlyArray<Pair>
}

/** Elements with these names at any depth, ignoring case: five files spell and nest them differently. */
const within = (element: Xml.Element, ...names: ReadonlyArray<string>): ReadonlyArray<Xml.Element> =>
  element.children.flatMap((child) => {
    if (typeof child === "string") return []
    return names.includes(child.name.toLowerCase()) ? [child] : within(child, ...names)
  })

const contents = (element: Xml.Element): string =>
  element.children.map((child) => typeof child === "string" ? child : contents(child)).join("")

/** The non-empty texts of such elements, white space collapsed. */
const texts = (element: Xml.Element, ...names: ReadonlyArray<string>): ReadonlyArray<string> =>
  within(element, ...names).map((e) => contents(e).replace(/\s+/g, " ").trim()).filter((text) => text !== "")

const fail = (path: string, place: string, reason: string) => Effect.fail(new FileError({ path, place, reason }))

/** The root element; fails if the file is truncated or malformed. */
const parse = (path: string, bytes: Uint8Array): Effect.Effect<Xml.Element, FileError> =>
  Stream.make(bytes).pipe(
    Stream.pipeThroughChannel(Xml.decode()),
    Stream.pipeThroughChannel(Xml.elements(["*"])),
    Stream.runCollect,
    Effect.map(([root]) => root!),
    Effect.catchTag("XmlError", (error) => fail(path, "", `not XML: ${error.message}`))
  )

/** A pair, or `undefined` if its answer is empty. */
const toPair = Effect.fnUntraced(function*(path: string, document: string, element: Xml.Element) {
  const [answer] = texts(element, "answer")
  if (answer === undefined) return undefined
  const { pid } = element.attributes
  if (!pid) return yield* fail(path, "QAPair", "it has no pid")
  const [question] = texts(element, "question")
  if (question === undefined) return yield* fail(path, `QAPair ${pid}`, "an answer without a question")
  const type = within(element, "question")[0]!.attributes["qtype"] ?? ""
  return { id: `${document}#${pid}`, type, question: question.replace(/( \?)+$/, "?"), answer }
})

/** The answered pairs, with repeated answers linked to the first. */
const linked = (pairs: ReadonlyArray<Omit<Pair, "gold"> | undefined>): ReadonlyArray<Pair> => {
  const answered = pairs.filter((pair) => pair !== undefined)
  const first = new Map(answered.toReversed().map(({ answer, id }) => [answer, id]))
  return answered.map(({ answer, id, question, type }) => ({ id, type, question, answer, gold: first.get(answer)! }))
}

const focusNames = ["focus", "doctitle-focus"]

/** Reads a file's document under the given id. */
export const read = Effect.fnUntraced(function*(path: string, id: string) {
  const root = yield* parse(path, yield* readBytes(path))
  if (within(root, ...focusNames).length === 0) return yield* fail(path, "", "no MedQuAD document: it has no Focus")
  const focus = texts(root, ...focusNames)[0] ?? ""
  const pairs = yield* Effect.forEach(within(root, "qapair", "pair"), (element) => toPair(path, id, element))
  const document: Document = {
    id,
    source: root.attributes["source"] ?? root.attributes["corpus"] ?? "",
    focus,
    synonyms: texts(root, "synonym"),
    disease: texts(root, "cui")[0] ?? (focus.toLowerCase() || id),
    pairs: linked(pairs)
  }
  return document
})
