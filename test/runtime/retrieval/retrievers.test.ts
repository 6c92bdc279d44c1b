/** Every layer of `Retriever` and `RetrieverLearner` under the suite of the port; the fakes of other tests among them. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { join } from "node:path"
import type { Raw } from "../../../src/domain/settings/RunConfig.ts"
import { embed } from "../../../src/programs/buildIndex.ts"
import type { Checkpoints } from "../../../src/runtime/ports/Checkpoints.ts"
import type { Retriever, RetrieverLearner } from "../../../src/runtime/ports/Retriever.ts"
import * as bm25 from "../../../src/runtime/retrieval/bm25.ts"
import * as retriever from "../../../src/runtime/retrieval/retriever.ts"
import { ofRetriever } from "../../../src/systems/jmlr/layers.ts"
import type { JmlrConfig } from "../../../src/systems/jmlr/settings.ts"
import * as Fakes from "../../support/fakes.ts"
import * as Memory from "../../support/memory.ts"
import { texts } from "../../support/rows.ts"
import * as Tiny from "../../support/tiny.ts"
import { learnerSuite, retrieverSuite, type Subject } from "../ports/retriever.suite.ts"

type Around = Layer.Success<typeof Tiny.surroundings> | Checkpoints

/** A layer in surroundings of its own, as settings have it. */
const subject = <R, E, E2>(
  layer: (config: JmlrConfig) => Layer.Layer<R, E, Around>,
  settled: Effect.Effect<JmlrConfig, E2, FileSystem.FileSystem | Scope.Scope>
): Subject<R> =>
<A, E3>(effect: Effect.Effect<A, E3, R | Scope.Scope>) =>
  Effect.gen(function*() {
    const around = Layer.merge(Tiny.surroundings, Memory.checkpoints().layer)
    return yield* effect.pipe(Effect.provide(layer(yield* settled).pipe(Layer.provide(around)), { local: true }))
  }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)) as Effect.Effect<A, unknown>

const settled = (overrides: Raw = {}) =>
  Effect.flatMap(
    Tiny.weighted,
    (folder) =>
      Tiny.settings(folder, { temperature_score: 1, rank_weight: 1, retriever_trainable: "all", ...overrides })
  )
/** The same over an index that was written before. */
const indexed = (overrides: Raw = {}) =>
  Effect.gen(function*() {
    const config = yield* settled(overrides)
    const index_path = join(config.output_dir, "index")
    yield* Effect.provide(embed(config, index_path), Tiny.surroundings)
    return { ...config, index_path }
  })

const all = { finds: "all" } as const

const readOnly = (config: JmlrConfig) => retriever.readOnly(ofRetriever(config))
retrieverSuite("that only reads", subject(readOnly, settled()), all)
retrieverSuite("whose index is built on the disk", subject(readOnly, settled({ index_in_memory: 0 })), all)
retrieverSuite("of a stored index", subject(readOnly, indexed()), all)
retrieverSuite("of a stored index that is kept on the disk", subject(readOnly, indexed({ index_in_memory: 0 })), all)

/** Both ports of a layer under their suites. */
const both = (
  name: string,
  made: Subject<Retriever | RetrieverLearner>,
  traits: Parameters<typeof learnerSuite>[2]
) => {
  retrieverSuite(name, made, traits)
  learnerSuite(name, made, traits)
}
const trainable = (config: JmlrConfig) => retriever.trainable(ofRetriever(config))
const frozen = (config: JmlrConfig) => retriever.frozen(ofRetriever(config))
const learns = { ...all, learns: true } as const
const isGiven = { ...all, learns: false } as const

both("that learns", subject(trainable, settled()), learns)
both(
  "that learns, a part of its queries at a time",
  subject(trainable, settled({ per_device_train_batch_size: 4, gradient_accumulation_steps: 2 })),
  learns
)
both("that learns, with its index on the disk", subject(trainable, settled({ index_in_memory: 0 })), learns)
both("whose embeddings learn", subject(trainable, settled({ retriever_trainable: "embeddings" })), learns)
both("whose adapter learns", subject(trainable, settled({ retriever_lora_r: 4, lora_alpha: 8 })), learns)
both("that learns from a stored index on", subject(trainable, indexed()), learns)
both("that is frozen", subject(frozen, settled()), isGiven)
both("that is frozen, of a stored index", subject(frozen, indexed()), isGiven)
/** The reader's folder as retriever: a decoder. */
const decoding = (overrides: Raw = {}) =>
  Effect.map(settled(overrides), (c) => ({ ...c, retriever_name_or_path: c.reader_name_or_path }))
const both_ways = { retriever_attention: "bidirectional", retriever_pooling: "eos", append_eos: true } as const
retrieverSuite("of one vector per text, by a decoder", subject(readOnly, decoding()), all)
retrieverSuite("of one vector per text, by a decoder in both directions", subject(readOnly, decoding(both_ways)), all)
both("of one vector per text that learns", subject(trainable, decoding({ lr_retriever: 3e-2 })), learns)
both(
  "of one vector per text whose adapter learns",
  subject(trainable, decoding({ ...both_ways, retriever_lora_r: 4, lora_alpha: 8, retriever_template: "bmretriever" })),
  learns
)
both(
  "of one vector per text by an encoder",
  subject(
    trainable,
    Effect.flatMap(
      Tiny.folder,
      (folder) =>
        Tiny.settings(folder, { temperature_score: 1, retriever_type: "single_vector", retriever_trainable: "all" })
    )
  ),
  learns
)
both("of one vector per text that is frozen", subject(frozen, decoding({ retriever_pooling: "mean" })), isGiven)
both("by BM25", subject(() => Layer.merge(bm25.layer, retriever.learnsNothing), settled()), isGiven)
both("that finds nothing", subject(() => retriever.absent, settled()), { finds: "none", learns: false })
both(
  "of the tests",
  subject(() => Fakes.ports(texts).layer, settled()),
  learns
)
