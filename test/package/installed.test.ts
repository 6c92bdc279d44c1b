/** The tarball of `npm pack`, installed in an empty project: what others get. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { checkPackage } from "../../scripts/checkPackage.ts"
import { entryPoints, manifest } from "../../scripts/entryPoints.ts"
import { blocksOf } from "../docs/blocks.ts"
import { anamnesis, jsonLines, prepare } from "../support/cli.ts"
import { contents, copy, node, pack, project, typeCheck } from "../support/project.ts"
import * as Tiny from "../support/tiny.ts"

let [tarball, folder, tiny] = ["", "", ""]
let shipped: ReadonlyArray<string> = []
const installed = (...path: ReadonlyArray<string>) => join(folder, "node_modules", manifest.name, ...path)
const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
const run = (cwd: string, args: ReadonlyArray<string>, options = {}) =>
  anamnesis(cwd, args, { ...options, program: installed("dist", "bin.js") })

/** The README's pipeline, and what it learns from: a few questions of the medical world. */
const learning = `
import { Console, Effect } from "effect"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Frame from "anamnesis/domain/Frame"
import { surroundings, world } from "./examples/world.ts"
import { learn } from "./pipeline.ts"

const program = Effect.gen(function*() {
  const here = yield* world
  const rows = yield* learn(here.questions).pipe(Effect.provide(surroundings(here).layer))
  yield* Console.log(JSON.stringify({ columns: Object.keys(rows.columns), loss: [...Frame.column(rows, "readerLoss")] }))
})
await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)))
`

/** An example as a user of the package would write it. */
const asUser = (path: string): string =>
  readFileSync(path, "utf8").replaceAll(/"\.\.\/src\/(.*)\.ts"/g, `"${manifest.name}/$1"`)

beforeAll(async () => {
  tiny = await prepare()
  tarball = await pack(mkdtempSync(join(tmpdir(), "anamnesis-pack-")))
  folder = await project(tarball)
  shipped = contents(installed())
  copy(folder, "data/world", "examples")
  for (const path of globSync("examples/*.ts")) write(path, asUser(path))
  const pipeline = blocksOf("README.md", readFileSync("README.md", "utf8")).find(({ language }) => language === "ts")
  write("pipeline.ts", pipeline!.text)
  write("learning.ts", learning)
  const names = entryPoints().map((module, i) => `export * as m${i} from "${manifest.name}/${module}"\n`)
  write("everything.ts", names.join(""))
}, 120_000)
afterAll(() => {
  for (const path of [folder, tiny, join(tarball, "..")]) rmSync(path, { recursive: true, force: true })
})

