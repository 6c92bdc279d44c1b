/** Two checkpoints of a run, of which one is not as it was written: what is gone on with is one of the two, as it was. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as fc from "fast-check"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { isDeepStrictEqual } from "node:util"
import { decode } from "../../../src/domain/configure.ts"
import { Settings } from "../../../src/domain/RunConfig.ts"
import * as Disk from "../../../src/runtime/layers/checkpoints.ts"
import { Checkpoints, type Saved } from "../../../src/runtime/ports/Checkpoints.ts"
import { after, type Damage, damages } from "../damage.ts"
import { type Json, of, textOf } from "../json.ts"
import { attempt, expectSame, Fault, fill, kind, refused, tells } from "../kind.ts"
import { parsed } from "../ownJson.ts"
import { type Edit, edited, edits } from "../mutations.ts"

const steps = [2, 4] as const
const run = { learning_rate: "0.001", "the questions": "abc" }

const settings = await Effect.runPromise(decode("test", {
  output_dir: "run",
  passages_file: "p",
  retriever_name_or_path: "r",
  reader_name_or_path: "q"
}))

const tensor = (...values: ReadonlyArray<number>) => ({ shape: [values.length], data: Float32Array.from(values) })

/** What a part saves at a step. */
const state = (step: number) => ({
  weights: new Map([["w", tensor(step, 1, 2)], ["v", tensor(-step)]]),
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

/** What is loaded of a part, as values by name. */
const expected = (step: number) => ({
  updates: step,
  generation: 1,
  "weights/w": [step, 1, 2],
  "weights/v": [-step],
  "extra/slot/m/w": [...tensor(0.1, step, 3).data]
})

const layerIn = (folder: string) =>
  Disk.layer.pipe(Layer.provide(Layer.succeed(Settings, { ...settings, output_dir: folder })))

/** What is restored of a folder: the step, and what was loaded. */
const restored = (folder: string) =>
  Effect.gen(function*() {
    const checkpoints = yield* Checkpoints
    let loaded: unknown
    const load = (saved: Saved) => Effect.map(valuesOf(saved), (values) => void (loaded = values))
    yield* checkpoints.register("reader", { save: () => state(0), load })
    const position = yield* checkpoints.restore(run)
    return { step: position?.step, loaded, latest: (yield* Disk.latest(folder))?.step }
  }).pipe(Effect.provide(layerIn(folder)))

const whole = await (async () => {
  const folder = mkdtempSync(join(tmpdir(), "checkpoints-"))
  for (const step of steps) {
    await attempt(
      Effect.gen(function*() {
        const checkpoints = yield* Checkpoints
        yield* checkpoints.register("reader", { save: () => state(step), load: () => Effect.void })
        yield* checkpoints.save({ step, run })
      }).pipe(Effect.provide(layerIn(folder)))
    )
  }
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => /\.\w+$/.test(name))
  const files = Object.fromEntries(names.map((name) => [name, new Uint8Array(readFileSync(join(folder, name)))]))
  rmSync(folder, { recursive: true })
  return files
})()

const names = Object.keys(whole).toSorted()
const manifests = names.filter((name) => name.endsWith("trainer_state.json"))
const jsonOf = (name: string): Json => of(JSON.parse(new TextDecoder().decode(whole[name])))

type Case =
  | { readonly file: string; readonly damages: ReadonlyArray<Damage> }
  | { readonly file: string; readonly edits: ReadonlyArray<Edit> }
  | { readonly file: string; readonly from: string }
  | { readonly file: string }

const contentOf = (c: Case): Uint8Array | undefined => {
  if ("damages" in c) return after(whole[c.file]!, c.damages)
  if ("edits" in c) return new TextEncoder().encode(textOf(edited(jsonOf(c.file), c.edits)))
  return "from" in c ? whole[c.from] : undefined
}

/** Whether it is what was written; a manifest, whether it says the same. */
const isSame = (name: string, content: Uint8Array | undefined): boolean => {
  if (content === undefined) return false
  if (Buffer.compare(content, whole[name]!) === 0) return true
  const [own, other] = [whole[name]!, content].map((bytes) => parsed(new TextDecoder().decode(bytes))?.value)
  return manifests.includes(name) && isDeepStrictEqual(own, other)
}

const record = { noNullPrototype: true } as const

export default kind<Case>({
  weight: 2,
  cases: fc.oneof(
    { weight: 4, arbitrary: fc.record({ file: fc.constantFrom(...names), damages }, record) },
    {
      weight: 4,
      arbitrary: fc.constantFrom(...manifests).chain((file) =>
        fc.record({ file: fc.constant(file), edits: edits(jsonOf(file)) }, record)
      )
    },
    { weight: 1, arbitrary: fc.record({ file: fc.constantFrom(...names), from: fc.constantFrom(...names) }, record) },
    { weight: 1, arbitrary: fc.record({ file: fc.constantFrom(...names) }, record) }
  ),
  judge: async (c, folder) => {
    const content = contentOf(c)
    const { [c.file]: _, ...others } = whole
    fill(folder, content === undefined ? others : { ...others, [c.file]: content })
    const outcome = await attempt(restored(folder))
    const [same, newest] = [isSame(c.file, content), c.file.startsWith("checkpoint-4")]
    /** What says the same in other words may be passed over. */
    const passed = newest && same && tells(outcome, "is passed over")
    const damaged = newest && (!same || passed)
    if (outcome._tag === "Refused") {
      refused(outcome, folder)
      throw new Fault(`refused: ${outcome.message}`)
    }
    const { latest, loaded, step } = outcome.value
    expectSame(loaded, expected(step ?? 0), `the state of step ${step}`)
    if (step !== (damaged ? 2 : 4)) throw new Fault(`goes on from step ${step}`)
    if (damaged && !tells(outcome, "is passed over")) throw new Fault("nothing is told")
    if (latest !== step && !c.file.endsWith("state.safetensors")) throw new Fault(`uses the models of step ${latest}`)
    return damaged ? "told" : "same"
  }
})
