/** Three joint steps on the real ports and stages against the same steps in PyTorch's float64 (joint.py). */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Batches from "../../src/datasets/batches.ts"
import * as Frame from "../../src/domain/Frame.ts"
import type { Raw } from "../../src/domain/settings/RunConfig.ts"
import type { Lesson } from "../../src/domain/tables.ts"
import type { StoredTensors } from "../../src/runtime/files/safetensors/write.ts"
import { llmRanked } from "../../src/stages/pipelines.ts"
import { joint } from "../../src/systems/jmlr/layers.ts"
import type { JmlrConfig } from "../../src/systems/jmlr/settings.ts"
import { studyOptions } from "../../src/systems/jmlr/study.ts"
import * as Memory from "../support/memory.ts"
import * as Golden from "./golden.ts"

const names = ["retriever", "reader"] as const

interface Run {
  readonly golden: Golden.Golden<Golden.Described>
  readonly config: JmlrConfig
  readonly saved: ReturnType<typeof Memory.checkpoints>
  readonly tolerance: number
}

const closeAll = (got: StoredTensors, want: StoredTensors, what: string, closeness: Golden.Closeness) => {
  assert.deepStrictEqual([...got.keys()].toSorted(), [...want.keys()].toSorted(), what)
  for (const [path, { data }] of want) Golden.close(got.get(path)!.data, data, `${what} ${path}`, closeness)
}

const checkNorms = ({ golden, tolerance }: Run, norms: ReadonlyMap<string, number>) => {
  for (const name of names) {
    const own = [...norms].filter(([group]) => group.startsWith(name)).map(([_, norm]) => norm)
    const want = golden.tensors.get(`norm/1/${name}`)!.data
    Golden.close([Math.hypot(...own)], want, `gradient norm of the ${name}`, { tolerance })
  }
}

const checkLosses = ({ golden, tolerance }: Run, rows: Frame.Frame<typeof Lesson>, t: number) => {
  for (const name of names) {
    const want = golden.tensors.get(`loss/${t}/${name}`)!.data
    Golden.close(Frame.column(rows, `${name}Loss`), want, `loss ${t} of the ${name}`, { tolerance })
  }
}

/**
 * After one step the first moment is (1 - β₁) times the clipped gradient, and so tells every gradient there was.
 * That of attention's key biases is 0 in theory, and in float32 the rounding of a gradient of that norm.
 */
const checkGradients = ({ golden, saved, tolerance }: Run) => {
  const { adam_beta1, max_grad_norm } = golden.described.settings as unknown as JmlrConfig
  for (const name of names) {
    const norm = golden.tensors.get(`norm/1/${name}`)!.data[0]!
    const size = (1 - adam_beta1) * Math.min(1, max_grad_norm / (norm + 1e-6))
    const moments = [...saved.parts.get(name)!.save().extra].filter(([path]) => path.startsWith("slot/exp_avg/"))
    const gradients = moments.map(([path, { data, shape }]) =>
      [path.slice("slot/exp_avg/".length), { shape, data: data.map((x) => x / size) }] as const
    )
    const want = golden.under(`gradient/${name}/`)
    closeAll(new Map(gradients), want, `gradient of the ${name}`, { tolerance, tiny: 1e-7 * norm })
  }
}

const checkWeights = ({ golden, saved, tolerance }: Run) => {
  for (const name of names) {
    const { weights } = saved.parts.get(name)!.save()
    closeAll(weights, golden.under(`final/${name}/`), `weights of the ${name}`, { tolerance })
  }
}

const steps = Effect.fnUntraced(function*(run: Run) {
  const { gate, learn } = llmRanked(studyOptions(run.config))
  const [asked, size] = [Golden.records(run.golden.described.questions), run.config.per_device_train_batch_size]
  for (let t = 1; t * size <= asked.length; t++) {
    const rows = Batches.frame(asked.slice((t - 1) * size, t * size), t - 1, { row: () => -1 })
    if (t === 1) checkNorms(run, yield* gate(rows))
    checkLosses(run, yield* learn(rows), t)
    if (t === 1) checkGradients(run)
  }
  checkWeights(run)
})

const onProvider = ({ session, tolerance }: Golden.Provider, overrides: Raw = {}) =>
  Effect.gen(function*() {
    const golden = yield* Golden.read<Golden.Described>("joint")
    const config = yield* Golden.prepare(golden, overrides)
    const saved = Memory.checkpoints()
    const around = Layer.merge(saved.layer, Golden.surroundings(golden.described.passages, session))
    yield* steps({ golden, config, saved, tolerance }).pipe(
      Effect.provide(joint(config).pipe(Layer.provideMerge(around)))
    )
  }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))

/** Settings a little beside the reference's, and what must give them away. */
const beside: ReadonlyArray<readonly [overrides: Raw, found: string]> = [
  [{ passage_max_len: 13 }, "gradient norm of the retriever"],
  [{ rank_mean: "pairs_plus_one" }, "gradient norm of the retriever"],
  [{ rank_weight: 0.501 }, "gradient norm of the retriever"],
  [{ n_context: 3 }, "gradient norm of the reader"],
  [{ max_grad_norm: 0.201 }, "gradient of the retriever"],
  [{ warmup_steps: 3 }, "loss 2 of the retriever"],
  [{ adam_epsilon: 1.1e-5 }, "loss 2 of the retriever"],
  [{ adam_beta1: 0.901 }, "gradient of the retriever"],
  [{ adam_beta2: 0.951 }, "loss 3 of the retriever"],
  [{ weight_decay: 0.101 }, "loss 3 of the retriever"],
  [{ min_lr_rate: 0.11 }, "weights of the retriever"],
  [{ lr_scheduler_type: "linear" }, "weights of the retriever"]
]

describe("three joint steps", () => {
  for (const provider of Golden.providers) {
    it.live(`on ${provider.name} have PyTorch's losses, gradients and weights`, () => onProvider(provider), 120_000)
  }
  for (const [overrides, found] of beside) {
    it.live(`with ${JSON.stringify(overrides)} have others: ${found}`, () =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(onProvider(Golden.providers[0]!, overrides))
        assert.isTrue(Exit.isFailure(exit))
        if (Exit.isFailure(exit)) assert.include(Cause.pretty(exit.cause), found)
      }))
  }
})
