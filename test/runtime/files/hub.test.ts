/** Models of the Hub, from a server of ours that speaks its protocol. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { systemError } from "effect/PlatformError"
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { dirname, join } from "node:path"
import { HubError } from "../../../src/runtime/files/hub/errors.ts"
import { parse, show } from "../../../src/runtime/files/hub/ids.ts"
import { locate, pin } from "../../../src/runtime/files/hub/models.ts"
import { needed } from "../../../src/runtime/files/hub/needed.ts"
import { Reporter } from "../../../src/runtime/ports/Reporter.ts"
import { folderOf } from "../../support/files.ts"
import * as Hub from "../../support/hub.ts"
import { warned } from "../../support/warnings.ts"

const [NAME, COMMIT, NEXT] = ["some-org/Some.Model", "a".repeat(40), "b".repeat(40)]
const weights = new Uint8Array(300_000).map((_, i) => (i * 7919) % 251)
const repo: Hub.Repo = {
  commit: COMMIT,
  files: {
    ".gitattributes": "*.safetensors filter=lfs",
    "README.md": "# A model",
    "config.json": "{\"model_type\": \"llama\"}",
    "generation_config.json": "{}",
    "tokenizer.json": "{\"model\": {}}",
    "tokenizer_config.json": "{}",
    "model.safetensors": weights,
    "pytorch_model.bin": weights,
    "onnx/model.onnx": weights
  },
  large: ["model.safetensors", "pytorch_model.bin", "onnx/model.onnx"],
  revisions: ["v1.0", "refs/pr/1"]
}
const NEEDED = ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]

type Variables = Readonly<Record<string, string>>

/** A server with one repository, a cache, and what is said. */
const setting = Effect.fnUntraced(function*(own: Partial<Hub.Repo> = {}) {
  const hub = yield* Hub.start({ [NAME]: { ...repo, ...own } })
  const home = yield* folderOf({})
  const notes: Array<string> = []
  const reporter = Layer.succeed(Reporter, {
    report: () => Effect.void,
    note: (line) => Effect.sync(() => void notes.push(line))
  })
  const within = (variables: Variables) => {
    const env = { HF_HOME: home, HF_ENDPOINT: hub.endpoint, ...variables }
    return Layer.mergeAll(reporter, NodeFileSystem.layer, ConfigProvider.layer(ConfigProvider.fromEnv({ env })))
  }
  const folder = join(home, "hub", "models--some-org--Some.Model")
  return {
    hub,
    home,
    folder,
    notes,
    snapshot: join(folder, "snapshots", COMMIT),
    pin: (name: string, variables: Variables = {}) => warned(pin(name)).pipe(Effect.provide(within(variables))),
    /** The same on a file system on which these operations are denied. */
    pinDenied: (name: string, ...denied: ReadonlyArray<"makeDirectory" | "rename" | "symlink" | "link">) => {
      const over = Layer.effect(
        FileSystem.FileSystem,
        Effect.map(FileSystem.FileSystem, (fs) => {
          const deny = (method: string) => () =>
            Effect.fail(systemError({ _tag: "PermissionDenied", module: "FileSystem", method }))
          return { ...fs, ...Object.fromEntries(denied.map((method) => [method, deny(method)])) }
        })
      ).pipe(Layer.provide(NodeFileSystem.layer))
      return warned(pin(name)).pipe(Effect.provide(Layer.provideMerge(over, within({}))))
    },
    locate: (name: string) => locate(name).pipe(Effect.provide(within({})))
  }
})
type Setting = Effect.Success<ReturnType<typeof setting>>

const live = (
  name: string,
  own: Partial<Hub.Repo>,
  test: (s: Setting) => Effect.Effect<void, unknown>,
  timeout = 30_000
) =>
  it.live(
    name,
    () => Effect.flatMap(setting(own), test).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)),
    timeout
  )

const refused = (effect: ReturnType<Setting["pin"]>) =>
  Effect.map(Effect.flip(effect), (error) => {
    assert.instanceOf(error, HubError)
    return error as HubError
  })

const bytesOf = (content: string | Uint8Array): Uint8Array =>
  typeof content === "string" ? new TextEncoder().encode(content) : content

const filesUnder = (folder: string): ReadonlyArray<string> =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) => !one.isDirectory())
      .map((one) => join(one.parentPath, one.name).slice(folder.length + 1)).toSorted()
    : []

