/** Questions, in the forms in which they are published. */
import * as fc from "fast-check"
import { join } from "node:path"
import * as Dataset from "../../../src/datasets/dataset.ts"
import type { QuestionRecord } from "../../../src/domain/records/Records.ts"
import { after, type Damage, damages } from "../edits/damage.ts"
import { isList, type Json, of, textOf } from "../edits/json.ts"
import { type Edit, edited, edits } from "../edits/mutations.ts"
import { attempt, expectSame, Fault, fill, kind, refused } from "../kind.ts"
import { isFields } from "../readings/json.ts"
import { type Question, questionOf } from "../readings/questions.ts"
import { type Place, placesOf, unlessBad } from "../readings/records.ts"

const jsonLines = (json: Json): string =>
  isList(json) ? json.items.map((item) => `${textOf(item)}\n`).join("") : textOf(json)

const genes = ["GBA1", "GLA", "GAA"]

/** Small files, and how their text is made. */
const files: Readonly<Record<string, { readonly base: Json; readonly write: (json: Json) => string }>> = {
  "own.jsonl": {
    base: of([
      {
        id: "q1",
        question: "Which gene?",
        options: genes,
        answer: "GLA",
        answer_idx: 1,
        gold: ["p1", "p2"],
        group: "g"
      },
      { id: "q2", question: "Which?", options: { A: "x", B: "y" }, answer: "B", type: "gene" },
      { qid: 3, query: "How many?", choices: { text: ["one", "two"], label: ["1", "2"] }, answerKey: "2", gold: "p1" },
      { question: "Free?", golden_answers: ["yes", "Yes, always"] },
      { id: "q5", question: "Nobody knows", options: [1, 2.5, 30], answer: 2.5 }
    ]),
    write: jsonLines
  },
  "mmlu.json": {
    base: of([
      { question: "Q?", choices: ["a b", "A B", "c"], answer: 2, subject: "anatomy" },
      { question: "R?", choices: ["w", "x", "y", "z"], answer: 0, subject: "anatomy" }
    ]),
    write: textOf
  },
  "medmcqa.jsonl": {
    base: of([
      { id: "m1", question: "Q1", opa: "a", opb: "b", opc: "c", opd: "d", cop: 2, exp: "" },
      { id: "m2", question: "Q2", opa: "e", opb: "f", opc: "g", opd: "h", cop: 4 },
      { id: "m3", question: "Q3", opa: "i", opb: "j", opc: "k", opd: "l", cop: 1 }
    ]),
    write: jsonLines
  },
  "pubmedqa.json": {
    base: of({
      100: { QUESTION: "Does it?", CONTEXTS: ["c"], final_decision: "yes" },
      200: { QUESTION: "Is it?", final_decision: "maybe" }
    }),
    write: textOf
  },
  "bioasq.json": {
    base: of({
      questions: [
        { id: "b1", body: "Is it?", type: "yesno", exact_answer: "yes", documents: ["d"] },
        { id: "b2", body: "Which?", type: "factoid", exact_answer: [["a", "b"]] },
        { id: "b3", body: "List", type: "list", exact_answer: [["a"], ["b"]] }
      ]
    }),
    write: textOf
  },
  "headqa.json": {
    base: of({
      exams: {
        "Cuaderno 2013": {
          name: "Cuaderno 2013",
          data: [
            { qid: "1", qtext: "Q", answers: [{ aid: 1, atext: "x" }, { aid: 2, atext: "y" }], ra: 2 },
            { qid: "2", qtext: "R", answers: [{ aid: 1, atext: "v" }, { aid: 2, atext: "w" }], ra: "1", image: "" }
          ]
        }
      }
    }),
    write: textOf
  }
}

interface Case {
  readonly name: string
  readonly edits: ReadonlyArray<Edit>
  readonly damages: ReadonlyArray<Damage>
  readonly skips: boolean
}

