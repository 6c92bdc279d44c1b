import { assert, describe, it } from "@effect/vitest"
import { globSync, readFileSync } from "node:fs"
import { posix } from "node:path"
import {
  adapterFiles,
  checkpointFiles,
  evaluationFiles,
  indexFiles,
  modelFiles,
  runFiles
} from "../src/domain/fileNames.ts"
import { cyclesOf, functionsOf, importsOf, quantile, type Sources } from "./architecture.ts"

interface Zone {
  /** Zones of ours it may import, itself included; types count like values. */
  readonly zones: ReadonlyArray<string>
  /** Packages, each with its modules; `node:` stands for all of Node. */
  readonly packages: ReadonlyArray<string>
}

/**
 * From the bottom up. Stages and engines meet only in the ports; kernels and domain do not know each other, nor do the
 * layers of retrieval and those of language.
 */
const table: Readonly<Record<string, Zone>> = {
  domain: { zones: ["domain"], packages: ["effect", "apache-arrow"] },
  kernels: { zones: ["kernels"], packages: [] },
  "runtime/ports": { zones: ["runtime/ports", "domain"], packages: ["effect"] },
  "runtime/engine": {
    zones: ["runtime/engine", "kernels"],
    packages: ["effect", "koffi", "onnxruntime-node", "node:"]
  },
  "runtime/files": {
    zones: ["runtime/files", "runtime/ports", "kernels", "domain"],
    packages: ["effect", "apache-arrow", "yaml", "node:"]
  },
  "runtime/tokenizers": {
    zones: ["runtime/tokenizers", "runtime/files", "domain"],
    packages: ["effect", "oniguruma-parser", "node:"]
  },
  "runtime/models": {
    zones: [
      "runtime/models",
      "runtime/tokenizers",
      "runtime/files",
      "runtime/engine",
      "runtime/ports",
      "kernels",
      "domain"
    ],
    packages: ["effect", "node:"]
  },
  "runtime/pictures": {
    zones: [
      "runtime/pictures",
      "runtime/models",
      "runtime/tokenizers",
      "runtime/files",
      "runtime/engine",
      "runtime/ports",
      "kernels",
      "domain"
    ],
    packages: ["effect", "dicom-parser", "sharp", "node:"]
  },
  "runtime/retrieval": {
    zones: [
      "runtime/retrieval",
      "runtime/pictures",
      "runtime/models",
      "runtime/tokenizers",
      "runtime/files",
      "runtime/engine",
      "runtime/ports",
      "kernels",
      "domain"
    ],
    packages: ["effect", "node:"]
  },
  "runtime/language": {
    zones: [
      "runtime/language",
      "runtime/pictures",
      "runtime/models",
      "runtime/tokenizers",
      "runtime/files",
      "runtime/engine",
      "runtime/ports",
      "kernels",
      "domain"
    ],
    packages: ["effect", "@huggingface/jinja", "node:"]
  },
  stages: { zones: ["stages", "runtime/ports", "domain"], packages: ["effect"] },
  datasets: {
    zones: ["datasets", "runtime/files", "runtime/ports", "domain"],
    packages: ["effect", "hyparquet", "mdast-util-from-markdown", "parse5", "unpdf", "node:"]
  },
  systems: {
    zones: [
      "systems",
      "stages",
      "datasets",
      "runtime/retrieval",
      "runtime/language",
      "runtime/pictures",
      "runtime/models",
      "runtime/ports",
      "domain"
    ],
    packages: ["effect"]
  },
  programs: {
    zones: ["programs", "systems", "stages", "datasets", "runtime", "domain"],
    packages: ["effect", "apache-arrow", "node:"]
  },
  report: { zones: ["report", "programs", "runtime/ports", "domain"], packages: ["vega", "vega-lite", "node:"] },
  cli: {
    zones: ["cli", "report", "programs", "systems", "datasets", "runtime", "domain"],
    packages: ["effect", "@effect/platform-node", "node:"]
  },
  bin: { zones: ["cli"], packages: [] }
}

/** `bin` is the file of src itself. A file outside of src, or in a folder the table lacks, is in no zone. */
const zoneOf = (path: string): string => {
  const [root, ...folders] = posix.dirname(path).split("/")
  if (root !== "src") return path
  return folders.length === 0 ? "bin" : folders.slice(0, folders[0] === "runtime" ? 2 : 1).join("/")
}

/** Whether a zone is one of these, or in one of them. */
const within = (zones: ReadonlyArray<string>, zone: string): boolean =>
  zones.some((one) => zone === one || zone.startsWith(`${one}/`))

const mostFiles = 20

const includes = (packages: ReadonlyArray<string>, name: string): boolean =>
  packages.some((p) => name === p || name.startsWith(p.endsWith(":") ? p : `${p}/`))

const maxLines = 300

const named = new Set(
  [modelFiles, adapterFiles, checkpointFiles, evaluationFiles, indexFiles, runFiles]
    .flatMap((names) => Object.values<string>(names)).filter((name) => name.includes("."))
)
/** Names of files that stand in a text by themselves, in quotes. */
const written = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/"([^"\n]+)"/g)].map((match) => match[1]!).filter((name) => named.has(name))

