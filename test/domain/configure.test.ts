import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { decode, didYouMean } from "../../src/domain/configure.ts"
import { aliases, defaults, presets } from "../../src/domain/presets.ts"
import { fields, type Raw } from "../../src/domain/RunConfig.ts"

const needed = {
  output_dir: "runs/x",
  passages_file: "p.jsonl",
  retriever_name_or_path: "retriever",
  reader_name_or_path: "reader"
}
const decoded = (file: Raw, overrides: Raw = {}) =>
  Effect.runSync(decode("run.json", { ...needed, ...file }, overrides)) as Raw
const problems = (file: Raw, overrides: Raw = {}): ReadonlyArray<string> =>
  Effect.runSync(Effect.flip(decode("run.json", { ...needed, ...file }, overrides))).problems

/** Another value that the same setting may have. */
const unlike = (value: unknown): unknown => {
  if (typeof value === "number") return Number.isInteger(value) ? value + 1 : value / 2
  if (Array.isArray(value)) return [...(value as ReadonlyArray<unknown>), "more"]
  return value === "cosine" ? "linear" : `${value}!`
}

describe("a configuration", () => {
  it("without settings of its own is the paper's", () => {
    assert.deepStrictEqual(decoded({}), { ...defaults, ...presets.paper, ...needed })
  })
  for (const preset of ["paper", "release"] as const) {
    it(`is what the ${preset} preset says, then the defaults`, () => {
      const config = decoded({ preset })
      for (const [key, value] of Object.entries({ ...defaults, ...presets[preset], preset })) {
        assert.deepStrictEqual(config[key], value, key)
      }
    })
  }
  it("has the figures of the paper and of the released code", () => {
    const of = (preset: string) => {
      const { context, lr_retriever, n_candidates, n_context, rank_mean, retriever_n_context } = decoded({ preset })
      return [n_candidates, retriever_n_context, n_context, context, lr_retriever, rank_mean]
    }
    assert.deepStrictEqual(of("paper"), [30, 7, 7, "sampled", 3e-5, "pairs"])
    assert.deepStrictEqual(of("release"), [20, 10, 5, "top", 3e-6, "pairs_plus_one"])
  })
  it("takes overrides over the file, the file over the preset, the preset over the defaults", () => {
    const { lr_retriever, n_candidates, query_max_len, seed } = decoded(
      { preset: "release", n_candidates: 12, seed: 1 },
      { seed: 2 }
    )
    assert.deepStrictEqual([seed, n_candidates, lr_retriever, query_max_len], [2, 12, 3e-6, 512])
  })
  it("takes the preset an override names", () => {
    assert.strictEqual(decoded({ preset: "paper" }, { preset: "release" })["n_candidates"], 20)
  })
  for (const [name, others] of Object.entries(aliases)) {
    it(`knows ${name} by its other names`, () => {
      const value = name === "torch_dtype" ? "float16" : unlike(defaults[name] ?? presets.paper[name])
      for (const other of others) {
        assert.deepStrictEqual(decoded({ [other]: value })[name], value)
        assert.deepStrictEqual(decoded({ [other.replaceAll("_", "-")]: value })[name], value)
      }
    })
  }
  it("takes the field's spellings for what they mean there", () => {
    const spelled = { lr: 1, lr_colbert: 2, bsize: 3, total_steps: 4, warmup: 5, clip: 6, nway: 8 }
    const config = decoded({ ...spelled, num_doc: 9, doc_maxlen: 10, query_maxlen: 11, model_max_length: 12 })
    const meant = ["learning_rate", "lr_retriever", "per_device_train_batch_size", "max_steps", "warmup_steps"]
    const more = ["max_grad_norm", "retriever_n_context", "n_candidates", "passage_max_len"]
    const names = [...meant, ...more, "query_max_len", "max_length"]
    assert.deepStrictEqual(names.map((name) => config[name]), [1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12])
  })
  it("has an alias for no other key, nor one for two", () => {
    const all = Object.values(aliases).flat()
    assert.strictEqual(new Set(all).size, all.length)
    assert.deepStrictEqual(all.filter((alias) => alias in fields), [])
    assert.deepStrictEqual(Object.keys(aliases).filter((name) => !(name in fields)), [])
  })
})

