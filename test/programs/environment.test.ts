import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, readFileSync } from "node:fs"
import { Environment, environment } from "../../src/programs/environment.ts"
import { reference } from "../../src/runtime/engine/providers.ts"

const head = spawnSync("git", ["rev-parse", "HEAD"], { encoding: "utf8" })
const lock = existsSync("flake.lock") ? createHash("sha256").update(readFileSync("flake.lock")).digest("hex") : null

it.effect("tells what a run ran on, in plain JSON", () =>
  Effect.gen(function*() {
    const found = yield* environment
    const json = JSON.parse(JSON.stringify(found)) as unknown
    assert.deepStrictEqual(yield* Schema.decodeUnknownEffect(Environment)(json), found)
    assert.deepInclude(found, { provider: "reference", threads: 1, node: process.versions.node, flakeLock: lock })
    assert.match(found.onnxruntime, /^\d+\.\d+\.\d+/)
    assert.strictEqual(found.commit?.replace(/-dirty$/, "") ?? "", head.status === 0 ? head.stdout.trim() : "")
  }).pipe(Effect.provide([reference, NodeServices.layer])))

it.effect("has no commit and no lock outside of a checkout", () =>
  Effect.gen(function*() {
    const found = yield* environment
    assert.deepInclude(found, { commit: null, flakeLock: null })
  }).pipe(
    Effect.provide([reference, FileSystem.layerNoop({ exists: () => Effect.succeed(false) })]),
    Effect.provide(NodeServices.layer)
  ))
