/** Every layer of Writer under the suite of its port. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Endpoint from "../../../src/runtime/language/endpoint/endpoint.ts"
import { readOnly } from "../../../src/runtime/language/languageModel.ts"
import * as Local from "../../../src/runtime/language/local.ts"
import type { Writer } from "../../../src/runtime/ports/Writer.ts"
import { ofReader } from "../../../src/systems/jmlr/layers.ts"
import * as Server from "../../support/endpoint.ts"
import { folderOf } from "../../support/files.ts"
import * as Tiny from "../../support/tiny.ts"
import { type Subject, writerSuite } from "../ports/writer.suite.ts"

const subjectOf = (layer: Layer.Layer<Writer, any, any>): Subject => ({
  run: (effect) =>
    Effect.provide(effect, layer, { local: true }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)) as never
})

writerSuite("behind an endpoint", (use) =>
  Effect.gen(function*() {
    const cache = yield* folderOf({})
    const { base } = yield* Server.start(({ body }) => body["response_format"] ? "{\"relevant\":true}" : "Marfan")
    return yield* use(subjectOf(Endpoint.layer({ ...Endpoint.defaults, base_url: base, model: "small", cache })))
  }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)))

writerSuite("that is our reader", (use) =>
  Effect.gen(function*() {
    const folder = yield* Tiny.weighted
    const path = join(folder, "reader", "config.json")
    const config = JSON.parse(readFileSync(path, "utf8")) as object
    writeFileSync(path, JSON.stringify({ ...config, max_position_embeddings: 1024 }))
    const settings = ofReader(yield* Tiny.settings(folder, { max_length: 1024 }))
    const model = yield* Local.identityOf(join(folder, "reader"))
    const local = {
      name: "tiny",
      identity: { model },
      seed: 3,
      batch: 2,
      cache: join(folder, "answers"),
      token_budget: 0
    }
    return yield* use(subjectOf(
      Local.layer(local).pipe(Layer.provide(readOnly(settings)), Layer.provide(Tiny.surroundings))
    ))
  }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)))
