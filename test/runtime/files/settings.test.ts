/** Files of settings and `--set`: what they hold, and what is refused or told. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import { join } from "node:path"
import type { Raw } from "../../../src/domain/settings/RunConfig.ts"
import { load, pairs } from "../../../src/programs/settings.ts"
import { readObject } from "../../../src/runtime/files/settings.ts"
import { folderOf, onDisk } from "../../support/files.ts"

/** What a file of that text holds. */
const reading = (text: string | Uint8Array, name = "run.yaml") =>
  Effect.flatMap(folderOf({ [name]: text }), (folder) => readObject(join(folder, name)))
const read = (text: string, name?: string): Promise<Raw> => Effect.runPromise(onDisk(reading(text, name)))
const refused = async (text: string, name?: string): Promise<string> => {
  const { message } = await Effect.runPromise(Effect.flip(onDisk(reading(text, name))))
  assert.notInclude(message, "\n")
  assert.isBelow(message.length, 400)
  return message.slice(message.lastIndexOf("/") + 1)
}

describe("a file of settings", () => {
  it("is JSON or YAML 1.2", async () => {
    assert.deepStrictEqual(await read("{\"a\": 1e-5, \"b\": [\"x\"]}", "run.json"), { a: 1e-5, b: ["x"] })
    const yaml = "a: 1e-5\nb: [x, 'y']\nc: yes\nd: ~\ne: 2020-01-01\nf: 0x10\ng: 1_000\nh: \" q\"\n"
    assert.deepStrictEqual(await read(yaml), {
      a: 1e-5,
      b: ["x", "y"],
      c: "yes",
      d: null,
      e: "2020-01-01",
      f: 16,
      g: "1_000",
      h: " q"
    })
    assert.deepStrictEqual(await read("\ufeffa: 1"), { a: 1 })
    assert.deepStrictEqual(await read("x: &x { p: 1 }\ny:\n  <<: *x\n  q: 2\n"), { x: { p: 1 }, y: { p: 1, q: 2 } })
  })
  it("keeps keys that every object has", async () => {
    const found = await Promise.all([
      read("__proto__: 1\nconstructor: 2"),
      read("{\"__proto__\": 1, \"constructor\": 2}", "run.json")
    ])
    for (const own of found) assert.deepStrictEqual(Object.entries(own), [["__proto__", 1], ["constructor", 2]])
  })
  for (
    const [text, why, name] of [
      ["a: 1\nb: 2\na: 3", "run.yaml, line 3: \"a\" is given twice"],
      ["a: 1\nb: { c: 1, c: 2 }", "run.yaml, line 2: \"c\" is given twice"],
      ["{\n\"a\": 1,\n\"a\": 2}", "run.json, line 3: \"a\" is given twice", "run.json"],
      [
        "a: 012",
        "run.yaml, line 1: 012 is octal to some readers and decimal to others; write it without leading zeros"
      ],
      ["a:\n\t- b", "run.yaml, line 2: a tab is no indentation in YAML; use spaces"],
      ["a: 1\n---\nb: 2", "run.yaml, line 2: there are several documents; one is wanted"],
      ["a: !!foo 1", "run.yaml, line 1: not YAML: Unresolved tag: tag:yaml.org,2002:foo"],
      [
        "a: [1, 2",
        "run.yaml, line 1: not YAML: Flow sequence in block collection must be sufficiently indented and end with a ]"
      ],
      ["? [a]\n: 1", "run.yaml, line 1: a key has to be a string"],
      ["- a\n- b", "run.yaml: holds a list: settings are lines of \"key: value\""],
      ["just text", "run.yaml: holds one value: settings are lines of \"key: value\""],
      ["", "run.yaml: is empty: settings are lines of \"key: value\""],
      ["# nothing", "run.yaml: is empty: settings are lines of \"key: value\""],
      ["null", "run.json: is empty: settings are lines of \"key: value\"", "run.json"]
    ] as const
  ) {
    it(`is not ${JSON.stringify(text)}`, async () => assert.strictEqual(await refused(text, name), why))
  }
  it("is not broken JSON", async () => assert.match(await refused("{\"a\": 1,}", "run.json"), /^run\.json: not JSON: /))
  it("is neither large, nor deep, nor a bomb, whatever its form", async () => {
    const began = performance.now()
    assert.strictEqual(
      await refused(`${"k".repeat(2 ** 20)}: 1`),
      "run.yaml: is larger than 1 MiB: no file of settings"
    )
    assert.match(await refused(`a: ${"[".repeat(20_000)}`), /^run\.yaml, line 1: (not YAML: |is nested too deeply)/)
    assert.match(await refused(`a: ${"[".repeat(100_000)}${"]".repeat(100_000)}`), /^run\.yaml/)
    assert.match(
      await refused(`[${"[".repeat(100_000)}${"]".repeat(100_000)}]`, "a.json"),
      /^a\.json: (is nested too deeply|holds a list)/
    )
    const bomb = Array.from(
      { length: 9 },
      (_, i) => `k${i}: &a${i} [${Array(9).fill(i === 0 ? "x" : `*a${i - 1}`).join()}]`
    )
    assert.match(await refused(bomb.join("\n")), /^run\.yaml: has too many aliases/)
    assert.match(await refused("? ".repeat(5000)), /^run\.yaml, line 1: /)
    assert.strictEqual(
      Object.keys(await read(Array.from({ length: 20_000 }, (_, i) => `k${i}: 1`).join("\n"))).length,
      20_000
    )
    assert.isBelow(performance.now() - began, 20_000)
  })
})

