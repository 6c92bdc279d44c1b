import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, readFileSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { commitOf, Environment, environment } from "../../src/programs/environment.ts"
import { reference } from "../../src/runtime/engine/providers.ts"
import { folderOf, onDisk } from "../support/files.ts"

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

it.live("tells whether tracked files differ from the commit, and leaves the index as it is", () =>
  onDisk(Effect.gen(function*() {
    const folder = yield* folderOf({ "file.txt": "one" })
    const git = (...args: ReadonlyArray<string>) => {
      const who = ["-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgsign=false"]
      const { status, stderr, stdout } = spawnSync("git", ["-C", folder, ...who, ...args], { encoding: "utf8" })
      assert.strictEqual(status, 0, stderr)
      return stdout.trim()
    }
    const commit = commitOf(folder).pipe(Effect.provide(NodeServices.layer))
    assert.isNull(yield* commit)
    git("init", "-q")
    assert.isNull(yield* commit)
    git("add", ".")
    git("commit", "-qm", "First")
    const id = git("rev-parse", "HEAD")
    writeFileSync(join(folder, "other.txt"), "not tracked")
    assert.strictEqual(yield* commit, id)
    /** Git that may take locks would write into the index when the file was looked at. */
    const index = readFileSync(join(folder, ".git/index"))
    utimesSync(join(folder, "file.txt"), 1, 1)
    assert.strictEqual(yield* commit, id)
    assert.isTrue(readFileSync(join(folder, ".git/index")).equals(index))
    writeFileSync(join(folder, ".git/index.lock"), "")
    writeFileSync(join(folder, "file.txt"), "two")
    assert.strictEqual(yield* commit, `${id}-dirty`)
  })))
