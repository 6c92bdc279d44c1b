/** Adapters in a run: what they move, what a checkpoint has of them, and what is refused. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { cpSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { text } from "../../../src/domain/Content.ts"
import { readerOf } from "../../../src/domain/settings/models.ts"
import type { Raw } from "../../../src/domain/settings/RunConfig.ts"
import { causalLm } from "../../../src/kernels/nn/decoder.ts"
import { cpu } from "../../../src/runtime/engine/providers.ts"
import * as Disk from "../../../src/runtime/files/checkpoints.ts"
import { decodeDecoder } from "../../../src/runtime/files/config/decoder.ts"
import * as Peft from "../../../src/runtime/files/peft.ts"
import * as Safetensors from "../../../src/runtime/files/safetensors/write.ts"
import * as languageModel from "../../../src/runtime/language/languageModel.ts"
import { save } from "../../../src/runtime/models/export/folder.ts"
import * as ModelFolder from "../../../src/runtime/models/folder.ts"
import * as Model from "../../../src/runtime/models/load.ts"
import { loraOf } from "../../../src/runtime/models/lora.ts"
import { describe as describeGroups } from "../../../src/runtime/models/training.ts"
import { Checkpoints } from "../../../src/runtime/ports/Checkpoints.ts"
import { LanguageModelLearner } from "../../../src/runtime/ports/LanguageModel.ts"
import { labelOf } from "../../../src/runtime/ports/Learning.ts"
import { RetrieverLearner } from "../../../src/runtime/ports/Retriever.ts"
import { joint, ofReader } from "../../../src/systems/jmlr/layers.ts"
import { presets } from "../../../src/systems/jmlr/settings.ts"
import { onDisk } from "../../support/files.ts"
import * as Memory from "../../support/memory.ts"
import * as Reading from "../../support/reading.ts"
import * as Tiny from "../../support/tiny.ts"

const asked = Reading.judged.questions
const retrieverLesson = {
  queries: asked.map((question) => [text(question)]),
  docs: Int32Array.from(asked.flatMap((_, q) => [q, q + 1, q + 2])),
  objective: { _tag: "Listwise", target: Float32Array.from(asked.flatMap(() => [1, 0, 0])) }
} as const
const readerLesson = Reading.lessonOf(Reading.judged)

const adapters: Raw = {
  lora_r: 3,
  lora_alpha: 6,
  lora_target_modules: ["q_proj", "v_proj", "lm_head"],
  modules_to_save: ["embed_tokens", "norm"],
  retriever_lora_r: 2,
  retriever_modules_to_save: ["word_embeddings"],
  temperature_score: 1
}

/** Model folders with weights. */
const trainedFolder = Tiny.weighted

/** Both learners in turn, `rounds` times. */
const teach = (rounds: number) =>
  Effect.gen(function*() {
    for (let i = 0; i < rounds; i++) {
      yield* (yield* RetrieverLearner).learn(retrieverLesson)
      yield* (yield* LanguageModelLearner).learn(readerLesson)
    }
  })

/** A joint run's learners with checkpoints on the disk. */
const running = Effect.fnUntraced(function*(folder: string, overrides: Raw = {}) {
  const config = yield* Tiny.settings(folder, { ...adapters, ...overrides })
  return joint(config).pipe(Layer.provideMerge(Disk.layer(config)), Layer.provideMerge(Tiny.surroundings))
})

/** A checkpoint of a few rounds in both models, and the likelihoods of the reader that was saved. */
const checkpoint = Effect.fnUntraced(function*(folder: string, overrides: Raw = {}) {
  return yield* Effect.gen(function*() {
    yield* teach(3)
    const nll = yield* Reading.nll(Reading.judged)
    return { nll, path: yield* (yield* Checkpoints).save({ step: 3, run: {} }) }
  }).pipe(Effect.provide(yield* running(folder, overrides), { local: true }))
})

/** The likelihoods by a reader of the given folder that only reads. */
const reads = Effect.fnUntraced(function*(folder: string, name: string) {
  const config = yield* Tiny.settings(folder, { reader_name_or_path: name })
  const layer = languageModel.readOnly(ofReader(config)).pipe(Layer.provide(Tiny.surroundings))
  return yield* Reading.nll(Reading.judged).pipe(Effect.provide(layer, { local: true }))
})

