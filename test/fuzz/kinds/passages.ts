/** Passages, in every form and kind of file. */
import * as fc from "fast-check"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import * as Dataset from "../../../src/datasets/dataset.ts"
import { after, type Damage, damages } from "../edits/damage.ts"
import { isList, type Json, of, textOf } from "../edits/json.ts"
import { type Edit, edited, edits } from "../edits/mutations.ts"
import { attempt, expectSame, Fault, fill, kind, refused } from "../kind.ts"
import { isFields } from "../readings/json.ts"
import { type Passage, passageOf, type Place, placesOf, says, unlessBad } from "../readings/records.ts"

const records = [
  { _id: "p1", title: "Gaucher disease", text: "Variants in GBA1." },
  { id: 2, contents: "\"Fabry\"\nCaused by GLA.", title: "Fabry" },
  { id: "m3", title: "Pompe", content: "A weak heart.", contents: "Pompe. A weak heart." },
  { id: "a4", title: "Wilson", section: "Signs", text: "Copper in the liver.", extra: [1] },
  { id: "t5", title: "Alone", text: "" },
  { id: "t6", title: "A title. As a sentence.", text: "Its text." },
  { id: "e6", text: null }
]
const base = of(records)

/** As a file of the name has records. */
const files = {
  "passages.jsonl": (json: Json) =>
    isList(json) ? json.items.map((item) => `${textOf(item)}\n`).join("") : textOf(json),
  "passages.json": textOf,
  "held.json": (json: Json) => textOf({ entries: [["\"data\"", json]] }),
  "passages.jsonl.gz": (json: Json) => files["passages.jsonl"](json)
} as const
type Name = keyof typeof files
const names = Object.keys(files) as ReadonlyArray<Name>

interface Case {
  readonly name: Name
  readonly edits: ReadonlyArray<Edit>
  readonly damages: ReadonlyArray<Damage>
  readonly skips: boolean
}

const bytesOf = ({ damages, edits, name }: Case): Uint8Array => {
  const text = new TextEncoder().encode(files[name](edited(base, edits)))
  return after(name.endsWith(".gz") ? new Uint8Array(gzipSync(text)) : text, damages)
}

const known: ReadonlySet<string> = new Set(["_id", "id", "title", "section", "text", "contents", "content"])

/** Fields of the records that are read which the file should tell that it makes no use of. */
const unused = (places: ReadonlyArray<Place>): ReadonlySet<string> =>
  new Set(
    places.flatMap(({ value }) =>
      isFields(value) ? Object.entries(value).filter(([key, v]) => says(v) && !known.has(key)).map(([key]) => key) : []
    )
  )

interface Read {
  readonly passages: ReadonlyArray<Passage>
  readonly from: ReadonlyArray<Place>
}

/** The passages and where they are from, or the place of the first that is bad; "" where the file is. */
const expected = (c: Case, places: ReadonlyArray<Place>): Read | string => {
  const read = places.map((place) =>
    [place, place.broken ? undefined : unlessBad(() => passageOf(place.value))] as const
  )
  const seen = new Set<string>()
  const good = read.filter(([, passage]) =>
    passage !== undefined && (passage.text === "" || !seen.has(passage.id)) &&
    (passage.text === "" || seen.add(passage.id))
  )
  const wrong = read.find((one) => !good.includes(one))
  if (wrong && !c.skips) return wrong[0].name === "record __proto__" ? "" : wrong[0].name
  const passages = good.map(([, passage]) => passage!).filter((passage) => passage.text !== "")
  return passages.length === 0 ? "" : { passages, from: good.map(([place]) => place) }
}

export default kind<Case>({
  cases: fc.record({
    name: fc.constantFrom(...names),
    edits: fc.oneof({ weight: 3, arbitrary: edits(base) }, fc.constant([])),
    damages: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, damages),
    skips: fc.boolean()
  }, { noNullPrototype: true }),
  judge: async (c, folder) => {
    const bytes = bytesOf(c)
    fill(folder, { [c.name]: bytes })
    const path = join(folder, c.name)
    const outcome = await attempt(Dataset.passages(path, { skipBad: c.skips }))
    const places = unlessBad(() => placesOf(c.name, bytes))
    const own = places === undefined ? "" : expected(c, places)
    if (outcome._tag === "Refused") {
      if (typeof own !== "string") throw new Fault(`refused: ${outcome.message}`)
      if (!outcome.message.includes(own)) throw new Fault(`does not name ${own}: ${outcome.message}`)
      return refused(outcome, path)
    }
    if (typeof own === "string") throw new Fault(`read, where ${own === "" ? "the file" : own} is bad`)
    const { records: found, told } = outcome.value
    expectSame(found, own.passages, "passages")
    const idle = [...unused(own.from)].filter((name) => !told.some((line) => line.includes(name)))
    if (idle.length > 0 && idle.length < 30) throw new Fault(`not told: ${idle.join()}; ${told.join("; ")}`)
    if (bytes.join() === bytesOf({ ...c, edits: [], damages: [] }).join()) return "same"
    return told.length > 2 ? "told" : "changed"
  }
})
