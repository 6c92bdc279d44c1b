/** Commands whose models are those of the Hub, as processes of their own. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { anamnesis, type Ended, prepare } from "../support/cli.ts"
import * as Hub from "../support/hub.ts"

const COMMITS = { retriever: "1".repeat(40), reader: "2".repeat(40) }
type Part = keyof typeof COMMITS
const nameOf = (part: Part) => `tiny-org/${part}`
const pinOf = (part: Part) => `${nameOf(part)}@${COMMITS[part]}`

let folder = ""
beforeAll(async () => {
  folder = await prepare()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const filesOf = (part: Part) =>
  Object.fromEntries(
    readdirSync(join(folder, part)).filter((name) => name !== "untrained.json").map((name) => [
      name,
      readFileSync(join(folder, part, name))
    ])
  )
const repoOf = (part: Part): Hub.Repo => ({
  commit: COMMITS[part],
  files: { ...filesOf(part), "pytorch_model.bin": "others" },
  large: ["model.safetensors", "pytorch_model.bin"]
})

const ofHub = [
  "--set",
  `reader_name_or_path=${nameOf("reader")}`,
  "--set",
  `retriever_name_or_path=${nameOf("retriever")}`
]

/** A folder with the data and settings, and no models; a server that has them. */
const setting = Effect.gen(function*() {
  const hub = yield* Hub.start({ [nameOf("retriever")]: repoOf("retriever"), [nameOf("reader")]: repoOf("reader") })
  const place = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "anamnesis-hub-"))),
    (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true }))
  )
  for (const file of ["run.yaml", "passages.jsonl", "questions.jsonl"]) cpSync(join(folder, file), join(place, file))
  const env = { HF_HOME: join(place, "home"), HF_ENDPOINT: hub.endpoint }
  return {
    hub,
    place,
    env,
    run: (command: string, args: ReadonlyArray<string>, more: Readonly<Record<string, string>> = {}) =>
      Effect.promise(() => anamnesis(place, [command, "-c", "run.yaml", ...args], { env: { ...env, ...more } }))
  }
})

const live = (name: string, test: (s: Effect.Success<typeof setting>) => Effect.Effect<void>) =>
  it.live(
    name,
    () => Effect.flatMap(setting, test).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)),
    300_000
  )

const well = ({ code, err, out }: Ended): string => {
  assert.strictEqual(code, 0, err + out)
  return err
}
const json = (...path: ReadonlyArray<string>) => JSON.parse(readFileSync(join(...path), "utf8")) as any

