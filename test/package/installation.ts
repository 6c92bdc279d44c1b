/** An empty project in which the tarball of `npm pack` is installed, and another with models of a few thousand weights. */
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { entryPoints, manifest } from "../../scripts/entryPoints.ts"
import { blocksOf } from "../docs/blocks.ts"
import { anamnesis, prepare } from "../support/cli.ts"
import { contents, copy, pack, project } from "../support/project.ts"

/** The README's pipeline, and what it learns from: a few questions of the medical world. */
const learning = `
import { Console, Effect } from "effect"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Frame from "anamnesis/domain/Frame"
import { surroundings, world } from "./examples/world.ts"
import { learn } from "./pipeline.ts"

const program = Effect.gen(function*() {
  const here = yield* world
  const rows = yield* learn(here.questions, here.settings).pipe(Effect.provide(surroundings(here).layer))
  yield* Console.log(JSON.stringify({ columns: Object.keys(rows.columns), loss: [...Frame.column(rows, "readerLoss")] }))
})
await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)))
`

/** An example as a user of the package would write it. */
const asUser = (path: string): string =>
  readFileSync(path, "utf8").replaceAll(/"\.\.\/src\/(.*)\.ts"/g, `"${manifest.name}/$1"`)

export interface Installed {
  readonly tarball: string
  /** The empty project. */
  readonly folder: string
  /** Where a run can be started. */
  readonly tiny: string
  /** The package's files, by their path in it. */
  readonly shipped: ReadonlyArray<string>
  /** A path in the package as it is installed. */
  readonly within: (...path: ReadonlyArray<string>) => string
  /** Runs the installed command line in a folder. */
  readonly run: (cwd: string, args: ReadonlyArray<string>, options?: object) => ReturnType<typeof anamnesis>
  readonly remove: () => void
}

export const install = async (): Promise<Installed> => {
  const tiny = await prepare()
  const tarball = await pack(mkdtempSync(join(tmpdir(), "anamnesis-pack-")))
  const folder = await project(tarball)
  const within = (...path: ReadonlyArray<string>) => join(folder, "node_modules", manifest.name, ...path)
  const shipped = contents(within())
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
  copy(folder, "data/world", "examples")
  for (const path of globSync("examples/*.ts")) write(path, asUser(path))
  const pipeline = blocksOf("README.md", readFileSync("README.md", "utf8")).find(({ language }) => language === "ts")
  write("pipeline.ts", pipeline!.text)
  write("learning.ts", learning)
  const names = entryPoints().map((module, i) => `export * as m${i} from "${manifest.name}/${module}"\n`)
  write("everything.ts", names.join(""))
  return {
    tarball,
    folder,
    tiny,
    shipped,
    within,
    run: (cwd, args, options = {}) => anamnesis(cwd, args, { ...options, program: within("dist", "bin.js") }),
    remove: () => {
      for (const path of [folder, tiny, join(tarball, "..")]) rmSync(path, { recursive: true, force: true })
    }
  }
}