describe("the tarball", () => {
  it("has modules, types, maps and sources of every module, and what the demo needs", () => {
    const kinds = Map.groupBy(
      shipped.filter((path) => /^(dist|src)\/.*\.\w+$/.test(path)),
      (path) => path.replace(/^(dist|src)\/[^.]*/, "$1")
    )
    const counts = new Set([...kinds.values()].map((files) => files.length))
    assert.sameMembers([...kinds.keys()], ["dist.js", "dist.js.map", "dist.d.ts", "dist.d.ts.map", "src.ts"])
    assert.strictEqual(counts.size, 1)
    const rest = shipped.filter((path) => /\.\w+$/.test(path) && !/^(dist|src)\//.test(path))
    const demo = /^(data\/world\/(passages|questions\.\w+)\.jsonl|experiments\/demo\/[\w/]+\.(json|yaml))$/
    const known = ["CHANGELOG.md", "README.md", "package.json", "experiments/own.yaml"]
    assert.deepStrictEqual(rest.filter((path) => !demo.test(path) && !known.includes(path)), [])
    for (const path of ["LICENSE", "data/LICENSE", ...known]) assert.include(shipped, path)
  })
  it("has sources for its maps", () => {
    const maps = shipped.filter((path) => path.endsWith(".map"))
    const missing = maps.filter((path) => {
      const { sources } = JSON.parse(readFileSync(installed(path), "utf8")) as {
        readonly sources: ReadonlyArray<string>
      }
      return sources.some((source) => !shipped.includes(join(path, "..", source)))
    })
    assert.deepStrictEqual(missing, [])
  })
  it("is clean by publint and by Are the types wrong?", async () => {
    assert.deepStrictEqual(await checkPackage(tarball), [])
  }, 120_000)
})

describe("in an empty project", () => {
  it.each(
    [
      ["bundler", ["--module", "esnext", "--moduleResolution", "bundler"]],
      ["nodenext, and the package's declarations too", ["--skipLibCheck", "false"]]
    ] as const
  )("its types are right by the resolution of %s", async (_, options) => {
    assert.deepStrictEqual(await typeCheck(folder, ...options), { code: 0, out: "" })
  }, 120_000)
  it("its types tell a stage out of order", async () => {
    const text = readFileSync(join(folder, "pipeline.ts"), "utf8")
    const wrong = text.replace("Stage.andThen(everyThird), ", "")
    assert.notStrictEqual(wrong, text)
    const other = await project(tarball)
    writeFileSync(join(other, "pipeline.ts"), wrong)
    const { code, out } = await typeCheck(other)
    rmSync(other, { recursive: true })
    assert.notStrictEqual(code, 0)
    assert.match(out, /missing/)
  }, 60_000)
  it("every module can be imported, says nothing and ends", async () => {
    assert.deepStrictEqual(await node(folder, "everything.ts"), { code: 0, out: "" })
  })
  it("nothing else can", async () => {
    const paths = ["", "/cli/main", "/bin", "/runtime/tokenizers/models/bpe", "/dist/bin.js"]
    const tries = paths.map((path) => `await import("${manifest.name}${path}").catch(({ code }) => console.log(code))`)
    const { out } = await node(folder, "--input-type=module", "-e", tries.join("\n"))
    assert.deepStrictEqual(out.trim().split("\n"), paths.map(() => "ERR_PACKAGE_PATH_NOT_EXPORTED"))
  })
  it("the README's pipeline learns", async () => {
    const { code, out } = await node(folder, "learning.ts")
    assert.strictEqual(code, 0, out)
    const { columns, loss } = JSON.parse(out) as { readonly columns: Array<string>; readonly loss: Array<number> }
    assert.includeMembers(columns, ["question", "docs", "drawn", "nll", "preference", "readerLoss"])
    assert.isTrue(loss.length > 0 && loss.every((one) => one > 0), out)
  })
  it("an example prints what it prints here", async () => {
    const { out } = await node(folder, "examples/03_own_pipeline.ts")
    assert.strictEqual(out, readFileSync("examples/03_own_pipeline.txt", "utf8"))
  }, 120_000)
})

describe("its command line", () => {
  it("tells its version and what it runs on", async () => {
    assert.strictEqual((await run(folder, ["--version"])).out.trim(), `anamnesis v${manifest.version}`)
    const { code, err, out } = await run(folder, ["env", "--json"])
    assert.strictEqual(code, 0, err)
    assert.deepInclude(JSON.parse(out), { version: manifest.version, commit: null, provider: "cpu", flakeLock: null })
  })
  it("checks settings, and trains", async () => {
    const valid = await run(tiny, ["validate", "--config", "run.yaml", "--json"])
    assert.strictEqual(valid.code, 0, valid.err)
    assert.deepInclude(JSON.parse(valid.out), { passages: Tiny.passages.length })
    const trained = await run(tiny, ["train", "--config", "run.yaml", "--set", "max_steps=2", "--json"])
    assert.strictEqual(trained.code, 0, trained.err)
    assert.deepInclude(JSON.parse(trained.out), { steps: 2, checkpoint: "run/checkpoint-2" })
  }, 120_000)
  it("renders chat templates in a process of its own", async () => {
    const template = "{% for m in messages %}{{ m.role }}: {{ m.content }}{% endfor %}"
    const config = join(tiny, "reader", "tokenizer_config.json")
    writeFileSync(config, JSON.stringify({ chat_template: template }))
    writeFileSync(join(tiny, "asked.jsonl"), jsonLines(Tiny.questions.slice(0, 1)))
    const args = ["validate", "--config", "run.yaml", "--set", "apply_chat_template=true"]
    const { code, err } = await run(tiny, args)
    rmSync(config)
    assert.strictEqual(code, 0, err)
  }, 120_000)
  it("runs the demo in the current folder and writes nothing into the package", async () => {
    assert.match((await run(folder, ["demo", "--help"])).out, /Train and compare three small systems/)
    const { code, err } = await run(folder, ["demo"], { until: /copy 10\// })
    assert.strictEqual(code, 130, err)
    assert.match(err, /stopped, saved runs\/demo\/seed-1\/copy\/checkpoint-\d+/)
    assert.deepStrictEqual(contents(installed()), shipped)
  }, 120_000)
})