describe("what is wrong with a configuration", () => {
  it("is told of unknown keys, with the nearest known one", () => {
    assert.deepStrictEqual(problems({ learning_rat: 1 }), [
      "unknown key \"learning_rat\", did you mean \"learning_rate\"?"
    ])
    assert.deepStrictEqual(problems({ num_epoch: 1 }), [
      "unknown key \"num_epoch\", did you mean \"num_train_epochs\"?"
    ])
    assert.deepStrictEqual(problems({ zzzzzzzzzzzz: 1 }), ["unknown key \"zzzzzzzzzzzz\""])
  })
  it("is told all at once", () => {
    assert.strictEqual(problems({ sed: 1, mod: "joint" }).length, 2)
    const values = problems({ seed: -1, mode: "together", adam_beta1: 2 })
    assert.deepStrictEqual(values.map((problem) => problem.split(":")[0]).toSorted(), ["adam_beta1", "mode", "seed"])
  })
  it("is told of a key that is missing", () => {
    const error = Effect.runSync(Effect.flip(decode("run.json", { ...needed, output_dir: undefined })))
    assert.match(error.message, /^run\.json: output_dir: /)
  })
  it("is told of a key given twice, in whatever spelling", () => {
    assert.deepStrictEqual(problems({ learning_rate: 1, lr: 1 }), ["\"learning_rate\" is given twice (as \"lr\")"])
    assert.deepStrictEqual(problems({ max_steps: 1, "max-steps": 1 }), [
      "\"max_steps\" is given twice (as \"max-steps\")"
    ])
  })
  it("is not that an override repeats a key of the file under another name", () => {
    assert.strictEqual(decoded({ lr: 1 }, { learning_rate: 2 })["learning_rate"], 2)
  })
  for (
    const [file, what] of [
      [{ n_candidates: 5 }, /retriever_n_context \(7\) exceeds n_candidates \(5\)/],
      [{ n_candidates: 8, n_context: 9 }, /n_context \(9\) exceeds n_candidates \(8\)/],
      [{ n_context: 8 }, /n_context \(8\) exceeds retriever_n_context \(7\)/],
      [{ retriever_n_context: 1, n_context: 1 }, /at least 2 passages/],
      [{ refresh_index: "now and then" }, /refresh_index: "now and then" is not/]
    ] as const
  ) {
    it(`is that settings do not go together: ${JSON.stringify(file)}`, () => {
      assert.match(problems(file).join("; "), what)
    })
  }
  it("is not a limit that another setting lifts", () => {
    assert.strictEqual(decoded({ n_context: 8, context: "top" })["n_context"], 8)
    assert.strictEqual(decoded({ retriever_n_context: 1, n_context: 1, gold_score_mode: "pdist" })["n_context"], 1)
  })
})

describe("didYouMean", () => {
  const names = Object.keys(fields)
  it("finds a name with two letters exchanged, one left out or one added", () => {
    const typo = fc.tuple(fc.constantFrom(...names.filter((n) => n.length > 6)), fc.nat(), fc.constantFrom(0, 1, 2))
    fc.assert(fc.property(typo, ([name, place, kind]) => {
      const at = place % (name.length - 1)
      const [head, tail] = [name.slice(0, at), name.slice(at)]
      const wrong = [head + tail[1] + tail[0] + tail.slice(2), head + tail.slice(1), `${head}x${tail}`][kind]!
      assert.strictEqual(didYouMean(wrong, [name]), name)
    }))
  })
  it("finds nothing where nothing is near", () => assert.isUndefined(didYouMean("banana", names)))
  it("counts two letters exchanged as one slip", () => assert.strictEqual(didYouMean("sede", ["sudo", "seed"]), "seed"))
  it("prefers the nearest", () => assert.strictEqual(didYouMean("max_step", ["save_steps", "max_steps"]), "max_steps"))
})
