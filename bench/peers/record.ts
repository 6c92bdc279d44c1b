/** What a peer needs to make the same steps: sizes, settings, first weights, and the arrays each program was fed. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { join } from "node:path"
import * as Frame from "../../src/domain/Frame.ts"
import type { Run } from "../../src/runtime/engine/tracing.ts"
import { readJson } from "../../src/runtime/files/disk.ts"
import * as Safetensors from "../../src/runtime/files/safetensors/write.ts"
import type { Part } from "../../src/runtime/ports/Checkpoints.ts"
import type { Block } from "../steps.ts"
import type { Prepared } from "../system.ts"

const isBatch = (name: string): boolean => !/^(param|slot|scalar)\//.test(name)

const arrays = ({ feeds, graph }: Run) => ({
  name: graph.name,
  ...Object.fromEntries(Object.entries(feeds).filter(([name]) => isBatch(name)).map(([name, a]) => [name, [...a]]))
})

/** Runs of programs by step: each begins with encoding the questions. */
const bySteps = (runs: ReadonlyArray<Run>) => {
  const steps: Array<Array<ReturnType<typeof arrays>>> = []
  for (const run of runs) {
    if (run.graph.name.startsWith("retriever.encode")) steps.push([])
    if (!run.graph.name.startsWith("retriever.search")) steps.at(-1)!.push(arrays(run))
  }
  return steps
}

const columns = ["docScore", "nll", "retrieverLoss", "readerLoss"] as const
const results = (frame: Frame.Frame<any>): Record<string, ReadonlyArray<number>> =>
  Object.fromEntries(columns.map((name) => [name, [...Frame.column(frame, name) as Float32Array]]))

/** Ids of the retriever's tokens whose vectors do not count. */
const skipped = (tokenizer: { readonly model: { readonly vocab: Readonly<Record<string, number>> } }) =>
  Object.entries(tokenizer.model.vocab).filter(([token]) => /^[!-/:-@[-`{-~]$/.test(token) || token === "[PAD]")
    .map(([, id]) => id)

export interface Recorded {
  readonly index: ReadonlyArray<Run>
  readonly runs: ReadonlyArray<Run>
  readonly ran: Block
}

/** Writes `record.json`, `retriever.safetensors` and `reader.safetensors` into `folder`; the weights are the current. */
export const write = Effect.fnUntraced(
  function*(folder: string, prepared: Prepared, parts: ReadonlyMap<string, Part>, { index, ran, runs }: Recorded) {
    const fs = yield* FileSystem.FileSystem
    yield* fs.makeDirectory(folder, { recursive: true })
    for (const [name, part] of parts) {
      yield* fs.writeFile(join(folder, `${name}.safetensors`), Safetensors.encode(part.save().weights))
    }
    const configOf = (name: string) => readJson(join(prepared.folder, name, "config.json"))
    const tokenizer = yield* readJson(join(prepared.folder, "retriever", "tokenizer.json"))
    const record = {
      settings: prepared.config,
      retriever: yield* configOf("retriever"),
      reader: yield* configOf("reader"),
      skip: skipped(tokenizer as Parameters<typeof skipped>[0]),
      index: index.map(arrays),
      steps: bySteps(runs).map((own, i) => Object.assign(results(ran.frames[i]!), { runs: own }))
    }
    yield* fs.writeFileString(join(folder, "record.json"), JSON.stringify(record))
  }
)