/** The reader's model of a folder under the settings, as a learner has it. */
const loaded = Effect.fnUntraced(function*(folder: string, overrides: Raw) {
  const config = yield* Tiny.settings(folder, overrides)
  const opened = yield* ModelFolder.open(join(folder, "reader"), decodeDecoder)
  const options = {
    seed: 1,
    lora: loraOf(readerOf(config)),
    learns: () => true,
    slots: ["exp_avg"],
    task: "CAUSAL_LM"
  } as const
  return yield* Model.load(opened, causalLm, options).pipe(Effect.provide(Tiny.core))
})

describe("training with adapters", () => {
  it.live("moves them and what is saved beside them, and nothing else of either model", () =>
    onDisk(Effect.gen(function*() {
      const config = yield* Tiny.settings(yield* trainedFolder, adapters)
      const memory = Memory.checkpoints()
      const layer = joint(config).pipe(Layer.provide(Layer.merge(memory.layer, Tiny.surroundings)))
      yield* Effect.gen(function*() {
        const before = [memory.hashes("retriever"), memory.hashes("reader")] as const
        const groups = [...(yield* RetrieverLearner).groups, ...(yield* LanguageModelLearner).groups]
        const norms = new Map([
          ...yield* (yield* RetrieverLearner).gate(retrieverLesson),
          ...yield* (yield* LanguageModelLearner).gate(readerLesson)
        ])
        assert.sameMembers([...norms.keys()], groups.filter((g) => g.trainable).map(labelOf))
        assert.sameMembers(groups.map((g) => `${labelOf(g)}${g.trainable ? ": learns" : ""}`), [
          "retriever bert.embeddings: learns",
          "retriever bert.embeddings (frozen)",
          "retriever bert.encoder (lora): learns",
          "retriever bert.encoder (frozen)",
          "retriever linear (lora): learns",
          "retriever linear (frozen)",
          "reader model.embed_tokens: learns",
          "reader model.layers: learns",
          "reader model.layers (lora): learns",
          "reader model.layers (frozen)",
          "reader model.norm: learns",
          "reader lm_head (lora): learns",
          "reader lm_head (frozen)"
        ])
        yield* teach(2)
        for (const [i, part] of (["retriever", "reader"] as const).entries()) {
          const after = memory.hashes(part)
          assert.deepStrictEqual(Memory.moved(before[i]!, after), [...after.keys()])
        }
        const names = [...memory.hashes("reader").keys()]
        assert.sameMembers(names.map((name) => name.replace("base_model.model.", "")), [
          "model.embed_tokens.weight",
          "model.norm.weight",
          ...["input_layernorm", "post_attention_layernorm"].map((norm) => `model.layers.0.${norm}.weight`),
          ...["model.layers.0.self_attn.q_proj", "model.layers.0.self_attn.v_proj", "lm_head"].flatMap((path) =>
            ["A", "B"].map((matrix) => `${path}.lora_${matrix}.weight`)
          )
        ])
      }).pipe(Effect.provide(layer))
    })))

  it.live("holds frozen weights once, as they were read, and slots for what learns alone", () =>
    onDisk(Effect.gen(function*() {
      const { weights } = yield* loaded(yield* trainedFolder, { lora_r: 2 })
      const before = weights.feeds()
      weights.commit()
      const [after, parameters] = [weights.feeds(), weights.parameters()]
      for (const path of weights.params.keys()) {
        const learns = weights.trainable.includes(path)
        assert.strictEqual(before[`param/${path}`] !== after[`param/${path}`], learns, path)
        assert.strictEqual(parameters.get(path) !== after[`param/${path}`], learns, path)
      }
      assert.strictEqual(parameters.get("lm_head.weight"), parameters.get("model.embed_tokens.weight"))
      const slots = Object.keys(after).filter((name) => name.startsWith("slot/"))
      assert.deepStrictEqual(slots, weights.trainable.map((path) => `slot/exp_avg/${path}`))
      const { groups } = describeGroups("reader", weights, 1e-3)
      const distinct = [...new Set(parameters.values())].reduce((sum, { length }) => sum + length, 0)
      assert.strictEqual(groups.reduce((sum, group) => sum + group.parameters, 0), distinct)
      assert.notInclude(groups.map(({ name }) => name), "reader lm_head (frozen)")
    })))
})

