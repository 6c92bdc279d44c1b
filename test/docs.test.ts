/** The generated documents are those of the source; what the others point at exists. */
import { assert, describe, it } from "@effect/vitest"
import { existsSync, globSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { documents, type Material, material, stale } from "../scripts/docs.ts"

const found = await material()
const made = documents(found)

/** The documents that a change of the material changes. */
const changedBy = (change: Partial<Material>): ReadonlyArray<string> =>
  Object.entries(documents({ ...found, ...change })).filter(([path, text]) => made[path] !== text).map(([path]) => path)

const edited = (path: string, from: string, to: string): Partial<Material> => {
  assert.include(found.sources[path]!, from)
  return { sources: { ...found.sources, [path]: found.sources[path]!.replace(from, to) } }
}

describe("generated documents", () => {
  it("are fresh; `npm run docs` makes them so", () => assert.deepStrictEqual(stale(made), []))
  it("are told apart from others", () => assert.deepStrictEqual(stale({ "docs/cli.md": "" }), ["docs/cli.md"]))

  const ops = found.ops.map((op) =>
    op.name === "Exp" ? { ...op, onnx: found.ops.find((o) => o.name === "Log")!.onnx } : op
  )
  it.each(
    [
      [
        "a comment of an operation",
        edited("src/kernels/op/gather.ts", "Zeros before", "Noughts before"),
        "docs/ops.md"
      ],
      ["an operation that is gone", { ops: found.ops.slice(1) }, "docs/ops.md"],
      ["an operation in another spelling", { ops }, "docs/ops.md"],
      ["a comment of a table", edited("src/domain/tables.ts", "Mean negative", "Negative"), "docs/tables.md"],
      ["the ports of a stage", edited("src/stages/read.ts", "yield* LanguageModel", "yield* Scribe"), "docs/tables.md"],
      [
        "the head of the settings",
        edited("src/domain/settings/RunConfig.ts", "The settings of a run", "Settings"),
        "docs/settings.md"
      ],
      ["a preset", { systems: [{ ...found.systems[0]!, presets: {} }] }, "docs/settings.md"],
      ["a help text", { help: { ...found.help, train: "Train" } }, "docs/cli.md"]
    ] as const
  )("change with %s", (_, change, path) => assert.deepStrictEqual(changedBy(change), [path]))

  it("have every stage and every table", () => {
    const more = (path: string, text: string) => ({ sources: { ...found.sources, [path]: text } })
    const stage = "export const skim = Stage.make(\"skim\", {})\n"
    assert.throws(() => changedBy(more("src/stages/skim.ts", stage)), /does not know the stage skim/)
    const tables = `${found.sources["src/domain/tables.ts"]!}export const Skim = {}\n`
    assert.throws(() => changedBy(more("src/domain/tables.ts", tables)), /does not know the table Skim/)
  })
})

/** Files and folders that a document names: targets of links, and code that is a path from the root. */
const named = (path: string, text: string): ReadonlyArray<string> => [
  ...[...text.matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)].map((match) => join(dirname(path), match[1]!)),
  ...[...text.matchAll(/`((?:src|test|scripts|data|bench|examples|experiments|docs|nix)\/[\w./-]+)`/g)].map((m) =>
    m[1]!
  )
]

describe("documents", () => {
  const paths = [...globSync("*.md"), ...globSync("docs/**/*.md"), ...globSync("{data,test,bench}/**/README.md")]
    .filter((path) => !path.includes("node_modules"))
  it("name files that exist", () => {
    const missing = paths.flatMap((path) => named(path, readFileSync(path, "utf8")).map((to) => `${path} -> ${to}`))
      .filter((edge) => !existsSync(edge.split(" -> ")[1]!))
    assert.deepStrictEqual(missing, [])
  })
  it("are read for the files they name", () =>
    assert.deepStrictEqual(named("docs/a.md", "[a](b.md#c) [d](https://e) `src/f.ts` `g/h`"), [
      "docs/b.md",
      "src/f.ts"
    ]))
})
