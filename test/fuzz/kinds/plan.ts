/** Plans of experiments, and the settings of each of their runs. */
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { join } from "node:path"
import { check, type Planned, runsOf, settingsOf } from "../../../src/domain/experimentPlan.ts"
import { defaults, presets } from "../../../src/domain/presets.ts"
import { readPlan } from "../../../src/experiment.ts"
import { after, type Damage, damages } from "../damage.ts"
import { of, textOf } from "../json.ts"
import { attempt, expectSame, Fault, fill, kind, refused } from "../kind.ts"
import { decoded, isFields, parsed, repeats } from "../ownJson.ts"
import { type Edit, edited, edits } from "../mutations.ts"
import { settled } from "../ownSettings.ts"

const plan = {
  seeds: [1, 2],
  settings: {
    output_dir: "runs",
    passages_file: "passages.jsonl",
    retriever_name_or_path: "retriever",
    reader_name_or_path: "reader",
    n_candidates: 9,
    max_steps: 10
  },
  warm_up: { lexical: { mode: "lexical", lr: 1e-3 } },
  arms: { joint: { mode: "joint", holdout: 0.5 }, "frozen (0.5)": { mode: "frozen_rag", max_steps: 5 } }
}
const base = of(plan)

type Case =
  | { readonly edits: ReadonlyArray<Edit>; readonly file: "plan.json" | "plan.yaml" }
  | { readonly damages: ReadonlyArray<Damage> }

const overrides = { logging_steps: 3 }

/** Every run of a plan with its settings, in order. */
const runs = Effect.fnUntraced(function*(path: string) {
  const planned: Planned = { plan: yield* readPlan(path), source: path, overrides }
  yield* check(planned)
  const all = planned.plan.seeds.flatMap((seed) => runsOf(planned.plan, seed))
  return yield* Effect.forEach(
    all,
    (run) => Effect.map(settingsOf(planned, run), ({ config }) => ({ ...run, config }))
  )
})

const needed = Object.keys(plan.settings).slice(0, 4)

type Fields = Readonly<Record<string, unknown>>

const isName = (name: string): boolean =>
  !/^\d+$/.test(name) && /^[\p{L}\p{N}]([\p{L}\p{N} ._=+,@()-]*[\p{L}\p{N}_=+@()-])?$/u.test(name) && name.length <= 100

const configOf = (seed: number, ...all: ReadonlyArray<unknown>): Fields | undefined => {
  const found = all.map(settled)
  if (found.some((own) => own === undefined)) return undefined
  const given = Object.assign({}, ...found) as Fields
  const preset = given["preset"] === "release" ? presets.release : presets.paper
  return { ...defaults, ...preset, ...given, seed, ...overrides }
}

/** The same of the plan's text; `undefined` where it has to be refused. */
const own = (text: string) => {
  const json = parsed(text)
  if (json === undefined || repeats(text) || !isFields(json.value)) return undefined
  const { arms, seeds, settings, warm_up = {}, ...unknown } = json.value
  if (Object.keys(unknown).length > 0 || !Array.isArray(seeds) || ![arms, settings, warm_up].every(isFields)) return undefined
  if (seeds.length === 0 || new Set(seeds).size < seeds.length) return undefined
  if (!seeds.every((seed) => Number.isSafeInteger(seed) && (seed as number) >= 0)) return undefined
  const parts = [...Object.entries(warm_up as Fields).map(([name, given]) => ["warm_up", name, given] as const)]
    .concat(Object.entries(arms as Fields).map(([name, given]) => ["arms", name, given] as never))
  const folders = parts.map(([, name]) => name.normalize("NFKC").toLowerCase())
  if (Object.keys(arms as Fields).length === 0 || new Set(folders).size < folders.length) return undefined
  if (!parts.every(([, name, given]) => isName(name) && isFields(given) && !Object.hasOwn(given, "seed"))) return undefined
  if (Object.hasOwn(settings as Fields, "seed")) return undefined
  const found = (seeds as ReadonlyArray<number>).flatMap((seed) =>
    parts.map(([part, name, given]) => ({ part, name, seed, config: configOf(seed, settings, given) }))
  )
  return found.some(({ config }) => config === undefined) ? undefined : found
}

export default kind<Case>({
  cases: fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ edits: edits(base), file: fc.constantFrom("plan.json", "plan.yaml") }, { noNullPrototype: true })
    },
    { weight: 1, arbitrary: damages.map((damages): Case => ({ damages })) }
  ),
  judge: async (c, folder) => {
    const file = "file" in c ? c.file : "plan.json"
    const text = new TextEncoder().encode(textOf(edited(base, "edits" in c ? c.edits : [])))
    const bytes = "damages" in c ? after(text, c.damages) : text
    fill(folder, { [file]: bytes })
    const path = join(folder, file)
    const outcome = await attempt(runs(path))
    const expected = own(decoded(bytes) ?? "")
    if (outcome._tag === "Refused") {
      const ofTypes = /must be|unknown key|given twice|not JSON|not YAML|is missing/.test(outcome.message)
      if (ofTypes && expected?.every(({ config }) => needed.every((key) => Object.hasOwn(config!, key)))) throw new Fault(`refused: ${outcome.message}`)
      return refused(outcome, path)
    }
    if (expected === undefined) throw new Fault("read, where the plan is bad")
    expectSame(outcome.value, expected, "runs")
    return textOf(base) === decoded(bytes) ? "same" : "changed"
  }
})
