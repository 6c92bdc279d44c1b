/** Pictures in language models: what they change, what is learned of them, what is refused, what is left out. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Stream from "effect/Stream"
import { cpSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Chat, image, type Part, text } from "../../../src/domain/Content.ts"
import type { Picture } from "../../../src/domain/pictures/Picture.ts"
import type { Raw } from "../../../src/domain/settings/RunConfig.ts"
import * as Safetensors from "../../../src/runtime/files/safetensors/write.ts"
import { readOnly, trainable } from "../../../src/runtime/language/languageModel.ts"
import { save } from "../../../src/runtime/models/export/folder.ts"
import { hashOf } from "../../../src/runtime/pictures/images.ts"
import type { Part as CheckpointPart } from "../../../src/runtime/ports/Checkpoints.ts"
import { ImageError, Images } from "../../../src/runtime/ports/Images.ts"
import { LanguageModel, LanguageModelLearner } from "../../../src/runtime/ports/LanguageModel.ts"
import { ofReader } from "../../../src/systems/jmlr/layers.ts"
import * as Memory from "../../support/memory.ts"
import { pictured, ROWS } from "../../support/pictured.ts"
import * as Tiny from "../../support/tiny.ts"

/** A picture of one colour; "b again" is the same as "b". */
const pictureOf = (name: string): Picture => {
  const level = { a: 20, b: 240, "b again": 240 }[name]!
  const data = Uint8Array.from({ length: 8 * 8 * 3 }, (_, i) => i % 7 === 0 ? 128 : level)
  return { width: 8, height: 8, channels: 3, data }
}

/** Pictures by name, and which of them were read. */
const gallery = () => {
  const read: Array<string> = []
  const find = (name: string) =>
    ["a", "b", "b again"].includes(name)
      ? Effect.succeed(pictureOf(name))
      : Effect.fail(new ImageError({ path: name, kind: "missing", detail: "" }))
  const layer = Layer.succeed(Images, {
    read: (name) =>
      Effect.map(find(name), (picture) => {
        read.push(name)
        return { picture, hash: hashOf(picture) }
      }),
    hash: (name) => Effect.map(find(name), hashOf)
  })
  return { layer, read }
}

interface Opened {
  readonly model: LanguageModel["Service"]
  readonly learner: LanguageModelLearner["Service"]
  readonly folder: string
  readonly read: ReadonlyArray<string>
  readonly part: CheckpointPart
  readonly made: Effect.Success<ReturnType<typeof pictured>>
}

type Change = (folder: string) => void

/** A fresh model in training, and what was told. */
const opened = <A, E>(
  own: Raw,
  use: (opened: Opened) => Effect.Effect<A, E, any>,
  { change = () => {}, sees = true }: { readonly change?: Change; readonly sees?: boolean } = {}
) => {
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => void lines.push(String(message)))
  return Effect.gen(function*() {
    const folder = yield* Tiny.weighted
    const made = sees ? yield* pictured(folder) : undefined
    change(folder)
    const config = yield* Tiny.settings(folder, { learning_rate: 0.05, warmup_steps: 0, ...own })
    const [checkpoints, pictures] = [Memory.checkpoints(), gallery()]
    const around = Layer.mergeAll(Tiny.surroundings, checkpoints.layer, pictures.layer)
    const layer = trainable(ofReader(config)).pipe(Layer.provide(around))
    return yield* Effect.gen(function*() {
      const [model, learner] = [yield* LanguageModel, yield* LanguageModelLearner]
      const part = checkpoints.parts.get("reader")!
      return { value: yield* use({ model, learner, folder, read: pictures.read, part, made: made! }), lines }
    }).pipe(Effect.provide(Layer.merge(layer, Tiny.surroundings), { local: true }))
  }).pipe(Effect.scoped, Effect.provide(Layer.merge(NodeFileSystem.layer, Logger.layer([logger]))))
}

