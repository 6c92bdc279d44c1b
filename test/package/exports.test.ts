/** What package.json lets others import is what there is to import. */
import { assert, describe, it } from "@effect/vitest"
import { globSync, readFileSync } from "node:fs"
import { posix } from "node:path"
import { dangling, renamed } from "../../scripts/build.ts"
import { entryPoints, type Manifest, manifest, modules, targetOf } from "../../scripts/entryPoints.ts"
import { refusal } from "../../src/cli/nodeVersion.ts"

/** Folders of `src` that are the command line's own. */
const own = new Set(["cli"])

const folders = [...new Set(modules.filter((module) => module.includes("/")).map((module) => module.split("/")[0]!))]

/** Keys that no module fits. */
const idle = (exports: Manifest["exports"]): ReadonlyArray<string> =>
  Object.keys(exports).filter((key) => key !== "./package.json" && !modules.some((module) => leads(key, module)))
const leads = (key: string, module: string): boolean =>
  key.endsWith("*") ? `./${module}`.startsWith(key.slice(0, -1)) : key === `./${module}`

/** Modules that are started by their URL: processes and workers, which do their work when they are imported. */
const started = modules.flatMap((module) =>
  [...readFileSync(`src/${module}.ts`, "utf8").matchAll(/new URL\("([^"]+)\.ts", import\.meta\.url\)/g)]
    .map((match) => posix.join(posix.dirname(module), match[1]!))
)

/** Modules that are imported for what they do. */
const effectful = modules.flatMap((module) =>
  [...readFileSync(`src/${module}.ts`, "utf8").matchAll(/^import "(\.[^"]+)\.ts"/gm)]
    .map((match) => posix.join(posix.dirname(module), match[1]!))
)

describe("exports", () => {
  const { exports } = manifest
  it("has a key for each folder of src but the command line", () => {
    const areas = Object.keys(exports).filter((key) => /^\.\/[^/]+\/\*$/.test(key)).map((key) => key.split("/")[1]!)
    assert.deepStrictEqual(areas.toSorted(), folders.filter((folder) => !own.has(folder)).toSorted())
  })
  it("leads each key to the source, the types and the module of the same name", () => {
    const areas = Object.entries(exports).filter(([key, target]) => key !== "./package.json" && target !== null)
    for (const [key, target] of areas) {
      const path = key.slice(2)
      const expected = {
        "anamnesis-source": `./src/${path}.ts`,
        types: `./dist/${path}.d.ts`,
        default: `./dist/${path}.js`
      }
      assert.deepStrictEqual([key, target], [key, expected])
      assert.deepStrictEqual(Object.keys(target as object), Object.keys(expected), "the source has to come first")
    }
  })
  it("has no key that leads nowhere", () => assert.deepStrictEqual(idle(exports), []))
  it("would be told of one", () => {
    assert.deepStrictEqual(idle({ "./stages/*": "", "./stage/*": "", "./bin": null, "./run": null }), [
      "./stage/*",
      "./run"
    ])
  })
  it("lets nobody import what does its work when it is imported", () => {
    assert.isAbove(started.length, 0)
    const offered = new Set(entryPoints())
    assert.deepStrictEqual(
      [...started, ...effectful, "bin"].filter((module) => offered.has(module)),
      [],
      "give such a module a key of its own with null"
    )
  })
  it("takes the longest key that fits", () => {
    const some = { "./a/*": "./a/*", "./a/b/*": null, "./a/b/c": "./c" }
    const found = ["a/x", "a/b/x", "a/b/c", "b/x"].map((module) => targetOf(some, module))
    assert.deepStrictEqual(found, ["./a/*", null, "./c", undefined])
  })
})

describe("package.json", () => {
  it("ships files that exist, and no tests or data but the demo's", () => {
    const files = manifest["files"] as ReadonlyArray<string>
    assert.deepStrictEqual(files.filter((path) => path !== "dist" && globSync(path).length === 0), [])
    const plan = readFileSync("experiments/demo/experiment.yaml", "utf8")
    const named = [...plan.matchAll(/: ((?:data|experiments)\/\S+)/g)].map((match) => match[1]!)
    const shipped = (path: string) => files.some((file) => path === file || path.startsWith(`${file}/`))
    assert.isAtLeast(named.length, 5)
    assert.deepStrictEqual(named.filter((path) => !shipped(path)), [])
    assert.deepStrictEqual(files.filter((path) => /^(test|bench|examples|scripts)\b/.test(path)), [])
    assert.isFalse(shipped("data/generate.ts"))
  })
  it("names every module that is imported for what it does", () => {
    const globs = manifest.sideEffects.flatMap((path) =>
      globSync(path.replace("./dist/", "src/").replace(/\.js$/, ".ts"))
    )
    const named = new Set(globs.map((path) => path.replaceAll("\\", "/")))
    assert.deepStrictEqual([...effectful, "bin"].filter((module) => !named.has(`src/${module}.ts`)), [])
  })
  it("has whoever installs it bring the one Effect that both use, and nothing for this machine alone", () => {
    assert.deepStrictEqual(Object.keys(manifest.peerDependencies), ["effect"])
    assert.notProperty(manifest.dependencies, "effect")
    assert.deepStrictEqual(Object.keys(manifest.optionalDependencies), ["koffi", "sharp"])
  })
  it("has a semantic version, a licence with its text, and a Node", () => {
    assert.match(manifest.version, /^\d+\.\d+\.\d+(-[\w.-]+)?$/)
    assert.include(readFileSync("LICENSE", "utf8").replace(/\s+/g, " "), "Apache License Version 2.0")
    assert.strictEqual(manifest["license"], "Apache-2.0")
  })
})

describe("the build", () => {
  it("renames what modules and declarations name, and what starts a process", () => {
    const given = `import { a } from "./a.ts"
export * from "../b.ts"
type C = import("./c.ts").C
const d = new URL("./d.ts", import.meta.url)
const e = await import("./e.ts")
/** Reads "./f.ts". */
import f from "f/f.ts"`
    assert.strictEqual(renamed(given), given.replaceAll(/(?<="\.[^"]*[a-e])\.ts/g, ".js"))
  })
  it("tells what leads nowhere", () => {
    const text = "import \"./nowhere.ts\"\nimport \"./exports.test.ts\"\nnew URL(\"../types.js\", import.meta.url)\n"
    assert.deepStrictEqual(dangling("test/package/exports.test.ts", text), [
      "test/package/exports.test.ts: ./nowhere.ts is not there",
      "test/package/exports.test.ts: ../types.js is not there"
    ])
  })
})

describe("a Node", () => {
  it("is refused where it is older than the package asks for", () => {
    assert.strictEqual(refusal("20.20.2", ">=22.19.0"), "Node 20.20.2 is too old: 22.19.0 or later is needed")
    assert.isDefined(refusal("22.18.9", ">=22.19.0"))
    for (const version of ["22.19.0", "22.19.1", "22.20.0", "24.0.0"]) assert.isUndefined(refusal(version, ">=22.19.0"))
    assert.isUndefined(refusal())
  })
})
