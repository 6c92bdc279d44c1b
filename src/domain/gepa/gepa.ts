/**
 * GEPA (Agrawal et al. 2025): prompts are rewritten by a model that reads how they did, and kept if they do better. For any
 * score of a prompt on an example; as in the authors' package (0.1.4).
 */
import * as Effect from "effect/Effect"
import * as Key from "../Key.ts"
import { minibatches } from "./batches.ts"
import { type Candidate, compared, crossed, type Texts, type Tried } from "./merge.ts"
import { mean, parents } from "./pareto.ts"

/** How a candidate did on an example. */
export interface Outcome {
  /** Higher is better; 1 is perfect. */
  readonly score: number
  /** What was asked, what came, and what should have, for the model that reflects. */
  readonly feedback: string
}

/** Examples by number. */
export type Split = "train" | "val"

/** What is optimised. */
export interface Problem<E, R, E2, R2> {
  /** The texts to begin with, by component. */
  readonly seed: Texts
  /** Numbers of examples. */
  readonly train: number
  readonly val: number
  readonly evaluate: (
    texts: Texts,
    split: Split,
    examples: ReadonlyArray<number>
  ) => Effect.Effect<ReadonlyArray<Outcome>, E, R>
  /** A new text for a component, given how the texts did; `undefined` if there is none that could be used. */
  readonly reflect: (
    component: string,
    texts: Texts,
    outcomes: ReadonlyArray<Outcome>,
    iteration: number
  ) => Effect.Effect<string | undefined, E2, R2>
}

/** How it is optimised. */
export interface GepaOptions {
  /** Evaluations of one example by one candidate; the last iteration may pass it. */
  readonly max_metric_calls: number
  readonly minibatch: number
  /** Whether candidates are merged; without effect on a single component. */
  readonly merge: boolean
  readonly max_merges: number
  readonly seed: number
}

/** What happened in an iteration. */
export interface Event {
  readonly iteration: number
  readonly kind: "seed" | "reflection" | "merge"
  readonly parents: ReadonlyArray<number>
  /** The component that was rewritten; "" for none or several. */
  readonly component: string
  readonly texts: Texts
  /** Sums on the examples of the comparison: of the parent, or of the better one, and of the child. */
  readonly compared: readonly [parent: number, child: number] | null
  /** `perfect`: the parent was right on all; `unusable`: no new text; `worse`: not kept. */
  readonly outcome: "kept" | "worse" | "unusable" | "perfect"
  /** The candidate's number and scores, if it was kept. */
  readonly candidate: number | null
  readonly scores: ReadonlyArray<number> | null
  /** Metric calls so far. */
  readonly calls: number
}

/** The outcome of an optimisation. */
export interface Optimised {
  readonly pool: ReadonlyArray<Candidate>
  /** The candidate with the best mean, the first of equals. */
  readonly best: number
  readonly calls: number
}

/** The score from which an example is left alone. */
const PERFECT = 1

const sum = (scores: ReadonlyArray<number>): number => scores.reduce((total, own) => total + own, 0)

const bestOf = (pool: ReadonlyArray<Candidate>): number => {
  const means = pool.map(({ scores }) => mean(scores))
  return means.indexOf(Math.max(...means))
}

/** An optimisation in progress. */
interface State {
  readonly pool: Array<Candidate>
  /** Whose component is rewritten next, by candidate. */
  readonly turns: Array<number>
  readonly tried: Tried
  calls: number
  due: number
  tested: number
  /** Whether the last iteration kept a reflection. */
  fresh: boolean
}

