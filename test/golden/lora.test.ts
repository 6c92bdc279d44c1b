/** Adapters against PEFT (lora.py): those it saved as we compute them, and those we saved as it computed them. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type { Scope } from "effect/Scope"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { adapt } from "../../src/kernels/nn/lora.ts"
import { flatten } from "../../src/kernels/nn/Module.ts"
import type { Session } from "../../src/runtime/engine/Session.ts"
import * as Peft from "../../src/runtime/files/peft.ts"
import * as Adapters from "../../src/runtime/models/lora.ts"
import { folderOf } from "../support/files.ts"
import { computed, load, pathOf, type Subject, subjects } from "./adapted.ts"
import * as Golden from "./golden.ts"
import { files, save } from "./lora.ts"

type Check = (
  name: string,
  subject: Subject
) => Effect.Effect<void, unknown, FileSystem.FileSystem | Session | Scope>

/** transformers turns positions and scales norms in float32 whatever the model is in: no provider is nearer than that. */
const near = { tolerance: 1e-5 }

/** The adapter folded into the weights. */
const folded = (kind: "peft" | "ours"): Check =>
  Effect.fnUntraced(function*(name, subject) {
    const { tensors } = yield* Golden.readTensors(kind === "peft" ? "lora" : "lora-ours")
    const { module, weights } = yield* load(subject, `${name}-${kind}`)
    const { output } = yield* computed(subject, module, weights.parameters())
    Golden.close(output!, tensors.get(`${name}/outputs`)!.data, `outputs of ${name}`, near)
  })

/** The adapter beside the weights, and the gradients of all that learns. */
const beside: Check = Effect.fnUntraced(function*(name, subject) {
  const { tensors, under } = yield* Golden.readTensors("lora")
  const adapter = yield* Peft.read(pathOf(`${name}-peft`))
  const { config, weights } = yield* load(subject, `${name}-peft`)
  const base = yield* load(subject, name)
  const module = adapt(subject.build(config), Adapters.ofAdapter(adapter).lora)
  const arrays = new Map([...base.weights.parameters(), ...[...adapter.tensors].map(([n, t]) => [n, t.data] as const)])
  const gradients = under(`${name}/gradient/`)
  assert.sameMembers([...gradients.keys()], [
    ...[...flatten(module.params).keys()].filter(Adapters.isLora),
    ...Adapters.ofAdapter(adapter).saved
  ])
  assert.isTrue([...weights.params.keys()].every((path) => !Adapters.isLora(path)))
  for (const checkpointing of [false, true]) {
    const got = yield* computed(subject, module, arrays, [...gradients.keys()], { checkpointing })
    Golden.close(got["output"]!, tensors.get(`${name}/outputs`)!.data, `outputs of ${name}`, near)
    for (const [path, { data }] of gradients) {
      Golden.close(got[`gradient/${path}`]!, data, `gradient of ${name} ${path}`, near)
    }
  }
})

describe("adapters against PEFT", () => {
  const checks: Readonly<Record<string, Check>> = {
    "folded in, saved by PEFT": folded("peft"),
    "folded in, saved by us": folded("ours"),
    "beside the weights, with their gradients": beside
  }
  for (const { name: provider, session } of Golden.providers) {
    for (const [what, check] of Object.entries(checks)) {
      for (const [name, subject] of Object.entries(subjects)) {
        it.live(`${name} ${what}, on ${provider}`, () =>
          check(name, subject).pipe(
            Effect.scoped,
            Effect.provide(Layer.mergeAll(NodeFileSystem.layer, session), { local: true })
          ))
      }
    }
  }
  for (const name of Object.keys(subjects)) {
    it.live(`${name} is saved as the files that PEFT was given`, () =>
      Effect.gen(function*() {
        const saved = yield* save(name, yield* folderOf({}))
        for (const file of files) {
          const [got, want] = [saved, pathOf(`${name}-ours`)].map((folder) => readFileSync(join(folder, file)))
          assert.isTrue(got!.equals(want!), file)
        }
      }).pipe(
        Effect.scoped,
        Effect.provide(Layer.mergeAll(NodeFileSystem.layer, Golden.providers[0]!.session), { local: true })
      ))
  }
})