describe("a name", () => {
  it("is an id if it has the form of one", () => {
    for (
      const [text, repo, revision] of [
        ["HuggingFaceTB/SmolLM2-135M-Instruct", "HuggingFaceTB/SmolLM2-135M-Instruct", "main"],
        ["org/name@v1.0", "org/name", "v1.0"],
        ["org/name@refs/pr/1", "org/name", "refs/pr/1"],
        [`org/n_a.m-e@${COMMIT}`, "org/n_a.m-e", COMMIT]
      ] as const
    ) {
      assert.deepStrictEqual(parse(text), { repo, revision })
      assert.strictEqual(show(parse(text)!), text)
    }
  })
  it("is a path if it has not", () => {
    for (
      const text of [
        "name",
        "./org/name",
        "/org/name",
        "../name",
        "a/b/c",
        "org/name/",
        "org/na--me",
        "org/na..me",
        "org/name.git",
        "org/name@",
        "org/name@../../x",
        "org/name@a//b",
        "org/name@.x",
        "org/na me",
        "org\\name",
        "org/",
        ""
      ]
    ) assert.isUndefined(parse(text), text)
  })
})

describe("of a repository", () => {
  const of = (...names: ReadonlyArray<string>) => needed(["config.json", "tokenizer.json", ...names])
  it("one file of weights is needed, or the index of shards", () => {
    assert.deepStrictEqual(
      of("model.safetensors", "model.safetensors.index.json", "model-00001-of-00002.safetensors"),
      {
        files: ["config.json", "tokenizer.json", "model.safetensors"],
        sharded: false
      }
    )
    assert.deepStrictEqual(of("model.safetensors.index.json", "model-00001-of-00002.safetensors", "x.bin"), {
      files: ["config.json", "tokenizer.json", "model.safetensors.index.json"],
      sharded: true
    })
  })
  it("the modules of sentence-transformers are needed, and files of ColBERT and PyLate", () => {
    const names = ["modules.json", "1_Pooling/config.json", "2_Dense/config.json", "2_Dense/model.safetensors"]
    const more = ["artifact.metadata", "sentence_bert_config.json", "config_sentence_transformers.json"]
    const wanted = of("model.safetensors", ...names, ...more, "2_Dense/pytorch_model.bin", "openvino/config.json")
    assert.isObject(wanted)
    assert.sameMembers([...Object(wanted).files], [
      "config.json",
      "tokenizer.json",
      "model.safetensors",
      ...names,
      ...more
    ])
  })
  it("an adapter's own files are needed, not those of a merged model beside it", () => {
    assert.deepStrictEqual(of("adapter_config.json", "adapter_model.safetensors", "model.safetensors"), {
      files: ["adapter_config.json", "tokenizer.json", "adapter_model.safetensors"],
      sharded: false
    })
  })
  it("nothing is needed if it cannot be loaded, and the reason is told", () => {
    assert.match(
      String(of("pytorch_model.bin")),
      /^has no model.safetensors \(its weights: pytorch_model.bin\): only safe/
    )
    assert.match(
      String(of("adapter_config.json", "adapter_model.bin")),
      /^has no adapter_model.safetensors .*model.bin/
    )
    const openClip = ["open_clip_config.json", "tokenizer.json", "vocab.txt", "open_clip_pytorch_model.bin"]
    assert.deepStrictEqual(needed([...openClip, "open_clip_model.safetensors"]), {
      files: ["open_clip_config.json", "tokenizer.json", "open_clip_model.safetensors"],
      sharded: false
    })
    assert.match(
      String(needed(openClip)),
      /^has no open_clip_model.safetensors \(its weights: open_clip_pytorch_model.bin\): only safe/
    )
    assert.match(String(needed(["model.gguf"])), /^has no config.json \(its weights: model.gguf\)/)
    assert.match(String(needed(["config.json", "vocab.txt", "model.safetensors"])), /^has no tokenizer.json: it is no/)
  })
})

