/** A run's folder with two checkpoints, in which something is not as it was written. */
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { isDeepStrictEqual } from "node:util"
import * as Disk from "../../../src/runtime/files/checkpoints.ts"
import { Checkpoints, type Saved } from "../../../src/runtime/ports/Checkpoints.ts"
import { after, type Damage, damages } from "../edits/damage.ts"
import { type Files, type FolderEdit, folderEdits, lay, moved } from "../edits/folders.ts"
import { type Json, of, textOf } from "../edits/json.ts"
import { type Edit, edited, edits } from "../edits/mutations.ts"
import { attempt, expectSame, Fault, kind, refused, tells, type Verdict } from "../kind.ts"
import { latest, restored, seal } from "../readings/checkpoint.ts"
import { strictly } from "../readings/json.ts"
import { unlessBad } from "../readings/records.ts"

const [steps, parts] = [[2, 4], ["reader", "retriever"]] as const
const run = { learning_rate: "0.001", "the questions": "abc" }

const tensor = (...values: ReadonlyArray<number>) => ({ shape: [values.length], data: Float32Array.from(values) })

/** What a part saves at a step: the reader an adapter. */
const state = (part: typeof parts[number], step: number) => ({
  weights: new Map([["w", tensor(step, 1, 2)], ["v", tensor(-step)]]),
  ...(part === "reader" ? { base: "0a1b" } : {}),
  extra: new Map([["slot/m/w", tensor(0.1, step, 3)]]),
  counters: { updates: step, generation: 1 },
  files: [["config.json", `{"hidden_size": ${step}}`], ["tokenizer.json", "{}"]] as const
})

const valuesOf = Effect.fnUntraced(function*({ counters, extra, weights }: Saved) {
  const all = { ...counters } as Record<string, unknown>
  for (const [what, { names, read }] of [["weights", weights], ["extra", extra]] as const) {
    for (const name of names) all[`${what}/${name}`] = [...(yield* read(name)).data]
  }
  return all
})

const layerIn = (folder: string) => Disk.layer({ output_dir: folder, save_total_limit: 2 })

/** What a run that goes on finds in a folder. */
const resumed = (folder: string) =>
  Effect.gen(function*() {
    const checkpoints = yield* Checkpoints
    const loaded: Record<string, unknown> = {}
    for (const part of parts) {
      const load = (saved: Saved) => Effect.map(valuesOf(saved), (values) => void (loaded[part] = values))
      yield* checkpoints.register(part, { save: () => state(part, 0), load })
    }
    const position = yield* checkpoints.restore(run)
    return position && { step: position.step, parts: loaded }
  }).pipe(Effect.provide(layerIn(folder)))

const saved = (folder: string, step: number) =>
  Effect.gen(function*() {
    const checkpoints = yield* Checkpoints
    for (const part of parts) {
      yield* checkpoints.register(part, { save: () => state(part, step), load: () => Effect.void })
    }
    yield* checkpoints.save({ step, run })
  }).pipe(Effect.provide(layerIn(folder)))

const whole = await (async () => {
  const folder = mkdtempSync(join(tmpdir(), "checkpoints-"))
  await attempt(Effect.forEach(steps, (step) => saved(folder, step)))
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => /\.\w+$/.test(name))
  const files = Object.fromEntries(names.map((name) => [name, new Uint8Array(readFileSync(join(folder, name)))]))
  rmSync(folder, { recursive: true })
  return files
})()

const names = Object.keys(whole).toSorted()
const manifests = names.filter((name) => name.endsWith("trainer_state.json"))
const jsonOf = (name: string): Json => of(JSON.parse(new TextDecoder().decode(whole[name])))

/** Names of folders and files that others may have made. */
const others = ["checkpoint-04", "checkpoint-6", "checkpoint-0", "checkpoint-9007199254740993", "checkpoint-1e1"]
  .concat(
    [
      "checkpoint-4/reader/generation_config.json",
      "checkpoint-4/reader/model.safetensors",
      "checkpoint-4/reader/README.md"
    ],
    ["checkpoint-4/other/model.safetensors", ".checkpoint-4.partial", "old", "checkpoint-2", "checkpoint-4"]
  )
const folders = ["checkpoint-2", "checkpoint-4", "checkpoint-4/reader", "checkpoint-4/retriever", "checkpoint-2/reader"]

