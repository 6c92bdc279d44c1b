/** The environment of a run. It is constant within a process; runs in equal environments should agree. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as ChildProcess from "effect/process/ChildProcess"
import { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import * as Schema from "effect/Schema"
import { createRequire } from "node:module"
import { cpus, release } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { names } from "../runtime/engine/providers.ts"
import { Session } from "../runtime/engine/Session.ts"
import { located, readBytes, sha256 } from "../runtime/files/disk.ts"

/** The environment, as stored in files. */
export const Environment = Schema.Struct({
  /** Version of this package. */
  version: Schema.String,
  /** Of the checkout, with "-dirty" if it has changes; null if there is none. */
  commit: Schema.NullOr(Schema.String),
  node: Schema.String,
  onnxruntime: Schema.String,
  provider: Schema.Literals(names),
  threads: Schema.Natural,
  /** The dtype of matrix products; float32 if omitted. */
  precision: Schema.optionalKey(Schema.Literals(["float32", "float16", "bfloat16"])),
  platform: Schema.String,
  cpu: Schema.String,
  /** SHA-256 of flake.lock; null if there is none. */
  flakeLock: Schema.NullOr(Schema.String)
})
/** The environment of this process. */
export type Environment = typeof Environment.Type

const root = fileURLToPath(new URL("../..", import.meta.url))

const versionOf = (manifest: string): string =>
  (createRequire(import.meta.url)(manifest) as { readonly version: string }).version

const exists = (path: string) => FileSystem.FileSystem.use((fs) => fs.exists(path)).pipe(located(path))

/** What git is asked. It takes no lock on the index for it, which would stay behind if both were killed meanwhile. */
const question = ["--no-optional-locks", "status", "--porcelain=v2", "--branch", "--untracked-files=no"] as const

/**
 * The commit of a checkout as git reports it, "-dirty" behind it where tracked files differ; none if git is missing or fails, or if
 * the checkout merely contains the folder.
 */
export const commitOf = Effect.fnUntraced(function*(folder: string) {
  if (!(yield* exists(join(folder, ".git")))) return null
  const spawner = yield* ChildProcessSpawner
  const asked = ChildProcess.make("git", ["-C", folder, ...question])
  const answer = yield* Effect.orElseSucceed(spawner.string(asked), () => "")
  const [, id] = /^# branch\.oid ([0-9a-f]{40})$/m.exec(answer) ?? []
  return id === undefined ? null : /^[^#]/m.test(answer) ? `${id}-dirty` : id
})

const flakeLock = Effect.gen(function*() {
  const path = join(root, "flake.lock")
  return (yield* exists(path)) ? sha256(yield* readBytes(path)) : null
})

/** The environment of this process. */
export const environment = Effect.gen(function*() {
  const { precision, provider, threads } = yield* Session
  return {
    version: versionOf("../../package.json"),
    commit: yield* commitOf(root),
    node: process.versions.node,
    onnxruntime: versionOf("onnxruntime-node/package.json"),
    provider,
    threads,
    precision,
    platform: `${process.platform} ${process.arch} ${release()}`,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    flakeLock: yield* flakeLock
  } satisfies Environment as Environment
}).pipe(Effect.withSpan("environment"))