const bytesOf = ({ damages, edits, name }: Case): Uint8Array => {
  const { base, write } = files[name]!
  return after(new TextEncoder().encode(write(edited(base, edits))), damages)
}

/** What `cop` counts from by all of the file's; "both" where that cannot be. */
const copOf = (places: ReadonlyArray<Place>): 0 | 1 | undefined | "both" => {
  const given = places.flatMap(({ value }) =>
    isFields(value) && typeof value["cop"] !== "object" ? [String(value["cop"])] : []
  )
  const [zero, four] = [given.some((cop) => ["0", "-1"].includes(cop)), given.includes("4")]
  return zero && four ? "both" : zero ? 0 : four ? 1 : undefined
}

interface Read {
  readonly questions: ReadonlyArray<Question>
  /** Ids that several questions have: of these one is left, whichever could be read first. */
  readonly twice: ReadonlySet<string>
}

/** The questions of a file, or the place of the first that is bad; "" where the file is. */
const expected = (c: Case, places: ReadonlyArray<Place>): Read | string => {
  const from = copOf(places)
  if (from === "both") return ""
  const [seen, twice] = [new Set<string>(), new Set<string>()]
  const read = places.map((place) => {
    const own = place.broken ? undefined : unlessBad(() => questionOf(place.value, place.id, from))
    if (own && seen.has(own.id)) twice.add(own.id)
    return [place, own && !seen.has(own.id) && seen.add(own.id) ? own : undefined] as const
  })
  const wrong = read.find(([, own]) => own === undefined)
  if (wrong && !c.skips) return wrong[0].name
  const questions = read.flatMap(([, own]) => own ?? [])
  return questions.length === 0 ? "" : { questions, twice }
}

/** A record as the second reading has it. */
const plain = (record: QuestionRecord): Question => {
  const { answer, answerIndex, answers, gold, group, id, options, question, type } = record
  const right = answers ?? (answer === "" ? [] : [answer])
  if (options.length > 0 && answer !== (options[answerIndex] ?? "")) {
    throw new Fault(`${id}: "${answer}" is at ${answerIndex}`)
  }
  if (right[0] !== answer && answer !== "") throw new Fault(`${id}: ${answer} is not the first of ${right.join()}`)
  return { id, question, options, right: [...new Set(right)].toSorted(), gold, group, type }
}

export default kind<Case>({
  cases: fc.constantFrom(...Object.keys(files)).chain((name) =>
    fc.record({
      name: fc.constant(name),
      edits: fc.oneof({ weight: 4, arbitrary: edits(files[name]!.base) }, fc.constant([])),
      damages: fc.oneof({ weight: 4, arbitrary: fc.constant([]) }, damages),
      skips: fc.boolean()
    }, { noNullPrototype: true })
  ),
  judge: async (c, folder) => {
    const bytes = bytesOf(c)
    fill(folder, { [c.name]: bytes })
    const path = join(folder, c.name)
    const outcome = await attempt(Dataset.questions(path, { skipBad: c.skips }))
    const places = unlessBad(() => placesOf(c.name, bytes))
    const own = places === undefined ? "" : expected(c, places)
    if (outcome._tag === "Refused") {
      if (typeof own !== "string") throw new Fault(`refused: ${outcome.message}`)
      return refused(outcome, path)
    }
    if (typeof own === "string") throw new Fault(`read, where ${own === "" ? "the file" : own} is bad`)
    const found = outcome.value.records.map(plain)
    const once = (all: ReadonlyArray<Question>) => all.filter(({ id }) => !own.twice.has(id))
    expectSame(once(found), once(own.questions), "questions")
    expectSame(found.map(({ id }) => id).toSorted(), own.questions.map(({ id }) => id).toSorted(), "ids")
    if (bytes.join() === bytesOf({ ...c, edits: [], damages: [] }).join()) return "same"
    return outcome.value.told.length > 0 ? "told" : "changed"
  }
})