/** What is told beside. */
const telling = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const told: Array<string> = []
    const logger = Logger.layer([Logger.make(({ message }) => void told.push([message].flat().map(String).join(" ")))])
    return effect.pipe(
      Effect.provide(logger),
      Effect.provideService(References.MinimumLogLevel, "All"),
      Effect.map((value) => ({ value, told }))
    )
  })

const overrides = (...given: ReadonlyArray<string>): Raw => Effect.runSync(telling(pairs(given))).value

describe("--set", () => {
  it("reads a value as the setting takes it", () => {
    assert.deepStrictEqual(
      overrides("learning_rate=3e-5", "lr_retriever=.001", "skip-bad-lines=true", "top_k=null", "seed=7"),
      {
        learning_rate: 3e-5,
        lr_retriever: 0.001,
        skip_bad_lines: true,
        top_k: null,
        seed: 7
      }
    )
    assert.deepStrictEqual(overrides("lora_target_modules=[q_proj, v_proj]", "modules_to_save=[\"norm\"]"), {
      lora_target_modules: ["q_proj", "v_proj"],
      modules_to_save: ["norm"]
    })
    assert.deepStrictEqual(
      overrides("lora_target_modules=.*\\.(q|v)_proj", "test_where={\"split\":\"test\",\"year\":2020}"),
      {
        lora_target_modules: ".*\\.(q|v)_proj",
        test_where: { split: "test", year: 2020 }
      }
    )
    assert.deepStrictEqual(overrides("stop_strings=###", "seed=012", "top_k=1 # few"), {
      stop_strings: "###",
      seed: "012",
      top_k: "1 # few"
    })
    assert.deepStrictEqual(overrides("refresh_index=25", "refresh_index=0-10:2"), { refresh_index: "0-10:2" })
  })
  it("leaves strings as they stand", () => {
    const strings = [" 4", "4", "true", "null", "", "a: b # c", "[x]", " = ", "{text}", "it's", "'tis"]
    for (const text of strings) {
      assert.deepStrictEqual(overrides(`generation_prompt=${text}`), { generation_prompt: text })
    }
    assert.deepStrictEqual(overrides("generation_prompt=\" \\n\"", "test_file="), {
      generation_prompt: " \n",
      test_file: ""
    })
  })
  it("tells which are given more than once", () => {
    const { told, value } = Effect.runSync(telling(pairs(["lr=1", "seed=2", "learning-rate=3"])))
    assert.deepStrictEqual(value, { learning_rate: 3, seed: 2 })
    assert.deepStrictEqual(told, ["--set: given more than once, the last counts: \"learning_rate\""])
  })
  it("is key=value", () => {
    const { message } = Effect.runSync(Effect.flip(pairs(["seed", "=3", "x".repeat(1e6)])))
    assert.match(message, /^--set:\n {2}"seed" is not key=value\n {2}"=3" is not key=value\n {2}"x{50,}/)
    assert.isBelow(message.length, 300)
  })
})

describe("loading", () => {
  const yaml = "output_dir: run\npassages_file: p\nretriever_name_or_path: a\nreader_name_or_path: b\n"
  const loading = (text: string, given: Raw = {}, name = "run.yaml") =>
    telling(Effect.flatMap(folderOf({ [name]: text }), (folder) => load(join(folder, name), given)))
  const told = async (text: string, given?: Raw, name?: string) =>
    (await Effect.runPromise(onDisk(loading(text, given, name)))).told.map((line) =>
      line.slice(line.lastIndexOf("/") + 1)
    )
  it("tells in a line what has no effect", async () => {
    assert.deepStrictEqual(await told(yaml), [])
    assert.deepStrictEqual(await told(`${yaml}rationale_max_new_tokens: 4\n`, { temperature_gold: 1 }), [
      "run.yaml: without effect: rationale_max_new_tokens (only with rationale_prompt), "
      + "temperature_gold (only with a gold_score_mode other than llm_rank and emdr2)"
    ])
  })
  it("tells nothing of what a run wrote itself, but of what is set", async () => {
    const settings = JSON.stringify({ ...(await Effect.runPromise(onDisk(loading(yaml)))).value, temperature_gold: 1 })
    assert.deepStrictEqual(await told(settings, {}, "settings.json"), [])
    assert.lengthOf(await told(settings, { holdout: 0.1, test_file: "t" }, "settings.json"), 1)
  })
  it("says what else a file may be", async () => {
    const why = async (text: string, name?: string) =>
      (await Effect.runPromise(Effect.flip(onDisk(loading(text, {}, name))))).message
    assert.match(await why("seeds: [1]\nsettings: {}\narms: {}"), /is the plan of an experiment/)
    assert.match(await why("{\"model_type\": \"llama\", \"vocab_size\": 5}", "config.json"), /is the config of a model/)
    const newer = await why(JSON.stringify({ output_dir: "x", brand_new: 1 }), "settings.json")
    assert.match(newer, /unknown key "brand_new"[^]*newer version/)
  })
})