/** Each rule names what breaks it. */
const rules = {
  "imports point one way": (sources: Sources) =>
    importsOf(sources).filter(({ from, own, to }) => {
      const zone = table[zoneOf(from)]
      return !zone || !(own ? within(zone.zones, zoneOf(to)) : includes(zone.packages, to))
    }).map(({ from, to }) => `${from} -> ${to}`),
  "nothing outside a system's folder names it": (sources: Sources) =>
    importsOf(sources).filter(({ from, to }) => {
      const [, system] = /^src\/systems\/(\w+)\//.exec(to) ?? []
      return system !== undefined && from !== "src/systems/all.ts" && !from.startsWith(`src/systems/${system}/`)
    }).map(({ from, to }) => `${from} -> ${to}`),
  "no files import each other in a circle": (sources: Sources) =>
    cyclesOf(importsOf(sources)).map((files) => files.join(" <-> ")),
  [`no file is longer than ${maxLines} lines`]: (sources: Sources) =>
    Object.keys(sources).filter((path) => sources[path]!.trimEnd().split("\n").length > maxLines),
  [`no folder has more than ${mostFiles} files`]: (sources: Sources) =>
    [...Map.groupBy(Object.keys(sources), posix.dirname)].filter(([, files]) => files.length > mostFiles)
      .map(([folder]) => folder),
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
    Object.keys(sources).filter((path) => /^export (const|function|async function) then\b/m.test(sources[path]!)),
  "tables are printed by domain/textTable": (sources: Sources) =>
    Object.keys(sources).filter((path) => path !== "src/domain/textTable.ts" && sources[path]!.includes(".padEnd(")),
  "names of files are written in domain/fileNames": (sources: Sources) =>
    Object.entries(sources).filter(([path]) => path !== "src/domain/fileNames.ts")
      .flatMap(([path, text]) => written(text).map((name) => `${path}: ${name}`))
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
      "src/runtime/ports/e.ts": "import \"../files/disk.ts\"\n",
      "src/runtime/engine/f.ts": "export { Reader } from \"../ports/Reader.ts\"\n",
      "src/runtime/language/g.ts": "const g = import(\"../../stages/read.ts\")\nimport \"onnxruntime-node\"\n",
      "src/runtime/language/h.ts": "import \"../retrieval/bm25.ts\"\n",
      "src/runtime/retrieval/i.ts": "import \"../language/reader.ts\"\n",
      "src/other/j.ts": "import \"effect\"\n",
      "src/programs/k.ts": "import \"../stages/read.ts\"\nimport \"../../test/architecture.ts\"\nimport \"effectful\"\n"
    },
    found: [
      "src/kernels/a.ts -> effect/Effect",
      "src/kernels/b.ts -> src/domain/Key.ts",
      "src/domain/c.ts -> src/kernels/Tensor.ts",
      "src/stages/d.ts -> src/runtime/engine/Session.ts",
      "src/runtime/ports/e.ts -> src/runtime/files/disk.ts",
      "src/runtime/engine/f.ts -> src/runtime/ports/Reader.ts",
      "src/runtime/language/g.ts -> src/stages/read.ts",
      "src/runtime/language/g.ts -> onnxruntime-node",
      "src/runtime/language/h.ts -> src/runtime/retrieval/bm25.ts",
      "src/runtime/retrieval/i.ts -> src/runtime/language/reader.ts",
      "src/other/j.ts -> effect",
      "src/programs/k.ts -> test/architecture.ts",
      "src/programs/k.ts -> effectful"
    ]
  },
  "nothing outside a system's folder names it": {
    sources: {
      "src/systems/all.ts": "import \"./jmlr/jmlr.ts\"\n",
      "src/systems/jmlr/jmlr.ts": "import \"./settings.ts\"\nimport \"../stm/settings.ts\"\n",
      "src/programs/a.ts": "import type { A } from \"../systems/stm/settings.ts\"\n"
    },
    found: [
      "src/systems/jmlr/jmlr.ts -> src/systems/stm/settings.ts",
      "src/programs/a.ts -> src/systems/stm/settings.ts"
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
  [`no folder has more than ${mostFiles} files`]: {
    sources: Object.fromEntries(Array.from({ length: 41 }, (_, i) => [`src/${i < 21 ? "a" : "b"}/${i}.ts`, ""])),
    found: ["src/a"]
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
  },
  "tables are printed by domain/textTable": {
    sources: {
      "src/domain/textTable.ts": "a.padEnd(3)",
      "src/programs/a.ts": "a.padEnd(3)",
      "src/b.ts": "a.padStart(3)"
    },
    found: ["src/programs/a.ts"]
  },
  "names of files are written in domain/fileNames": {
    sources: {
      "src/domain/fileNames.ts": "const a = \"config.json\"",
      "src/a.ts": "join(folder, \"config.json\")",
      "src/b.ts": "/** Reads `config.json`. */\nconst b = \"my config.json\"",
      "src/c.ts": "read(\"state.safetensors\", \"index\")"
    },
    found: ["src/a.ts: config.json", "src/c.ts: state.safetensors"]
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
