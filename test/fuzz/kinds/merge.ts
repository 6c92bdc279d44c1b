/** Merge configs as mergekit writes them: refused by name, or with the parameters that each tensor of each model has. */
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { join } from "node:path"
import { readObject } from "../../../src/runtime/files/settings.ts"
import { decode, type MergeConfig, type Source } from "../../../src/runtime/models/merging/config.ts"
import { meaningOf } from "../../../src/runtime/models/merging/meaning.ts"
import { resolve, type Settings } from "../../../src/runtime/models/merging/parameters.ts"
import { after, type Damage, damages } from "../edits/damage.ts"
import { of, textOf } from "../edits/json.ts"
import { type Edit, edited, edits } from "../edits/mutations.ts"
import { attempt, expectSame, Fault, fill, kind, refused } from "../kind.ts"
import { strictly } from "../readings/json.ts"
import { mergeOf, probes } from "../readings/merge.ts"

const bases = [
  {
    merge_method: "ties",
    base_model: "base",
    models: [
      { model: "a", parameters: { weight: [0.2, 0.8], density: [{ filter: "mlp", value: 0.3 }, { value: [1, 0.5] }] } },
      { model: "b+adapter", parameters: { weight: { value: 1 } } }
    ],
    parameters: { normalize: "yes", int8_mask: true, lambda: 0.5, density: 0.9 },
    dtype: "float32",
    out_dtype: "torch.bfloat16",
    tokenizer_source: "union"
  },
  {
    merge_method: "slerp",
    base_model: "a",
    slices: [
      { sources: [{ model: "a", layer_range: [0, 2] }, { model: "b", layer_range: [1, 3] }], parameters: { t: 0.3 } },
      {
        sources: [{ model: "b", layer_range: [0, 1] }, { model: "c", layer_range: [2, 3] }],
        base_model: "b",
        residual_weight: 1
      }
    ],
    parameters: { t: [{ filter: "self_attn", value: [0, 0.5, 1] }, { filter: "*", value: 0.5 }] }
  },
  {
    merge_method: "linear",
    models: [
      { model: "a", parameters: { weight: 1 } },
      { model: "b", parameters: { weight: 0.5, gamma: 1 } },
      { model: "c", parameters: { weight: "2" } }
    ],
    parameters: { normalize: true }
  }
].map(of)

interface Case {
  readonly base: number
  readonly edits: ReadonlyArray<Edit>
  readonly damages: ReadonlyArray<Damage>
}

/** Numbers without a sign of zero, and `undefined` as null. */
const plain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, own: unknown) => own === undefined ? null : own === 0 ? 0 : own))

/** What is read, for every probe. */
const found = (
  { base, dtype, method, models, name, outDtype, parameters, slices = [], tokenizerSource }: MergeConfig
) => {
  const values = (kinds: typeof method.own, ...from: ReadonlyArray<Settings>) =>
    probes.map(([tensor, t]) => resolve(kinds, from, tensor, t).values)
  const sources = (all: ReadonlyArray<Source>, ...shared: ReadonlyArray<Settings>) =>
    all.map((own) => ({ model: own.model, range: own.range, values: values(method.own, own.parameters, ...shared) }))
  return plain({
    name,
    base,
    tokenizer: tokenizerSource,
    dtype,
    outDtype,
    models: sources(models, parameters),
    slices: slices.map((slice) => ({
      base: slice.base,
      shared: values(method.shared, slice.parameters, parameters),
      sources: sources(slice.sources, slice.parameters, parameters)
    })),
    shared: values(method.shared, parameters)
  })
}

/** Why YAML may refuse what JSON has. */
const ofYaml =
  /not YAML|nested too deeply|no file of settings|is octal|several documents|a tab is|is not UTF-8|given twice/

export default kind<Case>({
  cases: fc.nat(bases.length - 1).chain((base) =>
    fc.oneof(
      { weight: 5, arbitrary: edits(bases[base]!).map((edits): Case => ({ base, edits, damages: [] })) },
      { weight: 1, arbitrary: damages.map((damages): Case => ({ base, edits: [], damages })) }
    )
  ),
  judge: async ({ base, damages, edits }, folder) => {
    const text = textOf(edited(bases[base]!, edits))
    const bytes = after(new TextEncoder().encode(text), damages)
    fill(folder, { "merge.yaml": bytes })
    const path = join(folder, "merge.yaml")
    const outcome = await attempt(Effect.flatMap(readObject(path), (json) => decode(path, json)))
    const json = strictly(bytes)
    const expected = json === undefined ? undefined : mergeOf(json.value)
    if (outcome._tag === "Refused") {
      if (expected !== undefined && !ofYaml.test(outcome.message)) throw new Fault(`refused: ${outcome.message}`)
      return refused(outcome, path)
    }
    if (expected === undefined) {
      /** YAML may be read where JSON is broken. */
      if (json === undefined) return "changed"
      throw new Fault("read, where the config is bad")
    }
    const { config, idle } = outcome.value
    expectSame(found(config), plain(expected.config), "config")
    expectSame(idle.length, expected.idle, "parameters without effect")
    if (meaningOf(config).includes("undefined")) throw new Fault(`no meaning: ${meaningOf(config)}`)
    return text === textOf(bases[base]!) && damages.length === 0 ? "same" : "changed"
  }
})
