/**
 * The cache of huggingface_hub, and ours as huggingface_hub sees it: `node test/golden/hub.ts PYTHON` writes hub.json
 * with what hub.py tells of a server of ours.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { execFile } from "node:child_process"
import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { pin } from "../../src/runtime/files/hub/models.ts"
import { silent } from "../../src/runtime/ports/Reporter.ts"
import * as Hub from "../support/hub.ts"

export const [NAME, COMMIT] = ["some-org/Some.Model", "0123456789abcdef0123456789abcdef01234567"] as const

export const repo: Hub.Repo = {
  commit: COMMIT,
  files: {
    "README.md": "# A model\n",
    "config.json": "{\"model_type\": \"bert\"}\n",
    "tokenizer.json": "{}\n",
    "modules.json": "[]\n",
    "1_Dense/config.json": "{}\n",
    "1_Dense/model.safetensors": "a dense layer",
    "model.safetensors": "weights that are large",
    "pytorch_model.bin": "others"
  },
  large: ["1_Dense/model.safetensors", "model.safetensors", "pytorch_model.bin"]
}
export const NEEDED = [
  "config.json",
  "modules.json",
  "tokenizer.json",
  "1_Dense/config.json",
  "1_Dense/model.safetensors",
  "model.safetensors"
]

/** A file of the cache, or a link. */
type Described = { readonly link: string } | { readonly text: string }
export interface Told {
  readonly version: string
  readonly snapshot: string
  readonly cache: Readonly<Record<string, Described>>
  readonly repos: ReadonlyArray<string>
  readonly refs: ReadonlyArray<ReadonlyArray<string>>
  readonly warnings: ReadonlyArray<string>
}
export interface Golden {
  /** What huggingface_hub downloads. */
  readonly theirs: Told
  /** What it makes of our cache, offline; and the requests it made. */
  readonly ours: Told
  readonly asked: ReadonlyArray<string>
}

/** Fetches the model into a cache. */
export const fetched = (env: Readonly<Record<string, string>>) =>
  pin(NAME).pipe(
    Effect.provide(Layer.mergeAll(NodeFileSystem.layer, silent, ConfigProvider.layer(ConfigProvider.fromEnv({ env }))))
  )

const ask = Effect.fnUntraced(function*(python: string, variables: Readonly<Record<string, string>>) {
  const env = { ...process.env, ...variables, HF_HUB_DISABLE_XET: "1", HF_HUB_DISABLE_TELEMETRY: "1" }
  const args = [join(import.meta.dirname, "hub.py"), NAME, COMMIT, NEEDED.join(",")]
  const { stdout } = yield* Effect.promise(() => promisify(execFile)(python, args, { env }))
  return JSON.parse(stdout) as Told
})

if (import.meta.main) {
  const python = process.argv[2] ?? "python"
  const home = () => mkdtempSync(join(tmpdir(), "hub-"))
  const made = Effect.gen(function*() {
    const hub = yield* Hub.start({ [NAME]: repo })
    const theirs = yield* ask(python, { HF_HOME: home(), HF_ENDPOINT: hub.endpoint })
    const own = { HF_HOME: home(), HF_ENDPOINT: hub.endpoint }
    yield* fetched(own)
    hub.asked()
    const ours = yield* ask(python, { ...own, HF_HUB_OFFLINE: "1" })
    return { theirs, ours, asked: hub.asked() } satisfies Golden
  })
  const golden = await Effect.runPromise(Effect.scoped(made))
  writeFileSync(join(import.meta.dirname, "hub.json"), `${JSON.stringify(golden, null, 1)}\n`)
}
