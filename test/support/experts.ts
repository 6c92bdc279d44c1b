/** What a search of a merge needs: copies of the tiny retriever with noise in their weights, and a development set. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import { cpSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Key from "../../src/domain/Key.ts"
import * as Safetensors from "../../src/runtime/files/safetensors/write.ts"
import { jsonLines } from "./cli.ts"
import * as Tiny from "./tiny.ts"

/** Copies a model folder, with normal noise of `size` under the new folder's name on every weight. */
export const expert = async (from: string, to: string, size: number): Promise<void> => {
  cpSync(from, to, { recursive: true })
  const path = join(to, "model.safetensors")
  const read = Effect.provide(Safetensors.read(path), NodeFileSystem.layer)
  const key = Key.fold(Key.make(0), to.split("/").at(-1)!)
  const tensors = [...await Effect.runPromise(read)].map(([name, { data, shape }]) => {
    const own = Key.fold(key, name)
    return [name, { shape, data: data.map((x, i) => x + size * Key.normal(own, i)) }] as const
  })
  writeFileSync(path, Safetensors.encode(new Map(tensors)))
}

/** The tiny system's questions as the split `dev` of a task `Tiny` in `tasks.yaml`, with three experts `a`, `b` and `c`. */
export const writeSearch = async (folder: string): Promise<void> => {
  const sizes = Object.entries({ a: 0.05, b: 0.1, c: 0.3 })
  await Promise.all(sizes.map(([name, size]) => expert(join(folder, "retriever"), join(folder, name), size)))
  mkdirSync(join(folder, "tiny", "qrels"), { recursive: true })
  const put = (name: string, text: string): void => writeFileSync(join(folder, name), text)
  put("tiny/corpus.jsonl", jsonLines(Tiny.passages.map(({ id, text }) => ({ _id: id, title: "", text }))))
  put("tiny/queries.jsonl", jsonLines(Tiny.questions.map(({ id, question }) => ({ _id: id, text: question }))))
  const judged = Tiny.questions.flatMap(({ gold, id }) => gold.map((own) => `${id}\t${own}\t1\n`))
  put("tiny/qrels/dev.tsv", `query-id\tcorpus-id\tscore\n${judged.join("")}`)
  put("tasks.yaml", "task: Tiny\noutput_type: retrieval\ndataset_path: tiny\ntest_split: dev\n")
}
