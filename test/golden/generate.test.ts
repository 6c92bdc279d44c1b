/** Texts against those of transformers' `generate`: the same tokens, one prompt at a time or all at once. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as Key from "../../src/domain/Key.ts"
import { cacheShape } from "../../src/kernels/nn/cache.ts"
import { causalLm } from "../../src/kernels/nn/decoder.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { onHost, Session } from "../../src/runtime/engine/Session.ts"
import { asInputs } from "../../src/runtime/engine/Weights.ts"
import { decodeDecoder } from "../../src/runtime/files/config/decoder.ts"
import { batches, generate, type GenerationOptions } from "../../src/runtime/language/generation/generate.ts"
import { generation } from "../../src/runtime/language/generation/graphs.ts"
import { greedy } from "../support/decoders.ts"
import * as Golden from "./golden.ts"

interface Described {
  readonly config: object
  readonly prompts: ReadonlyArray<ReadonlyArray<number>>
  readonly cases: ReadonlyArray<{
    readonly about: string
    readonly settings: Partial<Omit<GenerationOptions, "eos">>
    readonly texts: ReadonlyArray<ReadonlyArray<number>>
  }>
}

const texts = Effect.fnUntraced(function*(about: string, together: boolean) {
  const { described, tensors } = yield* Golden.read<Described>("generate")
  const { cases, prompts } = described
  const config = yield* decodeDecoder(described.config)
  const decoder = causalLm(config)
  const weights = asInputs(new Map([...tensors].map(([name, { data }]) => [name, data])))
  const program = yield* (yield* Session).open(generation(config, decoder), weights)
  const decode = (ids: ReadonlyArray<number>) => ids.join(" ")
  const generator = {
    program,
    cache: cacheShape(config),
    kept: onHost,
    weights: () => ({}),
    padding: config.pad_token_id,
    decode,
    ...batches("decoder")
  }
  const found = cases.find((one) => one.about === about)!
  const options: GenerationOptions = { ...greedy, eos: new Set(config.eos_token_id), ...found.settings }
  const asked = prompts.map((ids) => ({ ids, key: Key.make(0) }))
  const runs = together ? [asked] : asked.map((one) => [one])
  const tokens = yield* Effect.forEach(runs, (run) => Stream.runCollect(generate(generator, run, options)))
  const got = tokens.flatMap((own, r) => runs[r]!.map((_, row) => own.filter((t) => t.row === row).map((t) => t.id)))
  return { got, want: found.texts }
}, Effect.scoped)

const described = (JSON.parse(readFileSync(join(import.meta.dirname, "generate.json"), "utf8")) as Described).cases.map(
  ({ about }) => about
)

describe("against transformers", () => {
  for (const about of described) {
    for (const together of [false, true]) {
      it.live(`${about}, ${together ? "all prompts at once" : "one prompt at a time"}`, () =>
        Effect.gen(function*() {
          const { got, want } = yield* texts(about, together)
          assert.deepStrictEqual(got, want)
        }).pipe(Effect.provide(Layer.merge(cpu({ threads: 1 }), NodeFileSystem.layer))))
    }
  }
})
