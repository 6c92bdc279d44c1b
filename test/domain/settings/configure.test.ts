import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { didYouMean } from "../../../src/domain/nearest.ts"
import { unused } from "../../../src/domain/settings/configure.ts"
import { stepsOf, suspicions } from "../../../src/domain/settings/contradictions.ts"
import { type Raw, type RunConfig, sections } from "../../../src/domain/settings/RunConfig.ts"
import { decode, settle, specs } from "../../../src/systems/all.ts"
import { fields as own, spec } from "../../../src/systems/jmlr/settings.ts"

const { defaults, fields, presets } = spec
/** Other spellings by name. */
const aliases = Object.fromEntries(
  [...Map.groupBy(spec.aliases, ([, name]) => name)].map(([name, own]) => [name, own.map(([alias]) => alias)])
)
const modes = Object.keys(spec.modes)

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
  if (typeof value === "number") return Number.isInteger(value) ? value + 5 : value / 2
  if (Array.isArray(value)) return [...(value as ReadonlyArray<unknown>), "more"]
  return value === "cosine" ? "linear" : `${value}!`
}

describe("a configuration", () => {
  it("without settings of its own is the paper's", () => {
    assert.deepStrictEqual(decoded({}), { ...defaults, ...presets["paper"]!, ...needed })
  })
  for (const preset of ["paper", "release"] as const) {
    it(`is what the ${preset} preset says, then the defaults`, () => {
      const config = decoded({ preset })
      for (const [key, value] of Object.entries({ ...defaults, ...presets[preset], ...needed, preset })) {
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
      const one = { torch_dtype: "float16" }[name]
      const value = one ?? unlike(defaults[name] ?? presets["paper"]![name])
      for (const other of others) {
        assert.deepStrictEqual(decoded({ [other]: value })[name], value)
        assert.deepStrictEqual(decoded({ [other.replaceAll("_", "-")]: value })[name], value)
      }
    })
  }
  it("takes the field's spellings for what they mean there", () => {
    const spelled = { lr: 1, lr_colbert: 2, bsize: 3, total_steps: 7, warmup: 5, clip: 6, nway: 8 }
    const config = decoded({ ...spelled, num_doc: 9, doc_maxlen: 10, query_maxlen: 11, model_max_length: 12 })
    const meant = ["learning_rate", "lr_retriever", "per_device_train_batch_size", "max_steps", "warmup_steps"]
    const more = ["max_grad_norm", "retriever_n_context", "n_candidates", "passage_max_len"]
    const names = [...meant, ...more, "query_max_len", "max_length"]
    assert.deepStrictEqual(names.map((name) => config[name]), [1, 2, 3, 7, 5, 6, 8, 9, 10, 11, 12])
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
    const { output_dir, ...rest } = needed
    const error = Effect.runSync(Effect.flip(decode("run.json", rest)))
    assert.strictEqual(error.message, "run.json: output_dir: is missing")
    assert.strictEqual(Effect.runSync(decode("run.json", rest, { output_dir })).output_dir, output_dir)
  })
  it("is told with what it should be, what was given, and what was meant", () => {
    const told = {
      seed: [-1, "seed: must be a whole number of at least 0; given -1"],
      adam_beta1: [1, "adam_beta1: must be a number of at least 0 and below 1; given 1"],
      learning_rate: [
        "1e-5",
        "learning_rate: must be a number of at least 0; given \"1e-5\"; write the number without "
        + "quotes or underscores"
      ],
      preset: [
        "Paper",
        "preset: must be one of \"paper\", \"release\", \"contrastive\", \"stm\", \"sft\", \"pretrain\", \"dpo\", \"jomed\", \"jomed_release\"; given \"Paper\", did you mean \"paper\"?"
      ],
      skip_bad_lines: ["yes", "skip_bad_lines: must be true or false; given \"yes\"; write true or false"],
      top_k: ["None", "top_k: must be a whole number of at least 0 or null; given \"None\"; write null"],
      modules_to_save: [["a", 1], "modules_to_save: must be a list of non-empty strings; modules_to_save[1] is 1"],
      train_where: [{ a: [] }, "train_where: must be an object of strings or numbers; train_where.a is []"],
      adam_epsilon: [1e-50, "adam_epsilon: 1e-50 is beyond what float32 can hold"],
      output_dir: [
        "~/runs",
        "output_dir: \"~/runs\" is taken literally: ~ and variables are not expanded; write the path "
        + "in full"
      ]
    } as const
    for (const [key, [value, line]] of Object.entries(told)) assert.deepStrictEqual(problems({ [key]: value }), [line])
  })
  it("names the source of what is wrong", () => {
    const why = (file: Raw, overrides: Raw) =>
      Effect.runSync(Effect.flip(decode("run.json", { ...needed, ...file }, overrides))).message
    assert.match(why({}, { sed: 1 }), /^--set: unknown key "sed"/)
    assert.match(why({}, { seed: -1 }), /^--set: seed: /)
    assert.match(why({ seed: -1 }, { mode: "x" }), /^run\.json:\n {2}--set: mode: .*\n {2}seed: /)
    assert.match(why({ n_candidates: 8 }, { n_context: 9 }), /^run\.json with --set:\n {2}n_context \(9\) exceeds/)
    assert.match(why({ n_context: 8 }, {}), /^run\.json: n_context \(8\) exceeds/)
  })
  it("is that a key is one of every object", () => {
    for (const key of ["__proto__", "constructor", "hasOwnProperty", "toString"]) {
      const file = JSON.parse(`{"${key}": 1}`) as Raw
      const error = Effect.runSync(Effect.flip(decode("x", { ...needed, ...Object.fromEntries(Object.entries(file)) })))
      assert.deepStrictEqual(error.problems, [`unknown key "${key}"`])
      assert.match(problems({ preset: key })[0]!, /^preset: must be one of "paper", "release", "contrastive"/)
      assert.match(problems({ mode: key })[0]!, /^mode: must be one of/)
    }
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
      [{ retriever_n_context: 1, n_context: 1 }, /llm_rank compares at least 2 passages/],
      [{ gold_score_mode: "loop", retriever_n_context: 1, n_context: 1 }, /loop compares at least 2 passages/],
      [{ gold_score_mode: "emdr2", retrieve_with_rerank: false }, /emdr2 weighs with the encoder's current scores/],
      [{ refresh_index: "10-5:1" }, /refresh_index: "10-5:1" is not/],
      [{ max_steps: 2 ** 31 }, /max_steps \(2,147,483,648\) exceeds 2,147,483,647/],
      [{ save_steps: 0 }, /save_steps: 0 is no number of steps/],
      [{ learning_rate: 2, weight_decay: 0.5 }, /weight_decay \(0\.5\) times the learning rate \(2\)/],
      [{ mode: "lexical", rank_weight: 0 }, /rank_weight 0 leaves the retriever nothing/],
      [{ query_max_len: 3 }, /query_max_len \(3\) holds no word/],
      [{ passage_max_len: 1 }, /passage_max_len \(1\) holds no word/],
      [{ answer_by: "generation", max_length: 64, max_new_tokens: 64 }, /max_new_tokens \(64\) leaves no room/],
      [{ rationale_prompt: "Why?", max_length: 99 }, /rationale_max_new_tokens \(128\) leaves no room/],
      [{ mode: "copy", copy_words: 2 ** 40 }, /copy_words \(1099511627776\) exceeds text_maxlength \(512\)/],
      [{ options_in_prompt: false }, /answer_format "letter" needs options_in_prompt/],
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
    assert.strictEqual(decoded({ max_steps: 10, warmup_steps: 11 })["warmup_steps"], 11)
    assert.strictEqual(decoded({ mode: "copy", options_in_prompt: false })["options_in_prompt"], false)
    assert.strictEqual(decoded({ mode: "frozen_rag", rank_weight: 0 })["rank_weight"], 0)
  })
})

describe("the names of settings", () => {
  it("are each in one section only, and no other spelling is one of them", () => {
    const names = [...Object.values(sections), own].flatMap((section) => Object.keys(section))
    const spelled = [...names, ...[...spec.aliases].map(([alias]) => alias)]
    assert.deepStrictEqual(spelled.filter((name, i) => spelled.indexOf(name) < i), [])
  })
})

describe("the system", () => {
  const systemOf = (file: Raw, overrides: Raw = {}) => decoded({ train_file: "t", ...file }, overrides)["system"]
  it("is the one that has the mode, or else the preset", () => {
    assert.strictEqual(systemOf({}), "jmlr")
    assert.strictEqual(systemOf({ mode: "bm25" }), "stm")
    assert.strictEqual(systemOf({ preset: "stm" }), "stm")
    assert.strictEqual(systemOf({ preset: "dpo" }), "mediphi")
    assert.strictEqual(systemOf({ system: "mediphi" }), "mediphi")
  })
  it("is what the last source says", () => {
    assert.strictEqual(systemOf({ system: "jmlr", mode: "joint" }, { mode: "contrastive" }), "stm")
    assert.strictEqual(systemOf({ mode: "contrastive" }, { seed: 1 }), "stm")
    assert.match(
      problems({ preset: "stm" }, { mode: "joint" })[0]!,
      /^preset: must be "paper" or "release"; given "stm"/
    )
    assert.match(
      problems({ system: "stm", mode: "joint" })[0]!,
      /^mode: must be "contrastive" or "bm25"; given "joint"/
    )
  })
  it("has no mode or preset that another has", () => {
    for (
      const names of [
        specs.flatMap((one) => Object.keys(one.modes)),
        specs.flatMap((one) => Object.keys(one.presets))
      ]
    ) {
      assert.deepStrictEqual(names, [...new Set(names)])
    }
  })
  it("leaves settings of others without effect, and says so", () => {
    const given = { ...needed, mode: "contrastive", n_context: 3, train_file: "t" }
    assert.deepStrictEqual(
      Effect.runSync(settle([{ source: "run.json", settings: given }])).unused.map(({ text }) => text),
      ["n_context (only in system jmlr)"]
    )
    assert.match(problems({ mode: "contrastive", n_contxt: 3 })[0]!, /^unknown key "n_contxt"/)
  })
})

describe("a setting without effect", () => {
  const told = (settings: Raw, source = "run.json") =>
    Effect.runSync(settle([{ source, settings: { ...needed, ...settings } }])).unused.map(({ text }) => text)
  const defaultsOf = (preset: "paper" | "release"): Raw => ({ ...defaults, ...presets[preset], ...needed, preset })
  it("is told with where it would have one", () => {
    assert.deepStrictEqual(told({ temperature_gold: 1, holdout: 0.2, test_file: "t" }), [
      "temperature_gold (only with gold_score_mode pdist, pdist_prior or loop)",
      "holdout (only without test_file)"
    ])
    assert.deepStrictEqual(told({ mode: "no_retrieval", document_prompt: "{text}", dim: 8 }), [
      "document_prompt (not in mode no_retrieval, lexical)",
      "dim (only in mode joint, frozen_rag, gold_supervised, lexical)"
    ])
    assert.deepStrictEqual(told({ lora_alpha: 16 }), ["lora_alpha (only with a lora_r above 0)"])
    assert.deepStrictEqual(told({ do_sample: false, temperature: 2 }), ["temperature (only with do_sample)"])
    assert.deepStrictEqual(told({ use_full_attn: true, max_length: 512 }), [
      "use_full_attn (only with a max_length of 1024 or more)"
    ])
    assert.deepStrictEqual(told({ test_where: { split: "test" } }), ["test_where (only with test_file)"])
  })
  it("is none that has one, is the default, or that nobody gave", () => {
    assert.deepStrictEqual(told({ gold_score_mode: "pdist", temperature_gold: 1, lora_r: 4, lora_alpha: 16 }), [])
    for (const preset of ["paper", "release"] as const) assert.deepStrictEqual(told(defaultsOf(preset)), [])
  })
  it("changes its place in the list with its source", () => {
    const sources = Effect.runSync(
      settle([{ source: "a", settings: { ...needed, dim: 1, mode: "oracle" } }, {
        source: "b",
        settings: { sampling: "top" }
      }])
    ).unused.map(({ source }) => source)
    assert.deepStrictEqual(sources, ["a", "b"])
  })
  it("is known by the name of a setting", () => {
    for (const mode of modes) {
      const { config } = Effect.runSync(settle([{ source: "x", settings: { ...needed, mode } }]))
      const all = Object.keys(fields).flatMap((key) => unused(spec, config, key) ?? [])
      for (const line of all) assert.match(line, /^\w+ \((only|not) .+\)$/)
    }
  })
})

describe("the steps of a run", () => {
  const of = (settings: Raw, questions: number) => stepsOf(decoded(settings) as RunConfig, questions)
  it("are those given, or as many as the epochs take", () => {
    assert.strictEqual(of({ max_steps: 7 }, 100), 7)
    assert.strictEqual(of({ max_steps: 0 }, 100), 0)
    assert.strictEqual(of({ num_train_epochs: 3, per_device_train_batch_size: 4 }, 10), 8)
    assert.strictEqual(of({ num_train_epochs: 0.01 }, 1), 1)
  })
  it("end", () => {
    assert.match(String(of({ num_train_epochs: 1e30 }, 6)), /num_train_epochs \(1e\+30\) of 6 questions are more than/)
  })
  it("are told where they are likely not what was meant", () => {
    const told = (settings: Raw) => {
      const config = decoded({ max_steps: 5, train_file: "a", test_file: "b", ...settings }) as RunConfig
      return suspicions(config, spec.modes[config.mode]!)
    }
    assert.deepStrictEqual(told({}), [])
    assert.deepStrictEqual(told({ max_steps: 0 }), ["max_steps is 0: nothing is trained"])
    const explained = { rationale_target: "\nWhy: {explanation}" }
    assert.match(told(explained).join(), /explanations are learned, and none is asked for/)
    assert.match(
      told({ ...explained, rationale_prompt: "\nBecause" }).join(),
      /rationale_prompt \("\\nBecause"\) is not how/
    )
    assert.deepStrictEqual(told({ ...explained, rationale_prompt: "\nWhy:" }), told({}))
    assert.match(told({ warmup_steps: 6 })[0]!, /^warmup_steps \(6\) exceeds the 5 steps/)
    assert.deepStrictEqual(told({ warmup_steps: 5, mode: "lexical", learning_rate: 0, test_file: "a" }), [])
    assert.match(told({ learning_rate: 0, lr_retriever: 0 }).join(), /^learning_rate is 0: .*,lr_retriever is 0: /)
    assert.match(told({ test_file: "a" })[0]!, /are the same questions/)
    assert.deepStrictEqual(told({ test_file: "a", test_where: { split: "test" } }), [])
  })
})

/** What a file of settings may hold: anything. */
const anything = fc.anything({
  withBigInt: false,
  maxDepth: 3,
  key: fc.oneof(fc.string(), fc.constantFrom("__proto__", "constructor", "toString", "valueOf", ...Object.keys(fields)))
})
const object = fc.dictionary(
  fc.oneof(fc.string(), fc.constantFrom("__proto__", "constructor", "hasOwnProperty", ...Object.keys(fields))),
  fc.oneof(anything, fc.json().map((text) => JSON.parse(text) as unknown)),
  { maxKeys: 12 }
)

describe("decoding", () => {
  /** A `RunConfig`, or a `ConfigError` of a few short lines. */
  const ends = (file: Raw, overrides: Raw = {}) => {
    const result = Effect.runSync(Effect.result(decode("run.json", file, overrides)))
    if (result._tag === "Success") return assert.deepStrictEqual(Object.keys(result.success).toSorted(), known)
    assert.isAbove(result.failure.problems.length, 0)
    const lines = result.failure.message.split("\n")
    assert.isAtMost(lines.length, 12)
    for (const line of lines) assert.isAtMost(line.length, 420)
  }
  const known = Object.keys(fields).toSorted()
  it("ends in settings or in an error of a few lines, whatever it is given", () => {
    fc.assert(fc.property(object, object, (file, overrides) => ends(file, overrides)), { numRuns: 500 })
  })
  it("does so too where settings that are right are changed in a few places", () => {
    const key = fc.constantFrom(...Object.keys(fields))
    const value = fc.oneof(
      anything,
      fc.constantFrom(
        0,
        1,
        -1,
        2 ** 31,
        2 ** 53,
        1e308,
        5e-324,
        NaN,
        Infinity,
        "",
        "0",
        "true",
        null,
        [],
        {},
        [[]],
        true
      )
    )
    fc.assert(
      fc.property(
        fc.array(fc.tuple(key, value), { maxLength: 4 }),
        (changes) => ends({ ...needed, ...Object.fromEntries(changes) })
      ),
      { numRuns: 1000 }
    )
  })
  it("takes no longer for what is large", () => {
    const large: ReadonlyArray<Raw> = [
      { ["k".repeat(10_000_000)]: 1 },
      { seed: "x".repeat(10_000_000), mode: "y".repeat(10_000_000), refresh_index: "z".repeat(10_000_000) },
      Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`learning_rat${i}`, i])),
      { modules_to_save: Array.from({ length: 100_000 }, (_, i) => i) },
      { seed: JSON.parse(`${"[".repeat(5000)}${"]".repeat(5000)}`) as unknown }
    ]
    const began = performance.now()
    for (const file of large) ends({ ...needed, ...file })
    assert.isBelow(performance.now() - began, 5000)
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
  it("does not look at words that nobody mistypes", () => {
    const began = performance.now()
    assert.isUndefined(didYouMean("k".repeat(10_000_000), names))
    assert.isBelow(performance.now() - began, 100)
  })
  it("counts two letters exchanged as one slip", () => assert.strictEqual(didYouMean("sede", ["sudo", "seed"]), "seed"))
  it("prefers the nearest", () => assert.strictEqual(didYouMean("max_step", ["save_steps", "max_steps"]), "max_steps"))
})
