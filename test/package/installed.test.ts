/** The tarball of `npm pack`, installed in an empty project: what others get. `installed.nightly.ts` has the longer half. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { checkPackage } from "../../scripts/checkPackage.ts"
import { entryPoints, manifest } from "../../scripts/entryPoints.ts"
import { node, project, typeCheck } from "../support/project.ts"
import * as Tiny from "../support/tiny.ts"
import { install, type Installed } from "./installation.ts"

let here: Installed
beforeAll(async () => {
  here = await install()
}, 120_000)
afterAll(() => here.remove())

describe("the tarball", () => {
  it("has modules, types, maps and sources of every module, and what the demo needs", () => {
    const assets = (root: string) =>
      here.shipped.flatMap((path) => /\/assets\//.test(path) && path.startsWith(root) ? [path.slice(root.length)] : [])
    assert.sameMembers(assets("dist/"), assets("src/"))
    assert.include(assets("dist/"), "report/page/assets/page.css")
    const kinds = Map.groupBy(
      here.shipped.filter((path) => /^(dist|src)\/.*\.\w+$/.test(path) && !/\/assets\//.test(path)),
      (path) => path.replace(/^(dist|src)\/[^.]*/, "$1")
    )
    const counts = new Set([...kinds.values()].map((files) => files.length))
    assert.sameMembers([...kinds.keys()], ["dist.js", "dist.js.map", "dist.d.ts", "dist.d.ts.map", "src.ts"])
    assert.strictEqual(counts.size, 1)
    const rest = here.shipped.filter((path) => /\.\w+$/.test(path) && !/^(dist|src)\//.test(path))
    const demo = /^(data\/world\/(passages|questions\.\w+)\.jsonl|experiments\/demo\/[\w/]+\.(json|yaml))$/
    const known = [
      "CHANGELOG.md",
      "README.md",
      "package.json",
      "experiments/own.yaml",
      "experiments/own-from-scratch.yaml"
    ]
    const read = /^(tasks\/[\w-]+\.yaml|experiments\/(?:stm|mediphi)\/[\w.-]+\.(?:yaml|md)|prompts\/[\w/-]+\.\w+)$/
    assert.deepStrictEqual(
      rest.filter((path) => ![demo, read].some((own) => own.test(path)) && !known.includes(path)),
      []
    )
    for (
      const path of [
        "LICENSE",
        "data/LICENSE",
        "prompts/hard-negative.md",
        "tasks/stm.yaml",
        "experiments/stm/ties.search.yaml",
        ...known
      ]
    ) {
      assert.include(here.shipped, path)
    }
  })
  it("has sources for its maps", () => {
    const maps = here.shipped.filter((path) => path.endsWith(".map"))
    const missing = maps.filter((path) => {
      const { sources } = JSON.parse(readFileSync(here.within(path), "utf8")) as {
        readonly sources: ReadonlyArray<string>
      }
      return sources.some((source) => !here.shipped.includes(join(path, "..", source)))
    })
    assert.deepStrictEqual(missing, [])
  })
  it("is clean by publint and, a module of each folder, by Are the types wrong?", async () => {
    const one = new Map(entryPoints().map((module) => [module.split("/")[0], module]))
    assert.deepStrictEqual(await checkPackage(here.tarball, [...one.values()]), [])
  }, 120_000)
})

describe("in an empty project", () => {
  it("its types are right, the package's declarations too", async () => {
    assert.deepStrictEqual(await typeCheck(here.folder, "--skipLibCheck", "false"), { code: 0, out: "" })
  }, 120_000)
  it("its types tell a stage out of order", async () => {
    const text = readFileSync(join(here.folder, "pipeline.ts"), "utf8")
    const wrong = text.replace("Stage.andThen(everyThird), ", "")
    assert.notStrictEqual(wrong, text)
    const other = await project(here.tarball)
    writeFileSync(join(other, "pipeline.ts"), wrong)
    const { code, out } = await typeCheck(other)
    rmSync(other, { recursive: true })
    assert.notStrictEqual(code, 0)
    assert.match(out, /missing/)
  }, 60_000)
  it("every module can be imported, says nothing and ends", async () => {
    assert.deepStrictEqual(await node(here.folder, "everything.ts"), { code: 0, out: "" })
  })
  it("nothing else can", async () => {
    const paths = ["", "/cli/main", "/bin", "/runtime/tokenizers/models/bpe", "/dist/bin.js"]
    const tries = paths.map((path) => `await import("${manifest.name}${path}").catch(({ code }) => console.log(code))`)
    const { out } = await node(here.folder, "--input-type=module", "-e", tries.join("\n"))
    assert.deepStrictEqual(out.trim().split("\n"), paths.map(() => "ERR_PACKAGE_PATH_NOT_EXPORTED"))
  })
  it("the README's pipeline learns", async () => {
    const { code, out } = await node(here.folder, "learning.ts")
    assert.strictEqual(code, 0, out)
    const { columns, loss } = JSON.parse(out) as { readonly columns: Array<string>; readonly loss: Array<number> }
    assert.includeMembers(columns, ["question", "docs", "drawn", "nll", "preference", "readerLoss"])
    assert.isTrue(loss.length > 0 && loss.every((one) => one > 0), out)
  })
})

describe("its command line", () => {
  it("tells its version and what it runs on", async () => {
    assert.strictEqual((await here.run(here.folder, ["--version"])).out.trim(), `anamnesis v${manifest.version}`)
    const { code, err, out } = await here.run(here.folder, ["env", "--json"])
    assert.strictEqual(code, 0, err)
    assert.deepInclude(JSON.parse(out), { version: manifest.version, commit: null, provider: "cpu", flakeLock: null })
  })
  it("checks settings, and trains", async () => {
    const valid = await here.run(here.tiny, ["validate", "--config", "run.yaml", "--json"])
    assert.strictEqual(valid.code, 0, valid.err)
    assert.deepInclude(JSON.parse(valid.out), { passages: Tiny.passages.length })
    const trained = await here.run(here.tiny, ["train", "--config", "run.yaml", "--set", "max_steps=2", "--json"])
    assert.strictEqual(trained.code, 0, trained.err)
    assert.deepInclude(JSON.parse(trained.out), { steps: 2, checkpoint: "run/checkpoint-2" })
  }, 120_000)
})
