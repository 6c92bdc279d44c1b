/** Plans of experiments, and the settings of each of their runs. */
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { join } from "node:path"
import { readPlan } from "../../../src/programs/experiments/experiment.ts"
import { check, type Planned, runsOf, settingsOf } from "../../../src/programs/experiments/experimentPlan.ts"
import { presets, spec } from "../../../src/systems/jmlr/settings.ts"
import { after, type Damage, damages } from "../edits/damage.ts"
import { of, textOf } from "../edits/json.ts"
import { type Edit, edited, edits } from "../edits/mutations.ts"
import { attempt, expectSame, Fault, fill, kind, refused } from "../kind.ts"
import { decoded, isFields, parsed, repeats } from "../readings/json.ts"
import { settled } from "../readings/settings.ts"

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
  arms: {
    joint: { mode: "joint", holdout: 0.5, phases: { copy: { mode: "copy", max_steps: 3 }, long: { lr: 1e-4 } } },
    "frozen (0.5)": { mode: "frozen_rag", max_steps: 5 }
  }
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
  return yield* Effect.forEach(all, (run) =>
    Effect.map(settingsOf(planned, run), ({ config }) => {
      const { after, folder, place, seed } = run
      return { after, folder, place, seed, config }
    }))
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
  return { ...spec.defaults, ...preset, ...given, seed, ...overrides }
}

interface Own {
  readonly place: string
  readonly folder: ReadonlyArray<string>
  readonly after: ReadonlyArray<string>
  readonly given: unknown
}

/** Runs one after the other, each after those before it; `undefined` where two would share a folder, or one has none. */
const inTurn = (runs: unknown, place: string, folder: ReadonlyArray<string>, before: ReadonlyArray<string>) => {
  if (!isFields(runs) || !Object.keys(runs).every(isName)) return undefined
  const names = Object.keys(runs)
  if (new Set(names.map((name) => name.normalize("NFKC").toLowerCase())).size < names.length) return undefined
  return names.map((name, i): Own => ({
    place: `${place}.${name}`,
    folder: [...folder, name],
    after: [...before, ...names.slice(0, i).map((other) => `${place}.${other}`)],
    given: runs[name]
  }))
}

/** An arm, and its phases before it. */
const armOf = (name: string, arm: unknown, before: ReadonlyArray<string>): ReadonlyArray<Own> | undefined => {
  if (!isFields(arm)) return undefined
  const { phases = {}, ...given } = arm
  const own = inTurn(phases, `arms.${name}.phases`, [name, "phases"], before)
  return own?.concat({
    place: `arms.${name}`,
    folder: [name],
    after: [...before, ...own.map(({ place }) => place)],
    given
  })
}

/** The runs of a seed; `undefined` where the plan is to be refused. */
const ofSeed = (warm_up: unknown, arms: unknown): ReadonlyArray<Own> | undefined => {
  const warmUp = inTurn(warm_up, "warm_up", [], [])
  if (warmUp === undefined || !isFields(arms)) return undefined
  const beside = inTurn({ ...warm_up as Fields, ...arms }, "", [], [])
  const size = warmUp.length + Object.keys(arms).length
  if (Object.keys(arms).length === 0 || beside?.length !== size) return undefined
  const all = Object.entries(arms).map(([name, arm]) => armOf(name, arm, warmUp.map(({ place }) => place)))
  return all.includes(undefined) ? undefined : [...warmUp, ...all.flatMap((own) => own!)]
}

const areSeeds = (seeds: unknown): seeds is ReadonlyArray<number> =>
  Array.isArray(seeds) && seeds.length > 0 && new Set(seeds).size === seeds.length
  && seeds.every((seed) => Number.isSafeInteger(seed) && (seed as number) >= 0)

/** The same of the plan's text; `undefined` where it has to be refused. */
const own = (text: string) => {
  const json = parsed(text)
  if (json === undefined || repeats(text) || !isFields(json.value)) return undefined
  const { arms, seeds, settings, warm_up = {}, ...unknown } = json.value
  const runs = ofSeed(warm_up, arms)
  if (Object.keys(unknown).length > 0 || !areSeeds(seeds) || runs === undefined) return undefined
  if ([settings, ...runs.map(({ given }) => given)].some((own) => !isFields(own) || Object.hasOwn(own, "seed"))) {
    return undefined
  }
  const found = seeds.flatMap((seed) =>
    runs.map(({ after, folder, given, place }) => ({
      after,
      folder,
      place,
      seed,
      config: configOf(seed, settings, given)
    }))
  )
  return found.some(({ config }) => config === undefined) ? undefined : found
}

export default kind<Case>({
  cases: fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ edits: edits(base), file: fc.constantFrom("plan.json", "plan.yaml") }, {
        noNullPrototype: true
      })
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
      if (ofTypes && expected?.every(({ config }) => needed.every((key) => (config![key] ?? "") !== ""))) {
        throw new Fault(`refused: ${outcome.message}`)
      }
      return refused(outcome, path)
    }
    if (expected === undefined) throw new Fault("read, where the plan is bad")
    expectSame(outcome.value, expected, "runs")
    return textOf(base) === decoded(bytes) ? "same" : "changed"
  }
})