interface Case {
  readonly damaged: Readonly<Record<string, ReadonlyArray<Damage>>>
  readonly edited: Readonly<Record<string, ReadonlyArray<Edit>>>
  /** Manifests get the hash of what they tell after the edits. */
  readonly sealed: boolean
  readonly folder: ReadonlyArray<FolderEdit>
}

const manifestOf = (file: string, edits: ReadonlyArray<Edit>, sealed: boolean): Uint8Array => {
  const bytes = new TextEncoder().encode(textOf(edited(jsonOf(file), edits)))
  const json = sealed ? strictly(bytes) : undefined
  return json ? new TextEncoder().encode(JSON.stringify(seal(json.value))) : bytes
}

const filesOf = ({ damaged, edited, folder, sealed }: Case): Files => {
  const changed = [
    ...Object.entries(damaged).map(([file, all]) => [file, after(whole[file]!, all)]),
    ...Object.entries(edited).map(([file, all]) => [file, manifestOf(file, all, sealed)])
  ]
  return moved({ ...whole, ...Object.fromEntries(changed) as Record<string, Uint8Array> }, folder)
}

const before = {
  step: unlessBad(() => restored(whole, run, parts))?.found,
  latest: unlessBad(() => latest(whole))?.found
}
const record = { noNullPrototype: true } as const
const none = fc.constant({})

/** Holds what was found against what should be; tells whether something was passed over. */
const compare = (
  outcome: Awaited<ReturnType<typeof attempt<unknown, unknown>>>,
  wanted: ReturnType<typeof latest> | ReturnType<typeof restored> | undefined,
  folder: string
): Verdict | undefined => {
  if (outcome._tag === "Refused") {
    if (wanted !== undefined) throw new Fault(`refused: ${outcome.message}`)
    return refused(outcome, folder)
  }
  if (wanted === undefined) throw new Fault(`found ${JSON.stringify(outcome.value)}, where no checkpoint is whole`)
  expectSame(outcome.value, wanted.found, "the newest checkpoint")
  const untold = wanted.passed.filter((name) => !tells(outcome, `${join(folder, name)} is passed over`))
  if (untold.length > 0) throw new Fault(`not told: ${untold.join()} is passed over`)
  return wanted.passed.length > 0 ? "told" : undefined
}

export default kind<Case>({
  examples: ["checkpoint-04", "checkpoint-9007199254740993"].flatMap((to): ReadonlyArray<Case> => [
    { damaged: {}, edited: {}, sealed: false, folder: [{ does: "copy", file: "checkpoint-4", to }] },
    {
      damaged: {},
      edited: {},
      sealed: false,
      folder: [{ does: "move", file: "checkpoint-4", to }, { does: "remove", file: "checkpoint-2" }]
    }
  ]).concat(
    [["link", "checkpoint-4"], ["folder", "checkpoint-4"]].map(([does, file]): Case => ({
      damaged: {},
      edited: {},
      sealed: false,
      folder: [{ does: does as "link", file: file! }]
    }))
  ),
  cases: fc.record({
    damaged: fc.oneof(
      { weight: 2, arbitrary: fc.constantFrom(...names).chain((file) => damages.map((all) => ({ [file]: all }))) },
      { weight: 3, arbitrary: none }
    ),
    edited: fc.oneof(
      {
        weight: 2,
        arbitrary: fc.constantFrom(...manifests).chain((file) => edits(jsonOf(file)).map((all) => ({ [file]: all })))
      },
      { weight: 3, arbitrary: none }
    ),
    sealed: fc.boolean(),
    folder: fc.oneof(
      { weight: 3, arbitrary: fc.constant([]) },
      {
        weight: 2,
        arbitrary: fc.array(folderEdits([...names, ...folders], others), { minLength: 1, maxLength: 2 })
      }
    )
  }, record),
  judge: async (c, folder) => {
    const files = filesOf(c)
    lay(folder, files)
    const verdict = compare(await attempt(resumed(folder)), unlessBad(() => restored(files, run, parts)), folder)
    const used = Effect.map(Disk.latest(folder), (found) => found?.step)
    const other = compare(await attempt(used), unlessBad(() => latest(files)), folder)
    const now = {
      step: unlessBad(() => restored(files, run, parts))?.found,
      latest: unlessBad(() => latest(files))?.found
    }
    return verdict ?? other ?? (isDeepStrictEqual(now, before) ? "same" : "changed")
  }
})