describe("a model of the Hub", () => {
  live(
    "is fetched as far as it is needed, into the cache's layout, after its size is said",
    {},
    (s) =>
      Effect.gen(function*() {
        const { lines, value } = yield* s.pin(NAME)
        assert.strictEqual(value, `${NAME}@${COMMIT}`)
        assert.deepStrictEqual(lines, [])
        assert.deepStrictEqual(filesUnder(s.snapshot), NEEDED)
        const link = readlinkSync(join(s.snapshot, "model.safetensors"))
        assert.strictEqual(link, join("..", "..", "blobs", Hub.sha256(weights)))
        assert.isTrue(readFileSync(join(s.snapshot, "model.safetensors")).equals(weights))
        assert.isTrue(lstatSync(join(s.snapshot, "config.json")).isSymbolicLink())
        assert.strictEqual(readFileSync(join(s.folder, "refs", "main"), "utf8"), COMMIT)
        assert.strictEqual(filesUnder(join(s.folder, "blobs")).length, 4)
        assert.deepStrictEqual(s.notes, [
          `${NAME} (commit ${COMMIT}): downloading 4 of 5 files, 293 KiB, from ${s.hub.endpoint} to ${
            join(s.home, "hub")
          }`
        ])
        const { folder, id } = yield* s.locate(value)
        assert.strictEqual(folder, s.snapshot)
        assert.deepStrictEqual(id, { repo: NAME, revision: COMMIT })
      })
  )
  live(
    "is asked only for its commit once it is cached, and not at all by its commit or offline",
    {},
    (s) =>
      Effect.gen(function*() {
        yield* s.pin(NAME)
        s.hub.asked()
        yield* s.pin(NAME)
        assert.deepStrictEqual(s.hub.asked(), [`api/models/${NAME}/revision/main`])
        assert.strictEqual((yield* s.pin(`${NAME}@${COMMIT}`)).value, `${NAME}@${COMMIT}`)
        for (const variable of ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"]) {
          const { lines, value } = yield* s.pin(NAME, { [variable]: "1" })
          assert.strictEqual(value, `${NAME}@${COMMIT}`)
          assert.deepStrictEqual(lines, [])
        }
        assert.deepStrictEqual(s.hub.asked(), [])
      })
  )
  live("is had at a tag, a branch or a request, each a reference of its own", {}, (s) =>
    Effect.gen(function*() {
      for (const revision of ["v1.0", "refs/pr/1"]) {
        assert.strictEqual((yield* s.pin(`${NAME}@${revision}`)).value, `${NAME}@${COMMIT}`)
        assert.strictEqual(readFileSync(join(s.folder, "refs", revision), "utf8"), COMMIT)
      }
    }))
  live("that has a new commit is fetched in what changed, beside the old one", {}, (s) =>
    Effect.gen(function*() {
      yield* s.pin(NAME)
      s.hub.set(NAME, { ...repo, commit: NEXT, files: { ...repo.files, "config.json": "{\"model_type\": \"qwen2\"}" } })
      s.hub.asked()
      assert.strictEqual((yield* s.pin(NAME)).value, `${NAME}@${NEXT}`)
      assert.deepStrictEqual(s.hub.asked().slice(1), [`${NAME}/resolve/${NEXT}/config.json`])
      assert.deepStrictEqual(readdirSync(join(s.folder, "snapshots")), [COMMIT, NEXT])
      assert.deepStrictEqual(filesUnder(join(s.folder, "snapshots", NEXT)), NEEDED)
    }))
  live("in shards is fetched by its index", {
    files: {
      "config.json": "{}",
      "tokenizer.json": "{}",
      "model.safetensors.index.json": JSON.stringify({
        weight_map: { a: "part-1.safetensors", b: "part-2.safetensors" }
      }),
      "part-1.safetensors": weights,
      "part-2.safetensors": weights.subarray(7),
      "part-3.safetensors": weights.subarray(8)
    },
    large: ["part-1.safetensors", "part-2.safetensors", "part-3.safetensors"]
  }, (s) =>
    Effect.gen(function*() {
      yield* s.pin(NAME)
      assert.deepStrictEqual(filesUnder(s.snapshot), [
        "config.json",
        "model.safetensors.index.json",
        "part-1.safetensors",
        "part-2.safetensors",
        "tokenizer.json"
      ])
      assert.match(s.notes.join("\n"), /downloading 3 of 5 files, 586 KiB/)
      rmSync(join(s.snapshot, "part-2.safetensors"))
      assert.strictEqual((yield* refused(s.pin(NAME, { HF_HUB_OFFLINE: "1" }))).kind, "offline")
      yield* s.pin(`${NAME}@${COMMIT}`)
      assert.isTrue(existsSync(join(s.snapshot, "part-2.safetensors")))
    }))
  live(
    "is used out of a cache that cannot be written to, even one without lists or references",
    {},
    (s) =>
      Effect.gen(function*() {
        yield* s.pin(NAME)
        for (const part of ["trees", "refs"]) rmSync(join(s.folder, part), { recursive: true })
        const { lines, value } = yield* s.pinDenied(NAME, "makeDirectory", "rename", "symlink", "link")
        assert.strictEqual(value, `${NAME}@${COMMIT}`)
        assert.deepStrictEqual(lines, [])
        assert.isFalse(existsSync(join(s.folder, "refs")))
      })
  )
  live("has hard links or copies where there are no symbolic ones", {}, (s) =>
    Effect.gen(function*() {
      for (const denied of [["symlink"], ["symlink", "link"]] as const) {
        rmSync(s.folder, { recursive: true, force: true })
        yield* s.pinDenied(NAME, ...denied)
        const path = join(s.snapshot, "model.safetensors")
        assert.isTrue(lstatSync(path).isFile())
        assert.strictEqual(lstatSync(path).nlink, denied.length === 1 ? 2 : 1)
        assert.isTrue(readFileSync(path).equals(weights))
        rmSync(join(s.folder, "blobs"), { recursive: true })
        s.hub.asked()
        yield* s.pin(NAME)
        assert.lengthOf(s.hub.asked(), 1)
      }
    }))
  live("is a folder where there is one of its name", {}, (s) =>
    Effect.gen(function*() {
      const name = "test/runtime"
      assert.isDefined(parse(name))
      assert.strictEqual((yield* s.pin(name)).value, name)
      assert.strictEqual((yield* s.pin("no/such/path")).value, "no/such/path")
      assert.deepStrictEqual(s.hub.asked(), [])
    }))
})

