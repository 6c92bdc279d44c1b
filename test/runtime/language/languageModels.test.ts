/** Every layer of LanguageModel, and of its learner, under the suites of their ports. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Raw } from "../../../src/domain/settings/RunConfig.ts"
import { readOnly, trainable } from "../../../src/runtime/language/languageModel.ts"
import {
  absent,
  type LanguageModel,
  type LanguageModelLearner,
  none
} from "../../../src/runtime/ports/LanguageModel.ts"
import { ofReader } from "../../../src/systems/jmlr/layers.ts"
import * as Fakes from "../../support/fakes.ts"
import * as Memory from "../../support/memory.ts"
import { pictured } from "../../support/pictured.ts"
import * as Tiny from "../../support/tiny.ts"
import { languageModelLearnerSuite, languageModelSuite, type Subject } from "../ports/languageModel.suite.ts"

/** Each message on a line of its own, under its role. */
const TEMPLATE =
  "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"

type Both = LanguageModel | LanguageModelLearner

/** A fresh tiny model under settings, which may have a chat template, or read pictures. */
const tiny = <R>(
  make: (settings: ReturnType<typeof ofReader>) => Layer.Layer<R, any, any>,
  own: Raw = {},
  seeing = false
): Subject<R> =>
<A, E>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const folder = yield* Tiny.weighted
    if (seeing) yield* pictured(folder)
    const template = JSON.stringify({ chat_template: TEMPLATE })
    if (own["apply_chat_template"]) writeFileSync(join(folder, "reader", "tokenizer_config.json"), template)
    const config = yield* Tiny.settings(folder, { learning_rate: 0.05, warmup_steps: 0, ...own })
    const around = Layer.merge(Tiny.surroundings, Memory.checkpoints().layer)
    const layer = make(ofReader(config)).pipe(Layer.provide(around)) as Layer.Layer<R, unknown>
    return yield* Effect.provide(effect, layer, { local: true })
  }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))

const on = <R>(layer: () => Layer.Layer<R>): Subject<R> => (effect) => Effect.provide(effect, layer(), { local: true })
const fake = on<Both>(() => Fakes.languageModel({ searched: [], retrieverLessons: [], readerLessons: [] }))

languageModelSuite("that only reads", tiny(readOnly), { speaks: true })
languageModelSuite("with a chat template", tiny(readOnly, { apply_chat_template: true }), { speaks: true })
languageModelSuite("that is none", on(() => none), { speaks: false })
for (
  const own of [{}, { lora_r: 2, lora_dropout: 0 }, { lora_r: 2, torch_dtype: "bfloat16" }, {
    lora_r: 2,
    quantization: "int8"
  }]
) {
  const name = `that is trained ${JSON.stringify(own)}`
  languageModelSuite(name, tiny<Both>(trainable, own), { speaks: true })
  languageModelLearnerSuite(name, tiny<Both>(trainable, own), { speaks: true, learns: true })
}
languageModelSuite("that reads pictures", tiny(readOnly, {}, true), { speaks: true })
languageModelLearnerSuite("that reads pictures", tiny<Both>(trainable, {}, true), { speaks: true, learns: true })
languageModelLearnerSuite("that is none", on<Both>(() => absent), { speaks: false, learns: false })
languageModelSuite("of the tests", fake, { speaks: true, draws: false })
languageModelLearnerSuite("of the tests", fake, { speaks: true, learns: false })
