/** A tower that is trained with its reader: beside its frozen self, resumed, saved, and under adapters. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { cpSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Chat, image, text } from "../../../src/domain/Content.ts"
import type { Picture } from "../../../src/domain/pictures/Picture.ts"
import type { Raw } from "../../../src/domain/settings/RunConfig.ts"
import * as Safetensors from "../../../src/runtime/files/safetensors/write.ts"
import { readOnly, trainable } from "../../../src/runtime/language/languageModel.ts"
import { save } from "../../../src/runtime/models/export/folder.ts"
import { hashOf } from "../../../src/runtime/pictures/images.ts"
import type { Part, PartState, Stored, Tensors } from "../../../src/runtime/ports/Checkpoints.ts"
import { Images } from "../../../src/runtime/ports/Images.ts"
import { LanguageModel, LanguageModelLearner } from "../../../src/runtime/ports/LanguageModel.ts"
import { ofReader } from "../../../src/systems/jmlr/layers.ts"
import * as Memory from "../../support/memory.ts"
import { pictured } from "../../support/pictured.ts"
import * as Tiny from "../../support/tiny.ts"

const pictureOf = (name: string): Picture => {
  const data = Uint8Array.from({ length: 8 * 8 * 3 }, (_, i) => (i * (name === "a" ? 37 : 91)) % 251)
  return { width: 8, height: 8, channels: 3, data }
}
const gallery = Layer.succeed(Images, {
  read: (name) => Effect.sync(() => ({ picture: pictureOf(name), hash: hashOf(pictureOf(name)) })),
  hash: (name) => Effect.sync(() => hashOf(pictureOf(name)))
})

const of = (...names: ReadonlyArray<string>): Chat => [
  { role: "user", content: [text("Which gene is"), ...names.map((name) => image(name)), text("at fault?")] }
]
const lesson = { prompts: [of("a"), of("b", "a"), of("b")], continuations: [" GLA", " GBA1", " FBN1"] }

interface Opened {
  readonly model: LanguageModel["Service"]
  readonly learner: LanguageModelLearner["Service"]
  readonly part: Part
}

const around = Layer.merge(Tiny.surroundings, gallery)
const settingsOf = (folder: string, own: Raw) => Tiny.settings(folder, { learning_rate: 0.05, warmup_steps: 0, ...own })

/** The reader of a folder in training. */
const training = <A, E>(folder: string, own: Raw, use: (opened: Opened) => Effect.Effect<A, E, any>) =>
  Effect.gen(function*() {
    const checkpoints = Memory.checkpoints()
    const layer = trainable(ofReader(yield* settingsOf(folder, own))).pipe(
      Layer.provide(Layer.merge(around, checkpoints.layer))
    )
    return yield* Effect.gen(function*() {
      const [model, learner] = [yield* LanguageModel, yield* LanguageModelLearner]
      return yield* use({ model, learner, part: checkpoints.parts.get("reader")! })
    }).pipe(Effect.provide(Layer.merge(layer, Tiny.surroundings), { local: true }))
  })

/** What a folder's reader, which is not trained, finds as likely. */
const likely = (folder: string, own: Raw = {}) =>
  Effect.gen(function*() {
    const c = yield* settingsOf(join(folder, ".."), { reader_name_or_path: folder, ...own })
    const nll = Effect.flatMap(LanguageModel, (model) => model.nll(lesson.prompts, lesson.continuations))
    return [...yield* Effect.provide(nll, readOnly(ofReader(c)).pipe(Layer.provide(around)), { local: true })]
  })

const nllOf = ({ model }: Opened) => Effect.map(model.nll(lesson.prompts, lesson.continuations), (nll) => [...nll])
const steps = ({ learner }: Opened, count: number) =>
  Effect.map(
    Effect.forEach(Array.from({ length: count }), () => learner.learn(lesson)),
    (all) => all.map((losses) => [...losses])
  )
const close = (got: ReadonlyArray<number>, want: ReadonlyArray<number>, tolerance = 1e-5) => {
  assert.strictEqual(got.length, want.length)
  got.forEach((own, i) => assert.closeTo(own, want[i]!, tolerance))
}

/** Tensors as a checkpoint gives them back. */
const storedOf = (tensors: Tensors): Stored => ({
  path: "memory",
  names: [...tensors.keys()],
  read: (name) => Effect.sync(() => tensors.get(name)! as never)
})
const stateOf = ({ base, counters, extra, weights }: PartState) => {
  const copy = (all: Tensors): Tensors =>
    new Map([...all].map(([name, { data, shape }]) => [name, { shape, data: data.slice() as typeof data }]))
  return { base, counters, weights: storedOf(copy(weights)), extra: storedOf(copy(extra)) }
}
const arraysOf = (part: Part) => new Map([...part.save().weights].map(([name, { data }]) => [name, [...data]]))

/** Writes what a checkpoint has as a folder. */
const written = (part: Part, from: string, to: string, name: string): string => {
  const { files, weights } = part.save()
  cpSync(from, to, { recursive: true })
  for (const [file, content] of files) writeFileSync(join(to, file), content)
  const tensors = new Map(
    [...weights].map(([path, { data, shape }]) => [path, { shape, data: Float32Array.from(data) }])
  )
  writeFileSync(join(to, name), Safetensors.encode(tensors))
  return to
}