describe("models of the Hub", () => {
  live(
    "are fetched before a run starts, named with their commits in all it leaves, and used offline after that",
    (s) =>
      Effect.gen(function*() {
        const said = well(yield* s.run("train", ofHub))
        assert.match(said, /tiny-org\/retriever \(commit 1+\): downloading \d of \d files, .* from http.* to .*hub\n/)
        assert.match(said, /tiny-org\/reader \(commit 2+\): downloading \d of \d files/)
        assert.match(said, /downloading tiny-org\/reader, KiB .* KiB\/s {2}ETA/)
        const settings = json(s.place, "run", "settings.json")
        assert.strictEqual(settings.reader_name_or_path, pinOf("reader"))
        assert.strictEqual(settings.retriever_name_or_path, pinOf("retriever"))
        assert.isFalse(existsSync(join(s.place, "tiny-org")))
        s.hub.asked()
        const offline = { HF_HUB_OFFLINE: "1" }
        const more = well(yield* s.run("train", [...ofHub, "--set", "max_steps=5", "--resume"], offline))
        assert.match(more, /max_steps was 4 and is 5/)
        assert.notInclude(well(yield* s.run("evaluate", ofHub, offline)), "other settings")
        assert.deepStrictEqual(s.hub.asked(), [])
        assert.strictEqual(json(s.place, "run", "eval-test", "metrics.json").judged.models.step, 5)
        const frozen = ["--set", "mode=frozen_rag", "--set", "output_dir=other"]
        well(yield* s.run("evaluate", [...ofHub, ...frozen], offline))
        assert.strictEqual(json(s.place, "other", "eval-test", "metrics.json").judged.models.reader, pinOf("reader"))
        well(yield* s.run("export", ["reader", "out", ...ofHub], offline))
        assert.include(readFileSync(join(s.place, "out", "README.md"), "utf8"), `base_model: "${nameOf("reader")}"`)
      })
  )
  live("are the base of adapters, which name them so that any machine can fetch them", (s) =>
    Effect.gen(function*() {
      const args = [...ofHub, "--set", "lora_r=2", "--set", "mode=no_retrieval"]
      well(yield* s.run("train", args))
      assert.isFalse(s.hub.asked().some((path) => path.includes("retriever")))
      const config = json(s.place, "run", "checkpoint-4", "reader", "adapter_config.json")
      assert.strictEqual(config.base_model_name_or_path, nameOf("reader"))
      assert.strictEqual(config.revision, COMMITS.reader)
      const elsewhere = { HF_HOME: join(s.place, "elsewhere") }
      well(yield* s.run("evaluate", args, elsewhere))
      assert.include(s.hub.asked(), `${nameOf("reader")}/resolve/${COMMITS.reader}/config.json`)
      assert.isTrue(
        existsSync(join(s.place, "elsewhere", "hub", "models--tiny-org--reader", "snapshots", COMMITS.reader))
      )
      const adapter = join(s.place, "run", "checkpoint-4", "reader")
      /** As PEFT writes it, without the base's commit. */
      const described = JSON.stringify({ ...config, revision: null })
      const names = readdirSync(adapter).filter((name) => name !== "state.safetensors")
      const read = names.map((name) => [name, readFileSync(join(adapter, name))] as const)
      const files = { ...Object.fromEntries(read), "adapter_config.json": described }
      s.hub.set("tiny-org/adapter", { commit: "3".repeat(40), files, large: ["adapter_model.safetensors"] })
      const own = [
        "--set",
        "reader_name_or_path=tiny-org/adapter",
        "--set",
        "output_dir=third",
        "--set",
        "mode=no_retrieval"
      ]
      well(yield* s.run("evaluate", own, { HF_HOME: join(s.place, "third-home") }))
      const { models } = json(s.place, "third", "eval-test", "metrics.json").judged
      assert.strictEqual(models.reader, `tiny-org/adapter@${"3".repeat(40)}`)
      assert.deepStrictEqual(models.bases, { reader_name_or_path: pinOf("reader") })
      assert.deepStrictEqual(
        json(s.place, "third", "eval-test", "metrics.json").accuracy,
        json(s.place, "run", "eval-test", "metrics.json").accuracy
      )
      const merged = yield* Effect.promise(() =>
        anamnesis(s.place, ["merge", "tiny-org/adapter", "merged"], { env: { ...s.env, ...elsewhere } })
      )
      well(merged)
      assert.isTrue(existsSync(join(s.place, "merged", "model.safetensors")))
    }))
  live(
    "are fetched by validate, plan and answer alike; a command by several processes at once is no harm",
    (s) =>
      Effect.gen(function*() {
        const both = yield* Effect.all([s.run("validate", ofHub), s.run("plan", [...ofHub, "--steps", "0"])], {
          concurrency: "unbounded"
        })
        both.map(well)
        const weights = s.hub.seen.filter(({ host }) => host === "cdn")
        assert.lengthOf(weights, 2)
        well(yield* s.run("answer", ["Which gene?", "--option", "GLA", "--option", "GAA", ...ofHub]))
        assert.lengthOf(s.hub.seen.filter(({ host }) => host === "cdn"), 2)
      })
  )
  live("of which a killed process had a part are fetched from there", (s) =>
    Effect.gen(function*() {
      const weights = filesOf("reader")["model.safetensors"]!
      const tag = Hub.sha256(weights)
      s.hub.fail(tag, { stall: 3000 })
      const partial = join(s.env.HF_HOME, "hub", "models--tiny-org--reader", "blobs", `${tag}.anamnesis.incomplete`)
      const args = [join(import.meta.dirname, "..", "..", "src", "bin.ts"), "validate", "-c", "run.yaml", ...ofHub]
      const child = spawn(process.execPath, args, { cwd: s.place, env: { ...process.env, ...s.env }, stdio: "ignore" })
      const closed = new Promise((resolve) => child.on("close", (_, signal) => resolve(signal)))
      while (!existsSync(partial) || statSync(partial).size < 3000) yield* Effect.sleep("20 millis")
      child.kill("SIGKILL")
      assert.strictEqual(yield* Effect.promise(() => closed), "SIGKILL")
      well(yield* s.run("validate", ofHub))
      assert.strictEqual(s.hub.seen.findLast(({ path }) => path.endsWith(tag))!.range, "bytes=3000-")
    }))
  live("that there are not stop a command at once, with both readings of the name", (s) =>
    Effect.gen(function*() {
      for (const command of ["validate", "train", "evaluate"]) {
        const { code, err } = yield* s.run(command, ["--set", "reader_name_or_path=runs/raeder", ...ofHub.slice(2)])
        assert.strictEqual(code, 1)
        assert.match(
          err,
          /anamnesis: runs\/raeder: 127.0.0.1:\d+ has no such model; .*; nor is there a folder \/.*runs\/raeder\n/
        )
      }
      const { err } = yield* s.run("init", ofHub)
      assert.match(
        err,
        /tiny-org\/reader is the name of a model of the Hub; for a folder to create, write .\/tiny-org\/reader/
      )
      assert.isFalse(existsSync(join(s.place, "tiny-org")))
    }))
  live("are those of an experiment's arms, looked up once for all of them", (s) =>
    Effect.gen(function*() {
      const { data } = { data: readFileSync(join(s.place, "run.yaml"), "utf8") }
      const settings = data.replace(
        "retriever_name_or_path: retriever",
        `retriever_name_or_path: ${nameOf("retriever")}`
      )
        .replace("reader_name_or_path: reader", `reader_name_or_path: ${nameOf("reader")}`)
        .split("\n").filter((line) => !line.startsWith("#")).map((line) => `  ${line}`).join("\n")
      const arms = "  none: { mode: no_retrieval }\n  frozen: { mode: frozen_rag }"
      writeFileSync(join(s.place, "plan.yaml"), `seeds: [1]\nsettings:\n${settings}\narms:\n${arms}\n`)
      const done = yield* Effect.promise(() => anamnesis(s.place, ["experiment", "plan.yaml"], { env: s.env }))
      well(done)
      const asked = s.hub.asked().filter((path) => path.startsWith("api/"))
      assert.sameMembers([...asked], [
        `api/models/${nameOf("reader")}/revision/main`,
        `api/models/${nameOf("retriever")}/revision/main`
      ])
      assert.strictEqual(json(s.place, "run", "seed-1", "frozen", "settings.json").reader_name_or_path, pinOf("reader"))
    }))
})
