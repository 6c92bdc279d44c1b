import { assert, describe, it } from "@effect/vitest"
import { globSync, readFileSync } from "node:fs"
import { posix } from "node:path"
import { cyclesOf, functionsOf, importsOf, quantile, type Sources } from "./architecture.ts"

interface Zone {
  /** Zones of ours it may import, itself included; types count like values. */
  readonly zones: ReadonlyArray<string>
  /** Packages, each with its modules; `node:` stands for all of Node. */
  readonly packages: ReadonlyArray<string>
}

/** Stages and engines meet only in the ports; kernels and domain do not know each other. */
const table: Readonly<Record<string, Zone>> = {
  domain: { zones: ["domain"], packages: ["effect", "apache-arrow"] },
  kernels: { zones: ["kernels"], packages: [] },
  "runtime/ports": { zones: ["runtime/ports", "domain"], packages: ["effect"] },
  stages: { zones: ["stages", "runtime/ports", "domain"], packages: ["effect"] },
  "runtime/engine": { zones: ["runtime/engine", "kernels"], packages: ["effect", "onnxruntime-node", "node:"] },
  "runtime/layers": {
    zones: ["runtime/layers", "runtime/engine", "runtime/ports", "kernels", "domain"],
    packages: ["effect", "@huggingface/jinja", "hyparquet", "oniguruma-parser", "node:"]
  },
  programs: {
    zones: ["programs", "stages", "runtime/layers", "runtime/engine", "runtime/ports", "kernels", "domain"],
    packages: ["effect", "@effect/platform-node", "apache-arrow", "yaml", "node:"]
  }
}

/** Programs are the files of src itself. A file outside of src, or in a folder the table lacks, is in no zone. */
const zoneOf = (path: string): string => {
  const [root, ...folders] = posix.dirname(path).split("/")
  if (root !== "src") return path
  return folders.length === 0 ? "programs" : folders.slice(0, folders[0] === "runtime" ? 2 : 1).join("/")
}

const includes = (packages: ReadonlyArray<string>, name: string): boolean =>
  packages.some((p) => name === p || name.startsWith(p.endsWith(":") ? p : `${p}/`))

const maxLines = 300

/** Each rule names what breaks it. */
const rules = {
  "imports point one way": (sources: Sources) =>
    importsOf(sources).filter(({ from, own, to }) => {
      const zone = table[zoneOf(from)]
      return !zone || !(own ? zone.zones.includes(zoneOf(to)) : includes(zone.packages, to))
    }).map(({ from, to }) => `${from} -> ${to}`),
  "no files import each other in a circle": (sources: Sources) =>
    cyclesOf(importsOf(sources)).map((files) => files.join(" <-> ")),
  [`no file is longer than ${maxLines} lines`]: (sources: Sources) =>
    Object.keys(sources).filter((path) => sources[path]!.trimEnd().split("\n").length > maxLines),
  "nine functions of ten have at most 30 lines": (sources: Sources) => {
    const functions = functionsOf(sources)
    const p90 = quantile(functions.map(({ lines }) => lines), 0.9)
    return p90 <= 30 ? [] : functions.filter(({ lines }) => lines >= p90).map(({ at, lines }) => `${at}: ${lines}`)
  },
  "no file is named for having no subject": (sources: Sources) =>
    Object.keys(sources).filter((path) => /\/(utils?|common|misc|helpers?|index)(\.ts|\/)/i.test(path)),
  "randomness comes from keys": (sources: Sources) =>
    Object.keys(sources).filter((path) => /\bMath\.random\b|from "effect\/Random"|\brandomUUID\b/.test(sources[path]!)),
  "no module exports `then`, which would make it a promise": (sources: Sources) =>
    Object.keys(sources).filter((path) => /^export (const|function|async function) then\b/m.test(sources[path]!))
}

const long = (lines: number) => `export const f = () => {\n${"\n".repeat(lines - 2)}}\n`