describe("a checkpoint of adapters", () => {
  it.live("has them alone, and is read again as the model that was saved", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* trainedFolder
      const { nll, path } = yield* checkpoint(folder)
      for (const part of ["retriever", "reader"]) {
        assert.sameMembers(readdirSync(join(path, part)), [
          "adapter_config.json",
          "adapter_model.safetensors",
          "state.safetensors",
          "tokenizer.json",
          ...(part === "retriever" ? ["artifact.metadata"] : [])
        ])
        const names = yield* Safetensors.read(join(path, part, "state.safetensors"))
        assert.isTrue([...names.keys()].every((name) => /lora|embed|norm/i.test(name)))
      }
      const again = yield* reads(folder, join(path, "reader"))
      nll.forEach((x, i) => assert.closeTo(again[i]!, x, 1e-5))
      const before = yield* reads(folder, join(folder, "reader"))
      assert.isTrue(before.every((x, i) => Math.abs(nll[i]! - x) > 1e-3))
    })))

  it.live("is gone on with under the settings that made it", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* trainedFolder
      const { nll, path } = yield* checkpoint(folder)
      const own = { reader_name_or_path: join(path, "reader"), output_dir: join(folder, "next") }
      const layer = yield* running(folder, own)
      const again = yield* Reading.nll(Reading.judged).pipe(Effect.provide(layer, { local: true }))
      assert.deepStrictEqual(again, nll)
      const other = yield* Effect.flip(Effect.scoped(Layer.build(yield* running(folder, { ...own, lora_alpha: 7 }))))
      assert.match(other.message, /adapter_config.json: has other ranks, factors or modules than the settings/)
    })))

  it.live("trained in full has the adapter folded in", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* trainedFolder
      const { nll, path } = yield* checkpoint(folder)
      const own = { reader_name_or_path: join(path, "reader"), output_dir: join(folder, "next"), lora_r: 0 }
      const again = yield* Reading.nll(Reading.judged).pipe(
        Effect.provide(yield* running(folder, own), { local: true })
      )
      nll.forEach((x, i) => assert.closeTo(again[i]!, x, 1e-5))
    })))

  it.live("is refused over other weights than those it was trained on", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* trainedFolder
      const { path } = yield* checkpoint(folder)
      const file = join(folder, "reader", "model.safetensors")
      const bytes = readFileSync(file)
      bytes[bytes.length - 3]! ^= 1
      writeFileSync(file, bytes)
      const read = yield* Effect.flip(reads(folder, join(path, "reader")))
      assert.match(read.message, /adapter_model.safetensors: was trained on other weights than .*reader now holds/)
      const restored = Effect.flatMap(Checkpoints, (c) => c.restore({})).pipe(
        Effect.provide(yield* running(folder), { local: true })
      )
      assert.match((yield* Effect.flip(restored)).message, /adapter rests on are not those of the settings/)
    })))
})

const edit = (adapter: string, changes: object): void => {
  const path = join(adapter, "adapter_config.json")
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")) as object, ...changes }))
}