describe("a download", () => {
  live("that is cut goes on where it was cut", {}, (s) =>
    Effect.gen(function*() {
      s.hub.fail(Hub.sha256(weights), { cut: 100_000 }, { cut: 50_000 })
      const { lines } = yield* s.pin(NAME)
      const ranges = s.hub.seen.filter(({ host }) => host === "cdn").map(({ range }) => range)
      assert.deepStrictEqual(ranges.length, 3)
      const [first, second, third] = ranges.map((range) => Number(/\d+/.exec(range ?? "0")?.[0]))
      assert.strictEqual(first, 0)
      assert.isAbove(second!, 0)
      assert.isAbove(third!, second!)
      assert.match(lines[0]!, /some-org\/Some.Model: the connection was lost \(.*\); trying again in 1 s/)
      assert.isTrue(readFileSync(join(s.snapshot, "model.safetensors")).equals(weights))
    }))
  live("that was left by a killed process goes on where it ended", {}, (s) =>
    Effect.gen(function*() {
      const blobs = join(s.folder, "blobs")
      mkdirSync(blobs, { recursive: true })
      writeFileSync(join(blobs, `${Hub.sha256(weights)}.anamnesis.incomplete`), weights.subarray(0, 123_456))
      yield* s.pin(NAME)
      assert.deepStrictEqual(s.hub.seen.filter(({ host }) => host === "cdn").map(({ range }) => range), [
        "bytes=123456-"
      ])
      assert.match(s.notes[0]!, /293 KiB, 121 KiB of them here already/)
      assert.isTrue(readFileSync(join(s.snapshot, "model.safetensors")).equals(weights))
      assert.isFalse(filesUnder(s.home).some((file) => /incomplete|\.lock$/.test(file)))
    }))
  live("begins anew where the server ignores ranges, or has none left", {}, (s) =>
    Effect.gen(function*() {
      const partial = join(s.folder, "blobs", `${Hub.sha256(weights)}.anamnesis.incomplete`)
      for (const fault of [{ whole: true }, { status: 416 }]) {
        rmSync(s.folder, { recursive: true, force: true })
        mkdirSync(dirname(partial), { recursive: true })
        writeFileSync(partial, weights.subarray(0, 1000))
        s.hub.fail(Hub.sha256(weights), fault)
        yield* s.pin(NAME)
        assert.isTrue(readFileSync(join(s.snapshot, "model.safetensors")).equals(weights))
      }
    }))
  live("with wrong bytes is made anew, and refused if it has them again", {}, (s) =>
    Effect.gen(function*() {
      const wrong = weights.map((byte, i) => i === 77 ? byte ^ 1 : byte)
      s.hub.fail(Hub.sha256(weights), { bytes: wrong })
      assert.match(
        (yield* s.pin(NAME)).lines.join("\n"),
        /model.safetensors: the bytes that came do not have its checksum/
      )
      assert.isTrue(readFileSync(join(s.snapshot, "model.safetensors")).equals(weights))
      for (
        const [file, bytes] of [["model.safetensors", wrong], ["config.json", "{\"model_type\": \"lLama\"}"]] as const
      ) {
        rmSync(s.folder, { recursive: true })
        const fault = { bytes: bytesOf(bytes) }
        s.hub.fail(file === "config.json" ? "/config.json" : Hub.sha256(weights), fault, fault)
        const error = yield* refused(s.pin(NAME))
        assert.strictEqual(error.kind, "corrupt")
        assert.match(
          error.message,
          new RegExp(`^${NAME}: ${file}: the bytes that came do not have its checksum .*, twice`)
        )
        assert.isFalse(existsSync(join(s.snapshot, file)))
        const tag = file === "config.json" ? Hub.gitSha1(bytesOf(repo.files[file]!)) : Hub.sha256(weights)
        assert.isFalse(filesUnder(s.home).some((one) => one.includes(tag) || one.endsWith(".lock")))
      }
    }))
  live("of too many bytes, or of a pointer in place of the file, is refused", {}, (s) =>
    Effect.gen(function*() {
      s.hub.fail(Hub.sha256(weights), { bytes: new Uint8Array(weights.length + 1) })
      assert.match((yield* refused(s.pin(NAME))).message, /model.safetensors: more came than its 300000 bytes/)
      s.hub.fail(Hub.sha256(weights), { bytes: new TextEncoder().encode(Hub.pointer(weights)) })
      assert.match((yield* refused(s.pin(NAME))).message, /what came is a pointer of Git LFS/)
      assert.isFalse(filesUnder(s.home).some((one) => one.includes(Hub.sha256(weights))))
    }))
  live("by several at once is made by one of them", {}, (s) =>
    Effect.gen(function*() {
      s.hub.fail(Hub.sha256(weights), { cut: 1000 })
      const all = yield* Effect.all(Array.from({ length: 5 }, () => s.pin(NAME)), { concurrency: "unbounded" })
      assert.deepStrictEqual([...new Set(all.map(({ value }) => value))], [`${NAME}@${COMMIT}`])
      assert.strictEqual(s.hub.asked().filter((path) => path.endsWith("config.json") && !path.includes("_")).length, 1)
      assert.include(s.notes.join("\n"), `${NAME}: waiting for process ${process.pid}, which is downloading it`)
      assert.isTrue(readFileSync(join(s.snapshot, "model.safetensors")).equals(weights))
    }))
  live(
    "does not begin where the disk has too little room",
    { sizes: { "model.safetensors": 2 ** 52 } },
    (s) =>
      Effect.gen(function*() {
        const error = yield* refused(s.pin(NAME))
        assert.strictEqual(error.kind, "space")
        assert.match(
          error.message,
          /4.00 PiB are to be downloaded, and .*hub has room for .*: make room, or set HF_HOME/
        )
        assert.isFalse(s.hub.asked().some((path) => path.includes("/resolve/")))
      })
  )
  live("does not begin where nothing could be loaded", {
    files: { "config.json": "{}", "tokenizer.json": "{}", "pytorch_model.bin": weights }
  }, (s) =>
    Effect.gen(function*() {
      const error = yield* refused(s.pin(NAME))
      assert.strictEqual(error.kind, "unsuitable")
      assert.match(
        error.message,
        /has no model.safetensors \(its weights: pytorch_model.bin\): only safetensors are read/
      )
      assert.isFalse(s.hub.asked().some((path) => path.includes("/resolve/")))
    }))
})

