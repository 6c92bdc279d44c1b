/** Files of settings, JSON and YAML, and the pairs of `--set`. */
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { join } from "node:path"
import { load, pairs } from "../../../src/programs/settings.ts"
import { decode } from "../../../src/systems/all.ts"
import { presets, spec } from "../../../src/systems/jmlr/settings.ts"
import { after, type Damage, damages, type LineEdit, lineEdits, rewritten } from "../edits/damage.ts"
import { isObject, type Json, of, textOf } from "../edits/json.ts"
import { type Edit, edited, edits, strange, values } from "../edits/mutations.ts"
import { attempt, expectSame, Fault, fill, kind, type Outcome, refused } from "../kind.ts"
import { decoded, parsed, repeats } from "../readings/json.ts"
import { rules, scalarOf, settingOf, settled } from "../readings/settings.ts"

const given = {
  mode: "joint",
  seed: 7,
  output_dir: "run",
  passages_file: "passages.jsonl",
  train_file: "train.jsonl",
  train_where: { split: "train", year: 2020 },
  holdout: 0.25,
  skip_bad_lines: false,
  retriever_name_or_path: "retriever",
  reader_name_or_path: "reader",
  per_device_train_batch_size: 2,
  num_train_epochs: 1.5,
  max_steps: 10,
  lr: 1e-3,
  lr_scheduler_type: "cosine",
  adam_beta1: 0.9,
  lora_r: 4,
  "lora-target-modules": ["q_proj", "v_proj"],
  refresh_index: "never",
  question_prompt: "Q: {question}",
  temperature: null,
  stop_strings: ["\n"],
  n_candidates: 9
}
const base = of(given)
const usual = { ...spec.defaults, ...presets.paper }

/** A key a line, each with its value in YAML's flow style, which is JSON. */
const yaml = (json: Json): string =>
  isObject(json) ? json.entries.map(([key, value]) => `${key}: ${textOf(value)}\n`).join("") : textOf(json)
const lines = yaml(base)

type Case =
  | { readonly edits: ReadonlyArray<Edit>; readonly file: "run.json" | "run.yaml" }
  | { readonly damages: ReadonlyArray<Damage>; readonly file: "run.json" | "run.yaml" }
  | { readonly lines: ReadonlyArray<LineEdit> }
  | { readonly key: string; readonly text: string }

const snippets = [
  "seed: 08",
  "seed: 0x10",
  "lr: 1_000",
  "seed: yes",
  "a: *b",
  "<<: {seed: 3}",
  "--- ",
  "\tseed: 3",
  "? x",
  "seed: !!str 3",
  "mode: !!js/function 'x'"
]
const bombs = ["a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b, *b]", `q: ${"[".repeat(2000)}`]

const texts = fc.oneof(
  values.map(({ text }) => text),
  fc.constantFrom(...strange),
  fc.constantFrom(
    "~",
    "0x1F",
    "0o17",
    ".5",
    "+3",
    "1.",
    ".inf",
    ".nan",
    "TRUE",
    "yes",
    "010",
    "1_0",
    "[a, b]",
    "{a: 1}",
    "*x",
    "&x 1",
    "'a'",
    "\"5\"",
    "5 # five",
    "|",
    "- a"
  )
)

const record = { noNullPrototype: true } as const
const files = fc.constantFrom("run.json" as const, "run.yaml" as const)

/** The settings that a text of JSON gives: over the defaults, exactly those; `undefined` where it is to be refused. */
const own = (text: string) => {
  const json = parsed(text)
  const found = json && !repeats(text) ? settled(json.value) : undefined
  const preset = found?.["preset"] === "release" ? presets.release : presets.paper
  return found && { ...spec.defaults, ...preset, ...found }
}

/** A refusal of what each key may be: then it has to be the values that are wrong, not how they go together. */
const judgeRefusal = (outcome: Outcome<unknown> & { readonly _tag: "Refused" }, expected: unknown, name: string) => {
  const isOfTypes = /must be|unknown key|given twice|not JSON|not YAML|is missing/.test(outcome.message)
  const needed = expected === undefined ||
    ["output_dir", "passages_file", "retriever_name_or_path", "reader_name_or_path"]
      .some((key) => ((expected as Readonly<Record<string, unknown>>)[key] ?? "") === "")
  if (!needed && isOfTypes) throw new Fault(`refused: ${outcome.message}`)
  return refused(outcome, name)
}

const judgePair = async (key: string, text: string) => {
  const outcome = await attempt(Effect.flatMap(pairs([`${key}=${text}`]), (set) => decode("run.yaml", given, set)))
  const name = settingOf(key.trim())
  const [json, scalar] = [parsed(text), scalarOf(text)]
  /** In the order in which they count. */
  const readings = [scalar, json].flatMap((own) => own && typeof own.value !== "string" ? [own.value] : [])
  const plain = json && typeof json.value === "string" && /^\s*"/.test(text) ? json.value : text
  if (outcome._tag === "Refused") return refused(outcome, "")
  if (name === undefined) throw new Fault(`there is no ${key}`)
  const config = outcome.value as Readonly<Record<string, unknown>>
  const fitting = [...readings, plain].filter((value) => rules[name]!(value))
  const wanted = fitting.length > 0 ? fitting[0] : "nothing that it may be"
  /** Of YAML's other ways to write a value it is only known that one of them is meant. */
  const loose = /^\s*(['"[{&!]|- )|: /.test(text) && rules[name]!(config[name])
  if (!loose || json !== undefined) expectSame(config[name], wanted, name)
  const { lr, "lora-target-modules": modules, ...others } = given
  expectSame(
    config,
    { ...usual, ...others, learning_rate: lr, lora_target_modules: modules, [name]: config[name] },
    "settings"
  )
  return "changed"
}

export default kind<Case>({
  cases: fc.oneof(
    { weight: 4, arbitrary: fc.record({ edits: edits(base), file: files }, record) },
    { weight: 2, arbitrary: fc.record({ damages, file: files }, record) },
    { weight: 1, arbitrary: lineEdits(23, [...snippets, ...bombs]).map((lines): Case => ({ lines })) },
    {
      weight: 3,
      arbitrary: fc.record({ key: fc.constantFrom(...Object.keys(given), ...strange, "lrr"), text: texts }, record)
    }
  ),
  judge: async (c, folder) => {
    if ("key" in c) return judgePair(c.key, c.text)
    const file = "file" in c ? c.file : "run.yaml"
    const write = file === "run.json" ? textOf : yaml
    const plain = new TextEncoder().encode(
      "lines" in c ? rewritten(lines, c.lines) : write(edited(base, "edits" in c ? c.edits : []))
    )
    const bytes = "damages" in c ? after(plain, c.damages) : plain
    fill(folder, { [file]: bytes })
    const path = join(folder, file)
    const outcome = await attempt(load(path, {}))
    const text = file === "run.json" ? decoded(bytes) : "edits" in c ? textOf(edited(base, c.edits)) : undefined
    const expected = text === undefined ? undefined : own(text)
    if (outcome._tag === "Refused") return judgeRefusal(outcome, expected, path)
    const config = outcome.value as Readonly<Record<string, unknown>>
    const wrong = Object.keys(rules).find((key) => !rules[key]!(config[key]))
    if (wrong !== undefined) throw new Fault(`${wrong} is ${JSON.stringify(config[wrong])}`)
    if (text === undefined && file === "run.yaml") return "changed"
    if (expected === undefined) throw new Fault("read, where the settings are bad")
    expectSame(config, expected, "settings")
    return text === textOf(base) ? "same" : "changed"
  }
})