const live = (what: string, test: (folder: string) => Effect.Effect<void, unknown, any>) =>
  it.live(what, () =>
    Effect.gen(function*() {
      const folder = yield* Tiny.weighted
      yield* pictured(folder)
      yield* test(folder)
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)) as Effect.Effect<void, unknown>, 180_000)

const tower = { train_tower: true }
const lora = { ...tower, lora_r: 2, lora_dropout: 0 }

describe("a tower that is trained", () => {
  live("begins as it is where it is frozen, in answers and in updates", (folder) =>
    Effect.gen(function*() {
      const begun = (own: Raw) => training(folder, own, (all) => Effect.all({ nll: nllOf(all), losses: steps(all, 1) }))
      const [frozen, trained] = [yield* begun({}), yield* begun(tower)]
      close(trained.nll, frozen.nll)
      close(trained.losses[0]!, frozen.losses[0]!)
    }))

  live(
    "learns with the language model, the projector only if asked to, and is resumed and saved as it is",
    (folder) =>
      Effect.gen(function*() {
        const reader = join(folder, "reader")
        const before = yield* Safetensors.read(join(reader, "model.safetensors"))
        yield* training(folder, tower, (all) =>
          Effect.gen(function*() {
            const norms = yield* all.learner.gate(lesson)
            assert.isTrue([...norms].some(([name, norm]) => /vision_tower/.test(name) && norm > 0))
            yield* steps(all, 2)
            const state = stateOf(all.part.save())
            const nll = yield* nllOf(all)
            const moved = [...arraysOf(all.part)].filter(([path, data]) =>
              before.get(path)!.data.join() !== data.join()
            )
            assert.deepStrictEqual(
              [...new Set(moved.map(([path]) => path.split(".")[0]!))].toSorted(),
              ["language_model", "vision_tower"]
            )
            assert.isFalse(moved.some(([path]) => /post_layernorm|layers\.1\./.test(path)), "parts that are not used")
            assert.sameMembers([...arraysOf(all.part).keys()], [...before.keys()])
            const saved = written(all.part, reader, join(folder, "saved"), "model.safetensors")
            close(yield* likely(saved), nll)
            const [losses, after] = [yield* steps(all, 2), arraysOf(all.part)]
            const again = yield* training(folder, tower, (other) =>
              Effect.gen(function*() {
                yield* other.part.load(state)
                assert.deepStrictEqual(yield* nllOf(other), nll)
                return { losses: yield* steps(other, 2), after: arraysOf(other.part) }
              }))
            assert.deepStrictEqual(again.losses, losses)
            assert.deepStrictEqual(again.after, after)
          }))
      })
  )

  live(
    "takes adapters on its linear layers, by their whole paths, which are read and merged again",
    (folder) =>
      Effect.gen(function*() {
        const reader = join(folder, "reader")
        yield* training(folder, { ...lora, train_projector: true }, (all) =>
          Effect.gen(function*() {
            const frozen = yield* likely(reader)
            close(yield* nllOf(all), frozen)
            yield* steps(all, 3)
            const nll = yield* nllOf(all)
            assert.isTrue(nll.some((own, i) => Math.abs(own - frozen[i]!) > 1e-2))
            const config = JSON.parse(new Map(all.part.save().files).get("adapter_config.json") as string) as {
              readonly target_modules: ReadonlyArray<string>
            }
            const layer = "model.vision_tower.encoder.layers.0."
            assert.sameMembers(
              config.target_modules.filter((path) => path.includes("vision_tower")),
              ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj", "mlp.fc1", "mlp.fc2"]
                .map((name) => layer + name)
            )
            const adapter = written(all.part, reader, join(folder, "adapter"), "adapter_model.safetensors")
            close(yield* likely(adapter), nll)
            yield* save(adapter, join(folder, "merged"), { dtype: "float32", maxShardSize: 1e9, card: "" })
            close(yield* likely(join(folder, "merged")), nll)
          }))
      })
  )

  live(
    "rests quantised under adapters, which answer the same when they are read again",
    (folder) =>
      Effect.gen(function*() {
        const own = { ...lora, quantization: "int8" }
        yield* training(folder, own, (all) =>
          Effect.gen(function*() {
            yield* steps(all, 2)
            const tensors = [...all.part.save().weights.keys()]
            assert.isTrue(tensors.some((name) => /vision_tower.*fc1\.lora_B/.test(name)))
            const adapter = written(
              all.part,
              join(folder, "reader"),
              join(folder, "adapter"),
              "adapter_model.safetensors"
            )
            close(yield* likely(adapter, own), yield* nllOf(all))
          }))
      })
  )

  live("is refused where nothing of it would be trained", (folder) =>
    Effect.gen(function*() {
      const own = { ...lora, lora_target_modules: ["gate_proj"] }
      const { message } = yield* Effect.flip(training(folder, own, nllOf)) as unknown as Effect.Effect<Error>
      assert.match(message, /train_tower: none of the tower's modules is in lora_target_modules or modules_to_save/)
    }))
})
