/** Parquet files whose bytes were damaged: no text comes of one that it does not hold. */
import * as fc from "fast-check"
import { parquetWriteBuffer } from "hyparquet-writer"
import { join } from "node:path"
import * as Dataset from "../../../src/datasets/dataset.ts"
import { after, type Damage, damages } from "../edits/damage.ts"
import { attempt, expectSame, Fault, fill, kind, refused } from "../kind.ts"

const ids = Array.from({ length: 12 }, (_, i) => `p${i}`)
const texts = ids.map((id) => `The passage ${id} is about a disease of its own.`)

const whole = new Uint8Array(parquetWriteBuffer({
  codec: "UNCOMPRESSED",
  rowGroupSize: 5,
  columnData: [{ name: "_id", data: ids, type: "STRING" }, { name: "text", data: texts, type: "STRING" }]
}))
const plain = ids.map((id, i) => ({ id, text: texts[i]! }))

/** Whether the bytes have the text as parquet stores one: behind its length. */
const holds = (bytes: Buffer, text: string): boolean => {
  const own = Buffer.from(text)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(own.length)
  return bytes.includes(Buffer.concat([length, own]))
}

export default kind<ReadonlyArray<Damage>>({
  cases: fc.oneof({ weight: 20, arbitrary: damages }, fc.constant([])),
  judge: async (c, folder) => {
    const bytes = after(whole, c)
    fill(folder, { "passages.parquet": bytes })
    const path = join(folder, "passages.parquet")
    const outcome = await attempt(Dataset.passages(path))
    if (outcome._tag === "Refused") {
      if (c.length === 0) throw new Fault(`refused: ${outcome.message}`)
      return refused(outcome, path)
    }
    const { records } = outcome.value
    if (Buffer.compare(bytes, whole) === 0) expectSame(records, plain, "rows")
    const made = records.find(({ id, text }) => [id, text].some((own) => own !== "" && !holds(Buffer.from(bytes), own)))
    if (made !== undefined) throw new Fault(`there is no ${JSON.stringify(made)} in the file`)
    return JSON.stringify(records) === JSON.stringify(plain) ? "same" : "changed"
  }
})