/** What is done to an adapter's folder, and what is then said of it. */
const damages: Readonly<Record<string, readonly [(adapter: string, folder: string) => void, RegExp]>> = {
  "of another method": [
    (adapter) => edit(adapter, { use_dora: true, target_parameters: ["w"] }),
    /adapter_config.json: use_dora true, target_parameters \["w"\]: only plain LoRA is known here; merge the adapter/
  ],
  "of another kind": [
    (adapter) => edit(adapter, { peft_type: "IA3" }),
    /adapter_config.json: peft_type "IA3": only plain LoRA/
  ],
  "with a pattern that is none": [
    (adapter) => edit(adapter, { alpha_pattern: { "(": 2 } }),
    /adapter_config.json: alpha_pattern: "\(" is no pattern: unterminated group/
  ],
  "with a pattern of ranks that is none": [
    (adapter) => edit(adapter, { rank_pattern: { "[": 2 } }),
    /adapter_config.json: rank_pattern: "\[" is no pattern: a bracket \[ that is not closed/
  ],
  "with another rank than its matrices": [
    (adapter) => edit(adapter, { rank_pattern: { v_proj: 7 } }),
    /v_proj has rank 3, not 7 as r and rank_pattern say/
  ],
  "with a pattern that never ends": [
    (adapter) => edit(adapter, { alpha_pattern: { "([a-z._0-9]+)+X": 2 } }),
    /adapter_config.json: to match target_modules, alpha_pattern and rank_pattern takes more than 1 s/
  ],
  "that is a number": [
    (adapter) => writeFileSync(join(adapter, "adapter_config.json"), "5"),
    /adapter_config.json: is 5, not an object/
  ],
  "with values of other kinds": [
    (adapter) => edit(adapter, { r: "4", lora_alpha: -1, alpha_pattern: { q: "x" } }),
    /adapter_config.json: r: [^\n;]*; lora_alpha: [^\n;]*; alpha_pattern\.q: [^\n;]*$/
  ],
  "with long values that nobody knows": [
    (adapter) => edit(adapter, { [`use_${"y".repeat(500)}`]: "x".repeat(10_000_000) }),
    /^.{0,100}adapter_config.json: use_y{75}… "x{78}…: only plain LoRA/
  ],
  "whose keys a prototype has": [
    (adapter) => edit(adapter, { constructor: 1, toString: "x" }),
    /adapter_config.json: constructor 1, toString "x": only plain LoRA/
  ],
  "whose beginning changed the base": [
    (adapter) => edit(adapter, { init_lora_weights: "pissa" }),
    /adapter_config.json: init_lora_weights "pissa": only plain LoRA/
  ],
  "without its base": [
    (adapter) => edit(adapter, { base_model_name_or_path: "gone" }),
    /adapter_config.json, base_model_name_or_path: there is no model folder "gone"; write there where it is/
  ],
  "on an adapter": [
    (adapter, folder) => {
      cpSync(adapter, join(folder, "copy"), { recursive: true })
      edit(adapter, { base_model_name_or_path: join(folder, "copy") })
    },
    /base_model_name_or_path: .*copy is an adapter itself; merge it first/
  ],
  "with a tensor too few and one too many": [
    (adapter) => {
      const path = join(adapter, "adapter_model.safetensors")
      const bytes = readFileSync(path, "latin1")
      writeFileSync(path, bytes.replace("self_attn.v_proj.lora_B", "self_attn.x_proj.lora_B"), "latin1")
    },
    /v_proj.lora_B.weight \[8,3\] is missing; .*x_proj.lora_B.weight \[8,3\] is unknown to this architecture/
  ],
  "without its file": [
    (adapter) => renameSync(join(adapter, "adapter_model.safetensors"), join(adapter, "gone")),
    /adapter_model.safetensors: there is no such file/
  ]
}

describe("an adapter's folder", () => {
  for (const [what, [damage, said]] of Object.entries(damages)) {
    it.live(`${what} is refused`, () =>
      onDisk(Effect.gen(function*() {
        const folder = yield* trainedFolder
        const adapter = join((yield* checkpoint(folder)).path, "reader")
        damage(adapter, folder)
        assert.match((yield* Effect.flip(reads(folder, adapter))).message, said)
      })))
  }
  it.live("names its base from where it lies, too", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* trainedFolder
      const { nll, path } = yield* checkpoint(folder)
      const adapter = join(folder, "adapter")
      cpSync(join(path, "reader"), adapter, { recursive: true })
      edit(adapter, { base_model_name_or_path: "../reader" })
      const again = yield* reads(folder, adapter)
      nll.forEach((x, i) => assert.closeTo(again[i]!, x, 1e-5))
    })))
})

