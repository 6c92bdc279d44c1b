/** What a plan may say, what is wrong with one that may not, and whose settings a run has. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import type { Raw } from "../../src/domain/settings/RunConfig.ts"
import { check, decodePlan, type Plan, runsOf, settingsOf } from "../../src/programs/experiments/experimentPlan.ts"

const settings = {
  output_dir: "runs",
  passages_file: "p.jsonl",
  retriever_name_or_path: "retriever",
  reader_name_or_path: "reader"
}
const file = { seeds: [1, 2], settings, warm_up: { copy: { mode: "copy" } }, arms: { joint: { mode: "joint" } } }
const problems = (changes: Raw): ReadonlyArray<string> =>
  Effect.runSync(Effect.flip(decodePlan("plan.yaml", { ...file, ...changes }))).problems
const plan = (changes: Raw = {}): Plan => Effect.runSync(decodePlan("plan.yaml", { ...file, ...changes }))
const planned = (changes: Raw, overrides: Raw = {}) => ({ plan: plan(changes), source: "plan.yaml", overrides })

describe("a plan", () => {
  it("is what its file says; it need not have warm-ups", () => {
    assert.deepStrictEqual<unknown>(plan(), { ...file, arms: { joint: { phases: {}, settings: { mode: "joint" } } } })
    const without = { seeds: [1], settings, arms: file.arms }
    assert.deepStrictEqual(Effect.runSync(decodePlan("plan.yaml", without)).warm_up, {})
  })
  it("is told what it should be", () => {
    assert.deepStrictEqual(problems({ arm: {} }), ["unknown key \"arm\", did you mean \"arms\"?"])
    assert.deepStrictEqual(problems({ seeds: [] }), ["seeds[0]: is missing"])
    assert.deepStrictEqual(problems({ seeds: 1 }), ["seeds: must be a list of whole numbers of at least 0; given 1"])
    assert.deepStrictEqual(problems({ seeds: [1, -1, 1.5] }), [
      "seeds[1]: must be a list of whole numbers of at least 0; given -1",
      "seeds[2]: must be a list of whole numbers of at least 0; given 1.5"
    ])
    assert.deepStrictEqual(problems({ arms: { joint: null } }), [
      "arms.joint: must be settings (key: value); given null"
    ])
    assert.deepStrictEqual(problems({ arms: [] }), ["arms: must be settings (key: value) by name; given []"])
    assert.deepStrictEqual(problems({ arms: {} }), ["arms: there is none"])
    const bare = Effect.runSync(Effect.flip(decodePlan("run.yaml", { mode: "joint" })))
    assert.strictEqual(bare.message, "run.yaml: is no plan of an experiment: it has no arms")
  })
  it("has an arm for each combination of a grid's values, beside its other arms", () => {
    const grid = { documents: { mode: "joint", over: { n_context: [1, 3], sampling: ["top", "weighted"] } } }
    const { arms } = plan({ grid })
    assert.deepStrictEqual(Object.keys(arms), [
      "joint",
      "documents,n_context=1,sampling=top",
      "documents,n_context=1,sampling=weighted",
      "documents,n_context=3,sampling=top",
      "documents,n_context=3,sampling=weighted"
    ])
    assert.deepStrictEqual(arms["documents,n_context=3,sampling=top"], {
      phases: {},
      settings: { mode: "joint", n_context: 3, sampling: "top" }
    })
    assert.deepStrictEqual(Object.keys(Effect.runSync(decodePlan("p", { seeds: [1], settings, grid })).arms).length, 4)
  })
  it("is told what is wrong with a grid", () => {
    const told = (own: Raw) => problems({ grid: { g: own } })
    assert.deepStrictEqual(told({ over: {} }), ["grid.g.over: names no setting"])
    assert.deepStrictEqual(told({ over: { n_contxt: [1] } }), ["grid.g.over: unknown key \"n_contxt\""])
    assert.deepStrictEqual(told({ n_context: 2, over: { n_context: [1] } }), [
      "grid.g: n_context has a value beside those of over"
    ])
    assert.deepStrictEqual(told({ over: { n_context: [1, 1] } }), ["grid.g.over.n_context: has a value twice"])
    assert.match(told({ over: { document_prompt: ["a/{text}"] } })[0]!, /cannot be the name of a folder/)
    const many = Array.from({ length: 40 }, (_, i) => i)
    assert.match(told({ over: { n_context: many, n_candidates: many } })[0]!, /makes 1600 arms/)
    assert.match(told({ n_context: [1, 2] })[0]!, /^grid\.g/)
  })
  it("has each seed once, and no other", () => {
    assert.deepStrictEqual(problems({ seeds: [1, 2, 1] }), ["seeds: [1] given twice"])
    const own = { settings: { ...settings, seed: 3 }, arms: { joint: { seed: 4 } } }
    assert.deepStrictEqual(problems(own), [
      "settings: seed: the plan's seeds decide; leave it out",
      "arms.joint: seed: the plan's seeds decide; leave it out"
    ])
    const error = Effect.runSync(Effect.flip(check(planned({}, { seed: 5 }))))
    assert.strictEqual(error.message, "--set: seed: the plan's seeds decide; --seed gives others")
  })
  const names = [
    "",
    ".",
    "..",
    "../../escaped",
    "a/b",
    "a\\b",
    "/abs",
    "C:x",
    "a\0b",
    "a\nb",
    " a",
    "a ",
    "a.",
    "-x",
    "~"
  ]
  for (const name of [...names, "__proto__", "con", "NUL.txt", "12", "x".repeat(101), "a*", "a?", "\u202eevil"]) {
    it(`has no arm called ${JSON.stringify(name)}`, () => {
      const arms = Object.fromEntries([[name, { mode: "joint" }], ["ok", {}]])
      const [problem, ...more] = problems({ arms })
      assert.match(problem!, /^arms, ".*(cannot be the name of a folder|is a number)/)
      assert.deepStrictEqual(more, [])
      assert.match(problems({ warm_up: arms })[0]!, /^warm_up, /)
    })
  }
  it("has arms of any plain name", () => {
    const plain = ["joint", "gold-supervised", "lr=1e-3", "7b", "k 8 (top)", "v1.2", "größe", "结合", "constructor"]
    const arms = Object.fromEntries(plain.map((name) => [name, {}]))
    assert.deepStrictEqual(Object.keys(plan({ arms }).arms), plain)
  })
  it("has no two runs that would share a folder", () => {
    assert.deepStrictEqual(problems({ arms: { Copy: {}, joint: {}, JOINT: {} } }), [
      "arms, \"Copy\" would share a folder with warm_up, \"copy\"",
      "arms, \"JOINT\" would share a folder with arms, \"joint\""
    ])
  })
  it("ends in a plan or in an error of a few lines, whatever it is given", () => {
    const part = fc.oneof(
      fc.anything({ withBigInt: false }),
      fc.dictionary(fc.string(), fc.dictionary(fc.string(), fc.nat()))
    )
    const shape = fc.record({ seeds: part, settings: part, warm_up: part, arms: part }, { requiredKeys: [] })
    fc.assert(
      fc.property(shape, (given) => {
        const result = Effect.runSync(Effect.result(decodePlan("plan.yaml", given)))
        if (result._tag === "Failure") assert.isAtMost(result.failure.message.split("\n").length, 12)
        else assert.isAbove(runsOf(result.success, 1).length, 0)
      }),
      { numRuns: 300 }
    )
  })
})

describe("the runs of a plan", () => {
  const phased = {
    warm_up: { copy: { mode: "copy" }, lexical: { mode: "lexical" } },
    arms: { plain: {}, deep: { phases: { first: { dim: 1 }, second: {} }, mode: "joint" } }
  }
  it("are the warm-up's phases, then each arm after its own", () => {
    assert.deepStrictEqual(
      runsOf(plan(phased), 3).map(({ after, folder, place }) => [place, folder.join("/"), after.length]),
      [
        ["warm_up.copy", "copy", 0],
        ["warm_up.lexical", "lexical", 1],
        ["arms.plain", "plain", 2],
        ["arms.deep.phases.first", "deep/phases/first", 2],
        ["arms.deep.phases.second", "deep/phases/second", 3],
        ["arms.deep", "deep", 4]
      ]
    )
  })
  it("have their own settings, an arm's phases none of the arm's", () => {
    const [, , , first, , deep] = runsOf(plan(phased), 3)
    assert.deepStrictEqual([first!.settings, deep!.settings], [{ dim: 1 }, { mode: "joint" }])
  })
  it("are refused by place where phases are none, have no name or a seed", () => {
    const one = (phases: unknown) => problems({ arms: { joint: { phases } } })
    assert.deepStrictEqual(one([1]), ["arms.joint.phases: must be settings (key: value) by name; given [1]"])
    assert.deepStrictEqual(one({ a: 1 }), [
      "arms.joint.phases: must be settings (key: value) by name; given {\"a\": 1}"
    ])
    assert.match(one({ "a/b": {} })[0]!, /^arms\.joint\.phases, "a\/b" cannot be the name of a folder/)
    assert.match(one({ a: { seed: 1 } })[0]!, /^arms\.joint\.phases\.a: seed: the plan's seeds decide/)
  })
})

describe("a run of a plan", () => {
  const of = (changes: Raw, overrides: Raw, weights: Raw = {}) =>
    Effect.runSync(settingsOf(planned(changes, overrides), runsOf(plan(changes), 2).at(-1)!, weights)).config
  it("has the shared settings, its own over them, those of the command line over both, and its seed", () => {
    const arms = { joint: { learning_rate: 2, "weight-decay": 0, dim: 2 } }
    const { dim, learning_rate, seed, weight_decay } = of({ settings: { ...settings, lr: 1, dim: 1 }, arms }, {
      dim: 3
    })
    assert.deepStrictEqual({ dim, learning_rate, seed, weight_decay }, {
      dim: 3,
      learning_rate: 2,
      seed: 2,
      weight_decay: 0
    })
  })
  const warm = { reader_name_or_path: "warm/reader" }
  it("begins from the weights of the warm-ups, whatever the command line began from", () => {
    assert.strictEqual(of({}, {}, warm).reader_name_or_path, "warm/reader")
    assert.strictEqual(of({}, { "reader-name-or-path": "other" }, warm).reader_name_or_path, "warm/reader")
    assert.strictEqual(of({}, { reader_name_or_path: "other" }).reader_name_or_path, "other")
  })
  it("begins from its own where it names some", () => {
    const arms = { joint: { reader_name_or_path: "own" } }
    assert.strictEqual(of({ arms }, {}, warm).reader_name_or_path, "own")
  })
  it("names its place where it is wrong", () => {
    const why = (changes: Raw, overrides: Raw = {}) =>
      Effect.runSync(Effect.flip(check(planned(changes, overrides)))).message
    assert.match(why({ settings: { ...settings, sed: 1 } }), /^plan\.yaml, settings: unknown key "sed"/)
    assert.match(why({ arms: { joint: { dim: -1 } } }), /^plan\.yaml, arms\.joint: dim: /)
    assert.match(
      why({ arms: { joint: { n_candidates: 1 } } }),
      /^plan\.yaml, arms\.joint:\n {2}retriever_n_context \(7\)/
    )
    assert.match(why({}, { sed: 1 }), /^--set: unknown key "sed"/)
  })
})

describe("the notices of a plan", () => {
  const told = (changes: Raw, overrides: Raw = {}) => Effect.runSync(check(planned(changes, overrides)))
  it("are none where every setting decides", () => assert.deepStrictEqual(told({}), []))
  it("are of settings without effect: an arm's own, or shared ones that no run has a use for", () => {
    const shared = { ...settings, sampling_temperature: 2, temperature_gold: 3 }
    assert.deepStrictEqual(told({ settings: shared, arms: { joint: {}, none: { mode: "no_retrieval", dim: 4 } } }), [
      "plan.yaml, arms.none: without effect: dim (only in mode joint, frozen_rag, gold_supervised, lexical)",
      "plan.yaml, settings: without effect: temperature_gold"
    ])
  })
  it("are of an arm's settings that something else wins over, and of weights that it does not share", () => {
    const arms = { joint: { lr: 1e-3, reader_name_or_path: "own" } }
    assert.deepStrictEqual(told({ arms }, { learning_rate: 1e-4 }), [
      "plan.yaml, arms.joint: --set wins over its own learning_rate",
      "plan.yaml, arms.joint: begins from its own reader_name_or_path, not the warm-ups'"
    ])
    assert.deepStrictEqual(told({ arms: { joint: { reader_name_or_path: "own" } }, warm_up: {} }), [])
  })
})
