/** tokenizer.json of every shape: refused by name, or read to the ids and texts that a second reading gives. */
import * as fc from "fast-check"
import { join } from "node:path"
import * as Tokenizer from "../../../src/runtime/tokenizers/tokenizer.ts"
import { after, type Damage, damages } from "../edits/damage.ts"
import { type Path, places, textOf } from "../edits/json.ts"
import { type Edit, edited, edits, Raw, strange } from "../edits/mutations.ts"
import { baseOf, endless, expressions, type Shape, shapes } from "../inputs/tokenizerShapes.ts"
import { attempt, expectSame, Fault, fill, kind, refused } from "../kind.ts"
import { strictly } from "../readings/json.ts"
import { Bad } from "../readings/records.ts"
import { Unsure } from "../readings/tokenizer/text.ts"
import { type Whole, wholeOf } from "../readings/tokenizer/whole.ts"

export interface Case {
  readonly shape: Shape
  readonly edits: ReadonlyArray<Edit>
  readonly damages: ReadonlyArray<Damage>
}

/** Texts that are encoded. */
export const probes: ReadonlyArray<string> = [
  "",
  "The gene GBA1, and café.",
  "  two   spaces \n",
  "Gauchers disease: 12 of 3000 don't do not",
  "naïve cafe\u0301 e\u0301",
  "中文 the中",
  "<s>the</s> <mask>  <mask>x <mask>, xfoo foo Foo",
  "constructor __proto__ toString",
  "▁the ▁ gene▁▁a",
  "abab abcabc ab\tc",
  "\ud800 lone",
  "ﬁ ½ ㍿\u00ad",
  ...strange
]

export const bytesOf = ({ damages, edits, shape }: Case): Uint8Array =>
  after(new TextEncoder().encode(textOf(edited(baseOf(shape), edits))), damages)

/** What `judge` gives, or what it is that says that nothing is to be had: Bad where that is refused. */
const unless = <A>(judge: () => A): A | "bad" | "unsure" => {
  try {
    return judge()
  } catch (error) {
    if (error instanceof Bad) return "bad"
    if (error instanceof Unsure) return "unsure"
    throw error
  }
}

export const ownOf = (bytes: Uint8Array): Whole | "bad" | "unsure" => {
  const json = strictly(bytes)
  return json === undefined ? "bad" : unless(() => wholeOf(json.value))
}

/** Ids of a text; "bad" where the program says, as an error of the file, that they cannot be had. */
const idsOf = (tokenizer: Tokenizer.Tokenizer, text: string, path: string): ReadonlyArray<number> | "bad" => {
  try {
    return tokenizer.encode(text)
  } catch (error) {
    const { _tag, message } = error as { readonly _tag?: unknown; readonly message: string }
    if (_tag !== "FileError") throw error
    refused({ _tag: "Refused", message, told: [] }, path)
    return "bad"
  }
}

/** Whether it has no expression that the second reading does not know. */
const judges = (own: Whole): boolean => probes.every((text) => unless(() => own.encode(text)) !== "unsure")

/** A text for expressions that the second reading does not judge. */
const long = `${"a".repeat(3000)}!`

const compare = (tokenizer: Tokenizer.Tokenizer, own: Whole | "unsure", path: string): void => {
  for (const text of own !== "unsure" && judges(own) ? probes : [...probes, long]) {
    const ids = idsOf(tokenizer, text, path)
    const expected = own === "unsure" ? own : unless(() => own.encode(text))
    if (expected !== "unsure") expectSame(ids, expected, `ids of ${JSON.stringify(text)}`)
    if (ids === "bad") continue
    const beyond = ids.filter((id) => !(Number.isInteger(id) && id >= 0 && id < tokenizer.size))
    if (beyond.length > 0) throw new Fault(`ids that are none: ${beyond.join()} of ${tokenizer.size}`)
    const back = tokenizer.decode(ids)
    if (own !== "unsure") {
      const said = unless(() => own.decode(ids))
      if (said !== "unsure") expectSame(back, said, `text of ${ids.join()}`)
    }
    if (text !== long) expectSame(tokenizer.encode(text), ids, "the same again")
  }
  if (own === "unsure") return
  expectSame([tokenizer.size, tokenizer.start], [own.size, own.start], "size and start")
  for (const text of ["the", "<s>", "<mask>", ...strange]) {
    expectSame(tokenizer.id(text), own.id(text), `the id of ${text}`)
  }
}

/** Places in lists of words, which are many and alike. */
const isWord = (path: Path): boolean => path[0] === "model" && path.length > 2

/** Other values of the same types: what most often makes another tokenizer. */
const bends = (shape: Shape): fc.Arbitrary<ReadonlyArray<Edit>> => {
  const path = fc.constantFrom(...places(baseOf(shape)))
  return fc.array(path.map((own): Edit => ({ path: own, does: "bend" })), { minLength: 1, maxLength: 3 })
}

/** Other expressions where the file has one. */
const patterns = (shape: Shape): fc.Arbitrary<ReadonlyArray<Edit>> => {
  const own = places(baseOf(shape)).filter((path) => path.at(-1) === "Regex")
  if (own.length === 0) return fc.constant([])
  const text = fc.oneof(
    { weight: 30, arbitrary: fc.constantFrom(...expressions) },
    { weight: 1, arbitrary: fc.constantFrom(...endless) }
  )
  return fc.tuple(fc.constantFrom(...own), text).map(([path, source]): ReadonlyArray<Edit> => [
    { path, does: "replace", value: new Raw(JSON.stringify(source)) }
  ])
}

export default kind<Case>({
  cases: shapes.chain((shape) =>
    fc.record({
      shape: fc.constant(shape),
      edits: fc.oneof(
        { weight: 4, arbitrary: edits(baseOf(shape), (path) => !isWord(path)) },
        { weight: 2, arbitrary: edits(baseOf(shape), isWord) },
        { weight: 3, arbitrary: bends(shape) },
        { weight: 1, arbitrary: patterns(shape) },
        { weight: 1, arbitrary: fc.constant([]) }
      ),
      damages: fc.oneof({ weight: 9, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: damages })
    }, { noNullPrototype: true })
  ),
  judge: async (c, folder) => {
    const bytes = bytesOf(c)
    fill(folder, { "tokenizer.json": bytes })
    const path = join(folder, "tokenizer.json")
    const own = ownOf(bytes)
    const outcome = await attempt(Tokenizer.load(folder))
    if (outcome._tag === "Refused") {
      if (own !== "bad" && own !== "unsure" && judges(own)) throw new Fault(`refused: ${outcome.message}`)
      return refused(outcome, path)
    }
    if (own === "bad") throw new Fault("read, where the file is bad")
    compare(outcome.value, own, path)
    return bytes.join() === bytesOf({ ...c, edits: [], damages: [] }).join() ? "same" : "changed"
  }
})