describe("an adapter on a model without a head", () => {
  it.live("has the head that was drawn, and so has what it is merged into", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* trainedFolder
      const bare = join(folder, "retriever")
      const config = JSON.parse(readFileSync(join(bare, "config.json"), "utf8")) as object
      writeFileSync(join(bare, "config.json"), JSON.stringify({ ...config, dim: undefined }))
      const stored = new Map(yield* Safetensors.read(join(bare, "model.safetensors")))
      const head = stored.get("linear.weight")!
      stored.delete("linear.weight")
      writeFileSync(join(bare, "model.safetensors"), Safetensors.encode(stored))
      const { path } = yield* checkpoint(folder, { dim: 8 })
      const adapter = yield* Peft.read(join(path, "retriever"))
      assert.deepStrictEqual(adapter.config.modules_to_save, ["word_embeddings", "linear"])
      const own = adapter.tensors.get("linear.weight")!
      assert.deepStrictEqual(own.shape, head.shape)
      const out = join(folder, "merged")
      const options = { dtype: "auto", maxShardSize: 1e9, card: "" } as const
      yield* save(join(path, "retriever"), out, options).pipe(Effect.provide(cpu({ threads: 1 })))
      const merged = yield* Safetensors.read(join(out, "model.safetensors"))
      assert.deepStrictEqual(merged.get("linear.weight"), own)
      assert.sameMembers([...merged.keys()], [...stored.keys(), "linear.weight"])
      assert.include(readFileSync(join(out, "artifact.metadata"), "utf8"), "\"dim\": 8")
    })))
})

/** Settings that a model cannot have. */
const impossible: ReadonlyArray<readonly [Raw, RegExp]> = [
  [{ lora_target_modules: ["q_prj"] }, /lora_target_modules: no module is called "q_prj", did you mean "q_proj"\?/],
  [{ lora_target_modules: "([a-z._0-9]+)+X" }, /lora_target_modules: the pattern takes more than 1 s/],
  [{ lora_target_modules: ".*attn" }, /lora_target_modules: no module is called ".*attn" \(there are embed_tokens, /],
  [{ modules_to_save: ["embedding"] }, /modules_to_save: no module is called "embedding"/],
  [{ modules_to_save: ["q_proj"] }, /self_attn.q_proj is both in lora_target_modules and in modules_to_save/]
]

describe("settings of adapters", () => {
  for (const [overrides, said] of impossible) {
    it.live(`${JSON.stringify(overrides)} are refused`, () =>
      onDisk(Effect.gen(function*() {
        const error = yield* Effect.flip(
          loaded(yield* trainedFolder, { lora_r: 2, lora_target_modules: ["q_proj"], ...overrides })
        )
        assert.strictEqual(error._tag, "FileError")
        assert.match(error.message, said)
      })))
  }
  it.live("are refused for a model without weights", () =>
    onDisk(Effect.gen(function*() {
      const error = yield* Effect.flip(loaded(yield* Tiny.folder, { lora_r: 2 }))
      assert.match(error.message, /reader: has no weights for an adapter to rest on; train them first \(lora_r 0\)/)
    })))
  const targets: ReadonlyArray<readonly [Raw["lora_target_modules"], Array<string>]> = [
    ["all-linear", ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]],
    [["embed_tokens", "lm_head"], ["embed_tokens", "lm_head"]],
    [["self_attn.q_proj"], ["q_proj"]],
    [".*\\.(up|down)_proj", ["up_proj", "down_proj"]]
  ]
  for (const [lora_target_modules, want] of targets) {
    it.live(`${JSON.stringify(lora_target_modules)} are ${want.join(", ")}`, () =>
      onDisk(Effect.gen(function*() {
        const { weights } = yield* loaded(yield* trainedFolder, { lora_r: 2, lora_target_modules })
        const found = new Set(weights.trainable.map((path) => /([a-z_]+)\.lora_/.exec(path)![1]!))
        assert.sameMembers([...found], want)
      })))
  }
  it("of the release are those of its code", () => {
    const { lora_alpha, lora_dropout, lora_r } = presets.release
    assert.deepStrictEqual([lora_r, lora_alpha, lora_dropout], [128, 256, 0.05])
  })
})