const ask = (...content: ReadonlyArray<Part | string>): Chat => [
  { role: "user", content: content.map((own) => typeof own === "string" ? text(own) : own) }
]
const of = (name: string) => ask("Which gene is", image(name), "at fault?")
const one = <A, E>(effect: Effect.Effect<ArrayLike<A>, E>) => Effect.map(effect, (all) => all[0]!)

describe("a picture in a prompt", () => {
  it.live("changes what is likely, by its pixels alone", () =>
    opened({}, ({ model }) =>
      Effect.gen(function*() {
        const nll = yield* model.nll([of("a"), of("b"), of("b again"), of("a")], [" GLA", " GLA", " GLA", " GLA"])
        assert.notStrictEqual(nll[0], nll[1])
        assert.strictEqual(nll[1], nll[2])
        assert.strictEqual(nll[0], nll[3])
        const both = yield* one(model.nll([ask(image("a"), image("b"), "Long fingers?")], [" GLA"]))
        const swapped = yield* one(model.nll([ask(image("b"), image("a"), "Long fingers?")], [" GLA"]))
        assert.notStrictEqual(both, swapped)
      })))
  it.live("is in the trunk of several continuations", () =>
    opened({}, ({ model }) =>
      Effect.gen(function*() {
        const options = [" GLA", " GBA1", " FBN1"]
        const [ranked] = yield* model.rank([of("a")], [options], "mean")
        const apart = yield* model.nll(options.map(() => of("a")), options)
        ranked!.forEach((own, i) => assert.closeTo(own, apart[i]!, 1e-5))
      })))
  it.live("is read once, and again where no memory is left for its features", () =>
    Effect.gen(function*() {
      const reads = (features_in_memory: number) =>
        opened({ features_in_memory }, ({ model, read }) =>
          Effect.gen(function*() {
            for (const name of ["a", "b", "b again", "a"]) yield* model.nll([of(name)], [" GLA"])
            return [...read]
          }))
      assert.deepStrictEqual((yield* reads(1)).value, ["a", "b"])
      assert.deepStrictEqual((yield* reads(0)).value, ["a", "b", "a"])
    }))
  it.live("is left out as a whole where a prompt is too long, which is told once", () =>
    Effect.gen(function*() {
      const long = (name: string) =>
        ask(
          { ...image(name), yields: true },
          { ...text("Reference: pain begins in the hands"), yields: true },
          "Long fingers?"
        )
      const bare = (words: string) => ask({ ...text(words), yields: true }, "Long fingers?")
      const { lines, value } = yield* opened({ max_length: 15 }, ({ model }) =>
        Effect.gen(function*() {
          const nll = yield* model.nll([long("a"), long("b"), bare("Reference: pain begins in the hands")], [
            " GLA",
            " GLA",
            " GLA"
          ])
          return [...nll]
        }))
      assert.deepStrictEqual(new Set(value).size, 1)
      assert.strictEqual(lines.filter((line) => /1 of a prompt's 1 pictures are left out/.test(line)).length, 1)
    }))
  it.live("is read in rows of tokens, whose ids must be as many as its rows", () =>
    opened({}, ({ made, model }) =>
      Effect.gen(function*() {
        const ids = [5, ...Array<number>(ROWS).fill(made.id), 6, 7]
        const row = (name: string) => ({
          ids,
          learned: ids.map((_, i) => i > ROWS ? 1 : 0),
          starts: [0],
          pictures: [name]
        })
        const [a, b] = yield* model.logLikelihood([row("a"), row("b")])
        assert.notStrictEqual(a, b)
        const { message } = yield* Effect.flip(model.logLikelihood([{ ...row("a"), pictures: ["a", "b"] }]))
        assert.match(message, /a row has 4 times <image>, and its 2 pictures have 8 rows/)
        const none = yield* Effect.flip(model.logLikelihood([{ ids, learned: row("a").learned, starts: [0] }]))
        assert.match(none.message, /a row has 4 times <image>, and its 0 pictures have 0 rows/)
      })))
})

describe("a text that goes on from pictures", () => {
  /** More pictures than are read at a time: the prompt is read in pieces. */
  const many = 280
  const longer = (folder: string) => {
    const path = join(folder, "reader", "config.json")
    const config = JSON.parse(readFileSync(path, "utf8")) as { text_config: object }
    const text_config = { ...config.text_config, max_position_embeddings: 2048 }
    writeFileSync(path, JSON.stringify({ ...config, text_config }))
  }
  it.live("begins with what is likeliest after them, however many they are", () =>
    opened({ max_length: 2000 }, ({ made, model }) =>
      Effect.gen(function*() {
        for (const count of [1, many]) {
          const pictures = Array.from({ length: count }, (_, i) => i % 3 === 0 ? "a" : "b")
          const options = { max_new_tokens: 1, decoding: { do_sample: false } }
          const chats = [ask(...pictures.map((name) => image(name))), ask("Long fingers?")]
          const tokens = yield* Stream.runCollect(model.write(chats, options))
          const { id } = tokens.find(({ row }) => row === 0)!
          const ids = [2, ...Array<number>(ROWS * count).fill(made.id), id]
          const learned = ids.map((_, i) => i === ids.length - 1 ? 1 : 0)
          const { correct } = yield* model.describe([{ ids, learned, starts: [0], pictures }])
          assert.strictEqual(correct[0], 1)
        }
      }), { change: longer }))
})

describe("a chat template", () => {
  const loop = (body: string) => `{% for m in messages %}${body}{% endfor %}{% if add_generation_prompt %}:{% endif %}`
  const pieces = (images: string, words: string) => `{% for p in m['content'] ${images} %}${words}{% endfor %}`
  const templates = {
    pieces: loop(pieces("", "{% if p['type'] == 'image' %}<image>{% else %}{{ p['text'] }}{% endif %}")),
    text: loop("{{ m['content'] }}"),
    first: loop(
      pieces("| selectattr('type', 'equalto', 'image')", "<image>")
        + pieces("| selectattr('type', 'equalto', 'text')", "{{ p['text'] }}")
    ),
    blind: loop("{% if m['content'] is string %}{{ m['content'].replace('<image>', '') }}{% endif %}")
  }
  const under = (name: keyof typeof templates) =>
    opened(
      { apply_chat_template: true },
      ({ model }) => model.nll([of("a"), of("b"), ask("Which gene is", "at fault?")], [" GLA", " GLA", " GLA"]),
      {
        change: (folder) =>
          writeFileSync(
            join(folder, "reader", "tokenizer_config.json"),
            JSON.stringify({ chat_template: templates[name] })
          )
      }
    )
  const moves = (lines: ReadonlyArray<string>) => lines.some((line) => /the template moves pictures away/.test(line))
  it.live("shows pictures as pieces of messages or in their text, which is the same", () =>
    Effect.gen(function*() {
      const [pieces, text] = [yield* under("pieces"), yield* under("text")]
      assert.deepStrictEqual([...pieces.value], [...text.value])
      assert.strictEqual(new Set(pieces.value).size, 3)
      assert.isFalse(moves(pieces.lines) || moves(text.lines))
    }))
  it.live("that moves them is told, and one that leaves them out is refused", () =>
    Effect.gen(function*() {
      const { lines, value } = yield* under("first")
      assert.isTrue(moves(lines))
      assert.strictEqual(new Set(value).size, 3)
      const { message } = yield* Effect.flip(under("blind")) as unknown as Effect.Effect<Error>
      assert.match(message, /chat_template: shows a picture \(<image>\) neither of a message in pieces nor of one text/)
    }))
})

describe("what a model cannot read", () => {
  const refused = (own: Raw, chat: Chat, answer = " GLA", sees = true) =>
    Effect.map(
      opened(own, ({ model }) => Effect.flip(model.nll([chat], [answer])), { sees }),
      ({ value }) => value.message
    )
  it.live("is refused by name", () =>
    Effect.gen(function*() {
      assert.match(yield* refused({}, of("a"), " GLA", false), /reader: reads texts alone, and a prompt has a picture/)
      assert.match(yield* refused({}, of("c")), /^c: there is no such picture/)
      assert.match(
        yield* refused({}, ask("an <image> in words")),
        /a text has the words <image>, which stand for a picture/
      )
      assert.match(yield* refused({}, of("a"), " <image>"), /an answer has the words <image>/)
    }))
})

describe("learning with pictures", () => {
  const lesson = { prompts: [of("a"), of("b"), ask("Long fingers?")], continuations: [" GLA", " GBA1", " FBN1"] }
  const steps = ({ learner }: Opened) =>
    Effect.gen(function*() {
      const first = yield* learner.learn(lesson)
      for (let i = 0; i < 12; i++) yield* learner.learn(lesson)
      const last = yield* learner.learn(lesson)
      return first.every((loss, i) => last[i]! < loss / 2)
    })
  const kindOf = (path: string): string => path.split(".")[0]!
  const movedIn = (before: Safetensors.StoredTensors, part: CheckpointPart) => {
    const after = part.save().weights
    const moved = [...after].filter(([path, { data }]) => before.get(path)!.data.join() !== Array.from(data).join())
    return { names: [...after.keys()].toSorted(), moved: new Set(moved.map(([path]) => kindOf(path))) }
  }
  for (
    const [own, moved] of [
      [{}, ["language_model"]],
      [{ train_projector: true }, ["language_model", "multi_modal_projector"]]
    ] as const
  ) {
    it.live(`trains the language model, and the projector if asked to: ${JSON.stringify(own)}`, () =>
      opened(own, (all) =>
        Effect.gen(function*() {
          const before = yield* Safetensors.read(join(all.folder, "reader", "model.safetensors"))
          const frozen = all.learner.groups.filter(({ trainable }) => !trainable)
          assert.include(frozen.map(({ name }) => name), "vision_tower.vision_model (frozen)")
          const norms = yield* all.learner.gate(lesson)
          assert.isTrue([...norms.values()].every((norm) => norm > 0))
          assert.isTrue(yield* steps(all))
          const found = movedIn(before, all.part)
          assert.deepStrictEqual([...found.moved].toSorted(), [...moved])
          assert.deepStrictEqual(found.names, [...before.keys()].toSorted(), "a checkpoint has the tower as well")
          const files = new Map(all.part.save().files)
          assert.include([...files.keys()], "preprocessor_config.json")
        })))
  }
  it.live("learns rows of tokens with pictures", () =>
    opened({}, ({ learner, made }) =>
      Effect.gen(function*() {
        const row = (name: string, answer: number) => {
          const ids = [5, ...Array<number>(ROWS).fill(made.id), 6, answer]
          return { ids, learned: ids.map((_, i) => i === ids.length - 1 ? 1 : 0), starts: [0], pictures: [name] }
        }
        const rows = { rows: [row("a", 8), row("b", 9)], average: "token" as const }
        const { loss: first } = yield* learner.learnTokens(rows)
        for (let i = 0; i < 30; i++) yield* learner.learnTokens(rows)
        const { loss: last } = yield* learner.learnTokens(rows)
        assert.isTrue(first.every((own, i) => last[i]! < own / 4), "only the pictures tell the answers apart")
      })))
  it.live("takes several updates in one program, whatever pictures they have", () =>
    Effect.gen(function*() {
      const lessons = [lesson, {
        prompts: [of("b"), ask("Kinky hair?"), ask("Pain?")],
        continuations: [" GLA", " GLA", " GAA"]
      }]
      const after = (several: boolean) =>
        opened({}, ({ learner }) =>
          several
            ? learner.learnSeveral!(lessons)
            : Effect.forEach(lessons, learner.learn))
      const [apart, together] = [yield* after(false), yield* after(true)]
      apart.value.forEach((losses, i) =>
        losses.forEach((loss, j) => assert.closeTo(together.value[i]![j]!, loss, 1e-4))
      )
    }))
})

/** The folder of an adapter in a checkpoint. */
const adapterOf = ({ folder, part }: Opened, rename = (name: string) => name): string => {
  const { files, weights } = part.save()
  const at = join(folder, "adapter")
  cpSync(join(folder, "reader"), at, { recursive: true })
  for (const [name, content] of files) {
    writeFileSync(join(at, name), content)
  }
  const config = readFileSync(join(at, "adapter_config.json"), "utf8")
  writeFileSync(join(at, "adapter_config.json"), rename(config))
  const tensors = new Map(
    [...weights].map(([name, { data, shape }]) => [rename(name), { shape, data: Float32Array.from(data) }])
  )
  writeFileSync(join(at, "adapter_model.safetensors"), Safetensors.encode(tensors))
  return at
}

/** Names of LLaVA's files, which adapters of older transformers have, in place of those in memory. */
const inFiles = (name: string): string =>
  name.replaceAll("model.language_model.", "language_model.model.")
    .replaceAll("model.multi_modal_projector", "multi_modal_projector")

describe("adapters of a model that reads pictures", () => {
  const lora = { lora_r: 2, lora_dropout: 0 }
  const lesson = { prompts: [of("a"), of("b")], continuations: [" GLA", " GBA1"] }
  const likely = (folder: string, config: Raw = {}) =>
    Effect.gen(function*() {
      const c = yield* Tiny.settings(join(folder, ".."), { reader_name_or_path: folder, ...config })
      const around = Layer.mergeAll(Tiny.surroundings, gallery().layer)
      return yield* Effect.flatMap(LanguageModel, (model) => model.nll(lesson.prompts, lesson.continuations)).pipe(
        Effect.provide(readOnly(ofReader(c)).pipe(Layer.provide(around)), { local: true })
      )
    })
  for (
    const own of [lora, { ...lora, modules_to_save: ["multi_modal_projector"] }, { ...lora, train_projector: true }]
  ) {
    it.live(`are of the language model alone, and read again: ${JSON.stringify(own)}`, () =>
      opened(own, (all) =>
        Effect.gen(function*() {
          for (let i = 0; i < 3; i++) yield* all.learner.learn(lesson)
          const names = [...all.part.save().weights.keys()]
          const saved = names.filter((name) => /multi_modal_projector/.test(name))
          assert.strictEqual(saved.length, own === lora ? 0 : 4)
          assert.isTrue(
            names.every((name) => /^base_model\.model\.model\.(language_model\.|multi_modal_projector\.)/.test(name))
          )
          assert.isFalse(names.some((name) => /lm_head/.test(name)))
          const config = JSON.parse(new Map(all.part.save().files).get("adapter_config.json") as string) as any
          assert.isTrue(
            config.target_modules.every((path: string) => path.startsWith("model.language_model.layers.0."))
          )
          const trained = [...yield* all.model.nll(lesson.prompts, lesson.continuations)]
          const again = yield* likely(adapterOf(all))
          trained.forEach((nll, i) => assert.closeTo(again[i]!, nll, 1e-5))
          const other = yield* likely(adapterOf(all, inFiles))
          trained.forEach((nll, i) => assert.closeTo(other[i]!, nll, 1e-5))
          const merged = join(all.folder, "merged")
          yield* save(join(all.folder, "adapter"), merged, { dtype: "float32", maxShardSize: 1e9, card: "" })
          const whole = yield* likely(merged)
          trained.forEach((nll, i) => assert.closeTo(whole[i]!, nll, 1e-5))
          assert.deepStrictEqual(
            [...(yield* Safetensors.read(join(merged, "model.safetensors"))).keys()].toSorted(),
            [...all.made.weights.keys()].toSorted()
          )
        })))
  }
  it.live("rest on quantised weights", () =>
    Effect.gen(function*() {
      const nll = (own: Raw) =>
        opened({ ...lora, ...own }, ({ learner, model }) =>
          Effect.andThen(learner.learn(lesson), model.nll(lesson.prompts, lesson.continuations)))
      const [plain, packed] = [(yield* nll({})).value, (yield* nll({ quantization: "int8" })).value]
      plain.forEach((own, i) =>
        assert.closeTo(packed[i]!, own, 0.05)
      )
      assert.notDeepEqual([...plain], [...packed])
    }))
})