/** What each rule must find fault with. */
const faults: Readonly<Record<string, { readonly sources: Sources; readonly found: ReadonlyArray<string> }>> = {
  "imports point one way": {
    sources: {
      "src/kernels/a.ts": "import * as Effect from \"effect/Effect\"\n",
      "src/kernels/b.ts": "import { type Key } from \"../domain/Key.ts\"\n",
      "src/domain/c.ts": "export type D = import(\"../kernels/Tensor.ts\").DType\n",
      "src/stages/d.ts": "export * from \"../runtime/engine/Session.ts\"\nimport \"./Stage.ts\"\n",
      "src/runtime/ports/e.ts": "import \"../layers/files.ts\"\n",
      "src/runtime/engine/f.ts": "export { Reader } from \"../ports/Reader.ts\"\n",
      "src/runtime/layers/g.ts": "const g = import(\"../../stages/read.ts\")\nimport \"onnxruntime-node\"\n",
      "src/other/h.ts": "import \"effect\"\n",
      "src/main.ts": "import \"./stages/read.ts\"\nimport \"../test/architecture.ts\"\nimport \"effectful\"\n"
    },
    found: [
      "src/kernels/a.ts -> effect/Effect",
      "src/kernels/b.ts -> src/domain/Key.ts",
      "src/domain/c.ts -> src/kernels/Tensor.ts",
      "src/stages/d.ts -> src/runtime/engine/Session.ts",
      "src/runtime/ports/e.ts -> src/runtime/layers/files.ts",
      "src/runtime/engine/f.ts -> src/runtime/ports/Reader.ts",
      "src/runtime/layers/g.ts -> src/stages/read.ts",
      "src/runtime/layers/g.ts -> onnxruntime-node",
      "src/other/h.ts -> effect",
      "src/main.ts -> test/architecture.ts",
      "src/main.ts -> effectful"
    ]
  },
  "no files import each other in a circle": {
    sources: {
      "src/a.ts": "import \"./b.ts\"",
      "src/b.ts": "import \"./c.ts\"",
      "src/c.ts": "import type { B } from \"./b.ts\"",
      "src/d.ts": "import \"./d.ts\""
    },
    found: ["src/b.ts <-> src/c.ts", "src/d.ts"]
  },
  [`no file is longer than ${maxLines} lines`]: {
    sources: { "src/a.ts": "\n".repeat(maxLines - 1) + "1\n", "src/b.ts": "\n".repeat(maxLines) + "1\n" },
    found: ["src/b.ts"]
  },
  "nine functions of ten have at most 30 lines": {
    sources: { "src/a.ts": long(30).repeat(8).replaceAll(" f ", " _ "), "src/b.ts": long(31), "src/c.ts": long(32) },
    found: ["src/b.ts:1: 31", "src/c.ts:1: 32"]
  },
  "no file is named for having no subject": {
    sources: { "src/domain/utils.ts": "", "src/helpers/a.ts": "", "src/kernels/indexes.ts": "" },
    found: ["src/domain/utils.ts", "src/helpers/a.ts"]
  },
  "randomness comes from keys": {
    sources: { "src/a.ts": "export const a = Math.random()", "src/b.ts": "export const b = 1" },
    found: ["src/a.ts"]
  },
  "no module exports `then`, which would make it a promise": {
    sources: { "src/a.ts": "export const then = 1", "src/b.ts": "export const thenceforth = 1" },
    found: ["src/a.ts"]
  }
}

const source: Sources = Object.fromEntries(
  globSync("src/**/*.ts").toSorted().map((path) => [path.replaceAll("\\", "/"), readFileSync(path, "utf8")])
)

describe("the source", () => {
  it("is looked at", () => {
    const zones = new Set(Object.keys(source).map(zoneOf))
    assert.deepStrictEqual([...zones].toSorted(), Object.keys(table).toSorted())
  })
  for (const [rule, broken] of Object.entries(rules)) {
    it(rule, () => assert.deepStrictEqual(broken(source), []))
    it(`${rule}: the rule can fail`, () => assert.deepStrictEqual(broken(faults[rule]!.sources), faults[rule]!.found))
  }
})