describe("the Hub", () => {
  live("that is too busy is asked again when it says so", {}, (s) =>
    Effect.gen(function*() {
      const before = Date.now()
      s.hub.fail("revision/main", { status: 429, headers: { "retry-after": "2" } }, { status: 503 })
      const { lines } = yield* s.pin(NAME)
      assert.isAtLeast(Date.now() - before, 4000)
      assert.match(lines.join("\n"), /answers 429; trying again in 2 s\n.*answers 503; trying again in 2 s/)
      const soon = new Date(Date.now() + 3000).toUTCString()
      s.hub.fail("revision/main", { status: 429, headers: { "retry-after": soon } })
      s.hub.fail("/config.json", { status: 429, headers: { ratelimit: "\"resolvers\";r=0;t=2" } })
      s.hub.set(NAME, { ...repo, commit: NEXT, files: { ...repo.files, "config.json": "{\"a\": 1}" } })
      rmSync(s.folder, { recursive: true })
      const again = (yield* s.pin(NAME)).lines.join("\n")
      assert.match(again, /answers 429; trying again in [23] s\n.*answers 429; trying again in 2 s/)
    }))
  live("that wants a pause of an hour is not waited for", {}, (s) =>
    Effect.gen(function*() {
      s.hub.fail("revision/main", { status: 429, headers: { "retry-after": "3600" } })
      const error = yield* refused(s.pin(NAME))
      assert.strictEqual(error.kind, "unreachable")
      assert.match(error.message, /answers 429, for 3600 s; nor is there a folder/)
    }))
  live(
    "that does not answer, or stops in the middle, is given up after some attempts",
    {},
    (s) =>
      Effect.gen(function*() {
        const patience = { HF_HUB_ETAG_TIMEOUT: "1", HF_HUB_DOWNLOAD_TIMEOUT: "1" }
        s.hub.fail("revision/main", { stall: -1 })
        s.hub.fail(Hub.sha256(weights), { stall: 5000 })
        const { lines } = yield* s.pin(NAME, patience)
        assert.match(lines[0]!, /127.0.0.1:\d+ does not answer within 1 s; trying again in 1 s/)
        assert.match(lines[1]!, /nothing more came within 1 s; trying again in 1 s/)
        assert.isTrue(readFileSync(join(s.snapshot, "model.safetensors")).equals(weights))
      })
  )
  live("that cannot be reached leaves the cache to be used, which is told", {}, (s) =>
    Effect.gen(function*() {
      yield* s.pin(NAME)
      const { lines, value } = yield* s.pin(NAME, { HF_ENDPOINT: "http://127.0.0.1:9" })
      assert.strictEqual(value, `${NAME}@${COMMIT}`)
      assert.match(
        lines.join("\n"),
        /127.0.0.1:9 cannot be reached \(.*\) \(1 attempts\); commit a+ is used, as cached/
      )
    }))
  live(
    "that cannot be reached is named in the error, with the folder that there is not",
    {},
    (s) =>
      Effect.gen(function*() {
        const error = yield* refused(
          s.pin("runs/modle", { HF_ENDPOINT: "http://127.0.0.1:9", HTTPS_PROXY: "http://p" })
        )
        assert.strictEqual(error.kind, "unreachable")
        assert.match(
          error.message,
          /^runs\/modle: 127.0.0.1:9 cannot be reached \(.*\); Node uses HTTPS_PROXY only with NODE_USE_ENV_PROXY=1 \(5 attempts\); nor is there a folder \/.*runs\/modle$/
        )
      })
  )
  live("lacks models, revisions and files, and says which", {}, (s) =>
    Effect.gen(function*() {
      const model = yield* refused(s.pin("runs/modle"))
      assert.strictEqual(model.kind, "absent")
      assert.match(model.message, /has no such model; if it is private, a token is needed .*nor is there a folder/)
      assert.match(
        (yield* refused(s.pin(`${NAME}@v9`))).message,
        /has some-org\/Some.Model, but no revision "v9" of it; nor is there a folder/
      )
      s.hub.fail("/config.json", { status: 404, headers: { "x-error-code": "EntryNotFound" } })
      assert.match((yield* refused(s.pin(NAME))).message, /lists config.json, but does not have it/)
    }))
  live(
    "shows a private model to the token alone, which the CDN does not get",
    { access: "private" },
    (s) =>
      Effect.gen(function*() {
        assert.match((yield* refused(s.pin(NAME))).message, /if it is private, a token is needed \(HF_TOKEN/)
        assert.match(
          (yield* refused(s.pin(NAME, { HF_TOKEN: "hf_other" }))).message,
          /the token that is set does not allow/
        )
        const bad = yield* refused(s.pin(NAME, { HF_TOKEN: "other" }))
        assert.strictEqual(bad.kind, "denied")
        assert.match(bad.message, /does not accept the token: renew HF_TOKEN.*\(Invalid credentials/)
        writeFileSync(join(s.home, "token"), `${Hub.TOKEN}\n`)
        assert.match((yield* refused(s.pin(NAME, { HF_HUB_DISABLE_IMPLICIT_TOKEN: "1" }))).message, /a token is needed/)
        yield* s.pin(NAME)
        const tokens = s.hub.seen.filter(({ host }) => host === "cdn").map(({ token }) => token)
        assert.deepStrictEqual(tokens, [undefined])
      })
  )
  live("shows a gated model to those who accepted its terms", { access: "gated" }, (s) =>
    Effect.gen(function*() {
      const error = yield* refused(s.pin(NAME))
      assert.strictEqual(error.kind, "gated")
      assert.match(
        error.message,
        /is gated: accept its terms at http.*\/some-org\/Some.Model, then set HF_TOKEN .*Visit/
      )
      const other = yield* refused(s.pin(NAME, { HF_TOKEN: "hf_other" }))
      assert.match(other.message, /accept its terms at .*, as the owner of the token/)
      const path = join(s.home, "elsewhere")
      writeFileSync(path, Hub.TOKEN)
      yield* s.pin(NAME, { HF_TOKEN_PATH: path })
    }))
})

describe("the environment", () => {
  live("names the cache, as in Python", {}, (s) =>
    Effect.gen(function*() {
      const own = join(s.home, "own")
      yield* s.pin(NAME, { HF_HUB_CACHE: "${PLACE}/own", PLACE: s.home })
      assert.isTrue(existsSync(join(own, "models--some-org--Some.Model", "snapshots", COMMIT, "config.json")))
      yield* s.pin(NAME, { HF_HOME: "", XDG_CACHE_HOME: join(s.home, "xdg") })
      assert.isTrue(existsSync(join(s.home, "xdg", "huggingface", "hub", "models--some-org--Some.Model")))
    }))
  live("with invalid values is refused by name", {}, (s) =>
    Effect.gen(function*() {
      assert.match((yield* refused(s.pin(NAME, { HF_ENDPOINT: "ftp://x" }))).message, /HF_ENDPOINT: must be an address/)
      const error = yield* refused(s.pin(NAME, { HF_HUB_ETAG_TIMEOUT: "soon" }))
      assert.match(error.message, /HF_HUB_ETAG_TIMEOUT: must be a whole number of seconds/)
    }))
  live("that forbids requests names what the cache lacks", {}, (s) =>
    Effect.gen(function*() {
      const error = yield* refused(s.pin(NAME, { HF_HUB_OFFLINE: "true" }))
      assert.strictEqual(error.kind, "offline")
      assert.match(
        error.message,
        /hub has no such model, and HF_HUB_OFFLINE forbids to fetch it; nor is there a folder/
      )
      assert.deepStrictEqual(s.hub.asked(), [])
    }))
})

describe("models in a folder that the environment names", () => {
  live("are taken from there, without a request, and told", {}, ({ home, hub, notes, pin }) =>
    Effect.gen(function*() {
      const models = join(home, "models")
      mkdirSync(join(models, "Some.Model"), { recursive: true })
      writeFileSync(join(models, "Some.Model", "some.Q4_1.gguf"), "")
      const path = join(models, "Some.Model", "some.Q4_1.gguf")
      assert.strictEqual((yield* pin(NAME, { ANAMNESIS_MODELS: models })).value, path)
      assert.strictEqual((yield* pin(`${NAME}@v1.0`, { ANAMNESIS_MODELS: models })).value, path)
      assert.strictEqual((yield* pin("./org/x", { ANAMNESIS_MODELS: models })).value, "./org/x")
      assert.deepStrictEqual(notes, [
        `${NAME}: taken from ${path}`,
        `${NAME}: taken from ${path} (which may be of another revision than v1.0)`
      ])
      const { message } = yield* Effect.flip(pin("org/other", { ANAMNESIS_MODELS: models }))
      assert.match(message, /^org\/other: there is no .*models\/other; ANAMNESIS_MODELS names the folder$/)
      assert.deepStrictEqual(hub.asked(), [])
    }))
})
