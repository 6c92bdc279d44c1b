/** Generative tasks: what of lm-evaluation-harness' form is taken, what is refused, prompts, filters and metrics. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import { parse } from "yaml"
import { filtersOf } from "../../../src/domain/benchmarks/filters.ts"
import type { GenerativeTask } from "../../../src/domain/benchmarks/generativeTask.ts"
import { macroF1, metricsOf } from "../../../src/domain/benchmarks/metrics.ts"
import { beforeChoice, dialogue, plain, type PromptParts } from "../../../src/domain/benchmarks/prompts.ts"
import { tasksOf } from "../../../src/domain/benchmarks/task.ts"
import { literalOf, quoted } from "../../../src/domain/pythonLiteral.ts"
import type { Raw } from "../../../src/domain/settings/RunConfig.ts"

const shipped = (name: string) => parse(readFileSync(`tasks/${name}.yaml`, "utf8")) as Raw
const problem = (file: Raw) => Effect.map(Effect.flip(tasksOf("t.yaml", file)), ({ message }) => message)
const written = {
  task: "w",
  output_type: "generate_until",
  dataset_path: "d.jsonl",
  doc_to_text: "q",
  doc_to_target: "a"
}
const chosen = { ...written, output_type: "multiple_choice", doc_to_choice: ["yes", "no"] }

describe("the shipped generative tasks", () => {
  it.effect("are the twelve of CLUE+, and six that run on open data, each with where its data is from", () =>
    Effect.gen(function*() {
      for (const [name, count] of [["clue-plus", 12], ["medical", 6]] as const) {
        const tasks = (yield* tasksOf(name, shipped(name))) as ReadonlyArray<GenerativeTask>
        assert.strictEqual(new Set(tasks.map(({ task }) => task)).size, count)
        for (const { metadata } of tasks) assert.isString(metadata?.["dataset"])
      }
    }))
})

describe("a generative task", () => {
  it.effect("has the harness' defaults", () =>
    Effect.gen(function*() {
      const [w, c] = [yield* tasksOf("t", written), yield* tasksOf("t", chosen)].map(([own]) => own as GenerativeTask)
      const { fewshot_delimiter, filters, metrics, num_fewshot, repeats, target_delimiter, until } = w!
      assert.deepStrictEqual([target_delimiter, fewshot_delimiter, num_fewshot, repeats], [" ", "\n\n", 0, 1])
      assert.deepStrictEqual([until, filters.map(({ name }) => name)], [["\n\n"], ["none"]])
      assert.deepStrictEqual(metrics.map(({ metric }) => metric), ["exact_match"])
      assert.deepStrictEqual(c!.metrics.map(({ metric }) => metric), ["acc", "acc_norm"])
      const [own] = yield* tasksOf("t", { ...written, validation_split: "dev", training_split: "train" })
      assert.deepStrictEqual([(own as GenerativeTask).split, (own as GenerativeTask).shots], ["dev", "train"])
    }))
  const refusals: ReadonlyArray<readonly [Raw, RegExp]> = [
    [{ ...written, process_docs: "x" }, /process_docs runs Python, and is not supported/],
    [{ ...written, class: "x" }, /class runs Python/],
    [{ ...written, doc_to_image: "x" }, /doc_to_image is for images or sound/],
    [{ ...written, doc_to_txt: "x" }, /"doc_to_txt" is no key of a task, did you mean "doc_to_text"\?/],
    [{ ...chosen, doc_to_choice: undefined }, /multiple_choice needs a doc_to_choice|doc_to_choice: /],
    [{ ...chosen, filter_list: [] }, /filter_list: multiple_choice has no texts to filter/],
    [
      { ...written, metric_list: [{ metric: "bleu" }] },
      /there is no metric "bleu" for this output_type; there are exact_match/
    ],
    [{ ...chosen, metric_list: [{ metric: "rouge1" }] }, /there is no metric "rouge1"/],
    [{ ...written, metric_list: [{ metric: "bertscore" }] }, /bertscore: needs a model_type/],
    [
      { ...written, metric_list: [{ metric: "bertscore", model_type: "m", num_layers: 0 }] },
      /num_layers: has to be a whole/
    ],
    [{ ...written, metric_list: [{ metric: "bertscore", model_type: "m", lang: "en" }] }, /there is no option "lang"/],
    [
      { ...written, metric_list: [{ metric: "concept_f1", vocabulary: "v", exclude: "x" }] },
      /exclude: has to be a list/
    ],
    [{ ...written, metric_list: [{ metric: "llm_judge", form: "xml" }] }, /form: has to be auto, json or text/],
    [{ ...written, metric_list: [{ metric: "rouge1", stem: true }] }, /rouge1: there is no option "stem"/],
    [{ ...written, metric_list: [{ metric: "rouge1", aggregation: "max" }] }, /aggregation "max" is not known/],
    [{ ...written, metric_list: [{ metric: "f1" }, { metric: "f1" }] }, /f1 is given twice/],
    [{ ...written, metric_list: [{ metric: "exact_match", regexes_to_ignore: ["("] }] }, /regexes_to_ignore: /],
    [
      { ...written, metric_list: [{ metric: "json_valid", schema: { pattern: "a" } }] },
      /schema: the keyword "pattern" is not known/
    ],
    [{ ...written, filter_list: [{ name: "a", filter: [{ function: "custom" }] }] }, /there is no filter "custom"/],
    [{ ...written, filter_list: [{ name: "a", filter: [{ function: "regex", regex_pattern: "a++" }] }] }, /possessive/],
    [{ ...written, filter_list: [{ name: "a" }] }, /filter has to be a list of filters/],
    [{ ...written, dataset_path: "json" }, /dataset_kwargs\.data_files goes with dataset_path json/],
    [{ ...written, generation_kwargs: { max_gen_toks: 0 } }, /max_gen_toks/],
    [{ ...written, fewshot_config: { sampler: "balanced" } }, /sampler/]
  ]
  for (const [file, why] of refusals) {
    it.effect(`is refused: ${why.source}`, () => Effect.map(problem(file), (message) => assert.match(message, why)))
  }
})

describe("a prompt", () => {
  const parts: PromptParts = {
    system: "Be brief.",
    description: "Answer.\n\n",
    shots: [{ text: "Q: one", prefix: "", answer: "1" }],
    question: { text: "Q: two", prefix: "" },
    target_delimiter: " ",
    fewshot_delimiter: "\n\n"
  }
  it("is the description, examples and the question, between them the delimiters", () => {
    assert.strictEqual(plain(parts), "Be brief.\n\nAnswer.\n\nQ: one 1\n\nQ: two")
    assert.strictEqual(beforeChoice(parts, false), " ")
    assert.strictEqual(beforeChoice(parts, true), "")
  })
  it("may begin the answer", () => {
    const begun = {
      ...parts,
      shots: [{ text: "Q: one", prefix: "A:", answer: "1" }],
      question: { text: "Q: two", prefix: "A:" }
    }
    assert.strictEqual(plain({ ...begun, system: "" }), "Answer.\n\nQ: one A: 1\n\nQ: two A:")
    assert.strictEqual(beforeChoice(begun, true), " ")
    assert.deepStrictEqual(dialogue(begun).at(-1), { role: "assistant", text: "A:" })
  })
  it("is a dialogue, each example a turn of each side", () => {
    assert.deepStrictEqual(dialogue(parts), [
      { role: "system", text: "Be brief.\n\nAnswer.\n\n" },
      { role: "user", text: "Q: one" },
      { role: "assistant", text: "1" },
      { role: "user", text: "Q: two" }
    ])
  })
})

describe("filters", () => {
  const apply = (...filter: ReadonlyArray<object>) => {
    const { pipelines, problems } = filtersOf([{ name: "f", filter }])
    assert.deepStrictEqual(problems, [])
    return pipelines[0]!.apply
  }
  it("take the selected match, its first group that is not empty, or the fallback", () => {
    const text = ["The answer is (A) or B", "none", "(  )"]
    assert.deepStrictEqual(apply({ function: "regex", regex_pattern: "\\((.)\\)|\\b(B)" })(text), [
      "A",
      "[invalid]",
      "[invalid]"
    ])
    assert.deepStrictEqual(
      apply({ function: "regex", regex_pattern: "\\((.)\\)|\\b(B)", group_select: -1, fallback: "?" })(text),
      ["B", "?", "?"]
    )
  })
  it("follow each other, and choose among several texts", () => {
    assert.deepStrictEqual(apply({ function: "lowercase" }, { function: "majority_vote" })(["b", "A", "a", "B"]), ["b"])
    assert.deepStrictEqual(apply({ function: "remove_whitespace" }, { function: "take_first" })([" a ", "b"]), ["a"])
    assert.deepStrictEqual(apply({ function: "take_first_k", k: 2 }, { function: "uppercase" })(["a", "b", "c"]), [
      "A",
      "B"
    ])
    const map = { function: "map", mapping_dict: { a: "1" }, default_value: "0" }
    assert.deepStrictEqual(apply(map)(["a", "b"]), ["1", "0"])
    assert.deepStrictEqual(apply({ ...map, default_value: null })(["b"]), [null])
  })
})

describe("metrics", () => {
  const figures = (
    metric: object,
    references: ReadonlyArray<string>,
    answer: string | null,
    listed?: ReadonlySet<string>
  ) => {
    const { problems, specs } = metricsOf("generate_until", [metric as Record<string, unknown>])
    assert.deepStrictEqual(problems, [])
    return specs[0]!.ofText!({ references, answer, listed })
  }
  it("of exact matches overlook what they are told to", () => {
    const match = (o: object, a: string, b: string) => figures({ metric: "exact_match", ...o }, [a], b)["exact_match"]
    assert.deepStrictEqual([match({}, "a", "a"), match({}, "a", "A"), match({ ignore_case: true }, "a", "A")], [
      1,
      0,
      1
    ])
    assert.strictEqual(match({ ignore_punctuation: true }, "a.b", "ab!"), 1)
    assert.strictEqual(match({ ignore_numbers: true }, "a1", "a2"), 1)
    assert.strictEqual(match({ regexes_to_ignore: ["\\$", "(?s).*#### "] }, "5", "so\n#### $5"), 1)
    assert.strictEqual(figures({ metric: "exact_match" }, ["a", "b"], "b")["exact_match"], 1)
    assert.strictEqual(figures({ metric: "exact_match" }, ["None"], null)["exact_match"], 0)
  })
  it("of words, lists, codes and JSON", () => {
    assert.deepStrictEqual(figures({ metric: "f1" }, ["the red spot"], "A red eye."), { f1: 0.5 })
    assert.deepStrictEqual(figures({ metric: "set_f1", separator: ";" }, ["Cancer; flu"], "cancer;  CANCER ; pox; x"), {
      set_precision: 1 / 3,
      set_recall: 0.5,
      set_f1: 0.4
    })
    const codes = new Set(["E11.9", "E119", "J45"])
    assert.deepStrictEqual(figures({ metric: "code_f1", codes: "f" }, ["E11.9, I10"], "E119 and I10.1, U07", codes), {
      code_f1: 0.5,
      code_f1_prefix: 1,
      code_valid: 0.5
    })
    assert.strictEqual(figures({ metric: "code_f1", codes: "f" }, ["I10"], "none", codes)["code_valid"], null)
    const schema = {
      type: "object",
      required: ["a"],
      properties: { a: { enum: ["x", "y"] } },
      additionalProperties: false
    }
    const json = (text: string) => Object.values(figures({ metric: "json_valid", schema }, [""], text))
    assert.deepStrictEqual(["{\"a\":\"x\"}", "{\"a\":\"z\"}", "{\"a\":\"x\",\"b\":1}", "{}", "{"].map(json), [
      [1, 1],
      [1, 0],
      [1, 0],
      [1, 0],
      [0, 0]
    ])
  })
  it("of likelihoods take the greatest, by characters and bytes too", () => {
    const { specs } = metricsOf("multiple_choice", [{ metric: "acc" }, { metric: "acc_norm" }, { metric: "acc_bytes" }])
    /** -2 for one character of two bytes, -3 for two of one. */
    const own = { likelihoods: [-2, -3], choices: ["é", "no"], gold: [1] }
    assert.deepStrictEqual(specs.map((spec) => Object.values(spec.ofChoices!(own))[0]), [0, 1, 0])
  })
  it("of labels are scikit-learn's macro average", () => {
    const pairs = [["a", "a"], ["a", "b"], ["b", "b"], ["c", "a"]].map(([gold, given]) => ({
      gold: gold!,
      given: given!
    }))
    /** F1 of a: 2·1/(2+2), of b: 2·1/(1+2), of c: 0. */
    assert.closeTo(macroF1(pairs), (0.5 + 2 / 3 + 0) / 3, 1e-12)
  })
})

describe("Python's literals", () => {
  it("are read as they are written", () => {
    for (const text of ["it's", "\"both' \\", "a\nb\t\r\x07é\u00a0", ""]) {
      assert.strictEqual(literalOf(quoted(text)), text)
    }
    assert.deepStrictEqual(literalOf("['a', \"b'\", 1, -2.5, True, None, ['c',]]"), ["a", "b'", 1, -2.5, true, null, [
      "c"
    ]])
    for (const wrong of ["[", "['a' 'b']", "a", "['a']]", ""]) assert.isUndefined(literalOf(wrong))
  })
})