/** Optimises; every event is passed to `tell` once it is settled. The order of events depends on nothing but the seed and the outcomes. */
export const optimise = Effect.fnUntraced(function*<E, R, E2, R2, E3 = never, R3 = never>(
  problem: Problem<E, R, E2, R2>,
  o: GepaOptions,
  tell: (event: Event) => Effect.Effect<void, E3, R3> = () => Effect.void
) {
  const key = Key.fold(Key.make(o.seed), "gepa")
  const components = Object.keys(problem.seed)
  const batch = minibatches(Key.fold(key, "batches"), problem.train, o.minibatch)
  const all = Array.from({ length: problem.val }, (_, v) => v)
  const state: State = { pool: [], turns: [], tried: new Set(), calls: 0, due: 0, tested: 0, fresh: false }

  const run = Effect.fnUntraced(function*(texts: Texts, split: Split, examples: ReadonlyArray<number>) {
    state.calls += examples.length
    return yield* problem.evaluate(texts, split, examples)
  })
  /** Adds a candidate, evaluated on all of validation. */
  const add = Effect.fnUntraced(function*(texts: Texts, from: ReadonlyArray<number>) {
    const scores = (yield* run(texts, "val", all)).map(({ score }) => score)
    state.turns.push(Math.max(0, ...from.map((p) => state.turns[p]!)))
    return { candidate: state.pool.push({ texts, parents: from, scores }) - 1, scores }
  })
  type Told = Omit<Event, "calls" | "candidate" | "scores"> & Partial<Pick<Event, "candidate" | "scores">>
  const log = (event: Told) => tell({ candidate: null, scores: null, ...event, calls: state.calls })

  /** Tries to merge two candidates; returns whether there were any. */
  const merge = Effect.fnUntraced(function*(iteration: number) {
    const own = Key.fold(key, "merge", iteration)
    const found = crossed(own, state.pool, state.tried)
    if (found === undefined) return false
    const [x, y] = found.pair.map((p) => state.pool[p]!.scores) as [ReadonlyArray<number>, ReadonlyArray<number>]
    const examples = compared(Key.fold(own, "examples"), x, y)
    if (examples === undefined) return false
    const child = sum((yield* run(found.texts, "val", examples)).map(({ score }) => score))
    const best = Math.max(...[x, y].map((scores) => sum(examples.map((v) => scores[v]!))))
    const event = { iteration, kind: "merge" as const, parents: found.pair, component: "", texts: found.texts }
    const kept = child >= best
    const added = kept ? yield* add(found.texts, found.pair) : {}
    if (kept) {
      state.due--
      state.tested++
    }
    yield* log({ ...event, compared: [best, child], outcome: kept ? "kept" : "worse", ...added })
    return true
  })

  /** Has a parent's component rewritten, and keeps the child if it does better on the minibatch. */
  const mutate = Effect.fnUntraced(function*(iteration: number) {
    const from = parents(state.pool.map(({ scores }) => scores))
    const parent = from[Key.integer(Key.fold(key, "parent", iteration), 0, from.length)]!
    const { texts } = state.pool[parent]!
    const examples = batch()
    const before = yield* run(texts, "train", examples)
    const base = { iteration, kind: "reflection" as const, parents: [parent], component: "", texts }
    if (before.every(({ score }) => score >= PERFECT)) {
      return yield* log({ ...base, compared: null, outcome: "perfect" })
    }
    const component = components[state.turns[parent]!++ % components.length]!
    const text = yield* problem.reflect(component, texts, before, iteration)
    if (text === undefined || text === texts[component]) {
      return yield* log({ ...base, component, compared: null, outcome: "unusable" })
    }
    const child = { ...texts, [component]: text }
    const after = yield* run(child, "train", examples)
    const sums = [before, after].map((outcomes) => sum(outcomes.map(({ score }) => score))) as [number, number]
    const kept = sums[1] > sums[0]
    const added = kept ? yield* add(child, [parent]) : {}
    if (kept) {
      state.fresh = true
      if (state.tested < o.max_merges) state.due++
    }
    yield* log({ ...base, component, texts: child, compared: sums, outcome: kept ? "kept" : "worse", ...added })
  })

  const first = yield* add(problem.seed, [])
  yield* log({
    iteration: 0,
    kind: "seed",
    parents: [],
    component: "",
    texts: problem.seed,
    compared: null,
    outcome: "kept",
    ...first
  })
  for (let iteration = 1; state.calls < o.max_metric_calls; iteration++) {
    const merges = o.merge && components.length > 1 && state.due > 0 && state.fresh
    state.fresh = false
    if (!(merges && (yield* merge(iteration)))) yield* mutate(iteration)
  }
  return { pool: state.pool, best: bestOf(state.pool), calls: state.calls } satisfies Optimised as Optimised
})
