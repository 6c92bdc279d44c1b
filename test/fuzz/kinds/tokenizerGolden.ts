/** tokenizer.json and the files beside it: what Hugging Face's libraries make of mutated ones, and what holds of any. */
import * as fc from "fast-check"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { isDeepStrictEqual } from "node:util"
import { crc32, gunzipSync } from "node:zlib"
import * as Tokenizer from "../../../src/runtime/tokenizers/tokenizer.ts"
import { after, type Damage, damages } from "../edits/damage.ts"
import { of, textOf } from "../edits/json.ts"
import { type Edit, edited, edits } from "../edits/mutations.ts"
import { lines, tokenizers } from "../inputs/tokenizers.ts"
import { attempt, Fault, fill, kind, refused, type Verdict } from "../kind.ts"
import { isFields, strictly } from "../readings/json.ts"

type Name = keyof typeof tokenizers

/** Of test/golden/tokenizerMutations.py: hashes by line, 0 for an error; null where the file or folder is refused. */
type Golden =
  & { readonly rows: ReadonlyArray<readonly [ids: number, text: number]> | null }
  & (
    | { readonly text: string }
    | { readonly tokenizer: Name; readonly files: Readonly<Record<string, string>> }
  )
const path = join(import.meta.dirname, "..", "..", "golden", "tokenizers", "mutated.json.gz")
const goldens = JSON.parse(gunzipSync(readFileSync(path)).toString()) as ReadonlyArray<Golden>

type Case =
  | { readonly golden: number }
  | { readonly name: Name; readonly edits: ReadonlyArray<Edit> }
  | { readonly name: Name; readonly damages: ReadonlyArray<Damage> }

const names = fc.constantFrom(...(Object.keys(tokenizers) as ReadonlyArray<Name>))

const filesOf = (golden: Golden): Readonly<Record<string, string>> =>
  "text" in golden
    ? { "tokenizer.json": golden.text }
    : { "tokenizer.json": JSON.stringify(tokenizers[golden.tokenizer]), ...golden.files }

const bytesOf = (c: Exclude<Case, { readonly golden: number }>): Uint8Array => {
  const base = of(tokenizers[c.name])
  const text = new TextEncoder().encode(textOf("edits" in c ? edited(base, c.edits) : base))
  return "damages" in c ? after(text, c.damages) : text
}

const hashed = (value: ReadonlyArray<number> | string): number =>
  crc32(typeof value === "string" ? value : Buffer.from(Uint32Array.from(value).buffer)) || 1

/** Ids and text of every line. */
const encodings = ({ decode, encode }: Tokenizer.Tokenizer) =>
  lines.map((line) => {
    const ids = encode(line)
    return { ids, text: decode(ids) }
  })
type Encodings = ReturnType<typeof encodings>

const baseline = new Map<Name, Encodings>()
await Promise.all(
  Object.entries(tokenizers).map(async ([name, file]) => {
    const folder = mkdtempSync(join(tmpdir(), "tokenizer-"))
    fill(folder, { "tokenizer.json": JSON.stringify(file) })
    const outcome = await attempt(Tokenizer.load(folder))
    rmSync(folder, { recursive: true })
    if (outcome._tag === "Refused") throw new Fault(outcome.message)
    baseline.set(name as Name, encodings(outcome.value))
  })
)

/** What a file says, but for how its numbers are spelled: 0 as -0 or 1 as 1e0, which the library refuses. */
const plain = (json: unknown): string => JSON.stringify(of(JSON.parse(JSON.stringify(json))))

/** Objects that stand for tokens without saying so: of them only the newest transformers makes an error. */
const isUntyped = (value: unknown): boolean =>
  isFields(value) && typeof value["content"] === "string" && value["__type"] !== "AddedToken"

/** Why what the libraries refuse may be read. */
const isLenient = (golden: Golden): boolean => {
  if ("text" in golden) return Object.values(tokenizers).map(plain).includes(plain(JSON.parse(golden.text)))
  const all = Object.values(golden.files).flatMap((text) => Object.values(JSON.parse(text) as object))
  return all.some((value) =>
    [value, ...typeof value === "object" && value !== null ? Object.values(value) : []].some(isUntyped)
  )
}

const judgeGolden = (golden: Golden, found: Encodings): Verdict => {
  const { rows } = golden
  if (rows === null) {
    if (isLenient(golden)) return "same"
    throw new Fault("read, where Hugging Face's libraries refuse it")
  }
  found.forEach(({ ids, text }, i) => {
    const [wantedIds, wantedText] = rows[i]!
    const line = JSON.stringify(lines[i])
    if (wantedIds !== 0 && hashed(ids) !== wantedIds) throw new Fault(`other ids of ${line}: ${ids.join()}`)
    if (wantedText !== 0 && hashed(text) !== wantedText) {
      throw new Fault(`other text of ${line}: ${JSON.stringify(text)}`)
    }
  })
  return "changed"
}

export default kind<Case>({
  cases: fc.oneof(
    { weight: 4, arbitrary: fc.noBias(fc.nat(goldens.length - 1)).map((golden): Case => ({ golden })) },
    {
      weight: 1,
      arbitrary: names.chain((name) => edits(of(tokenizers[name])).map((edits): Case => ({ name, edits })))
    },
    { weight: 1, arbitrary: names.chain((name) => damages.map((damages): Case => ({ name, damages }))) }
  ),
  judge: async (c, folder) => {
    const files = "golden" in c ? filesOf(goldens[c.golden]!) : { "tokenizer.json": bytesOf(c) }
    fill(folder, files)
    const outcome = await attempt(Tokenizer.load(folder))
    const same = "name" in c && isDeepStrictEqual(strictly(bytesOf(c))?.value, tokenizers[c.name])
    if (outcome._tag === "Refused") {
      if (same) throw new Fault(`refused: ${outcome.message}`)
      return refused(outcome, folder)
    }
    const found = encodings(outcome.value)
    const { size, start = [] } = outcome.value
    const beyond = [...found.flatMap(({ ids }) => ids), ...start].find((id) =>
      !(Number.isInteger(id) && id >= 0 && id < size)
    )
    if (beyond !== undefined) throw new Fault(`${beyond} is no id of ${size}`)
    if ("golden" in c) return judgeGolden(goldens[c.golden]!, found)
    if (same && !isDeepStrictEqual(found, baseline.get(c.name))) throw new Fault("other encodings of the same file")
    return same ? "same" : "changed"
  }
})
