/**
 * Writes docs/api: every module that may be imported, with its docstrings, as pages to look things up in. Whatever TypeDoc
 * warns of is a fault. With `--check` nothing is written.
 */
import { rmSync } from "node:fs"
import { join } from "node:path"
import { Application, type TypeDocOptions } from "typedoc"
import { entryPoints, manifest, root } from "../entryPoints.ts"

const at = (path: string): string => join(root, path)

const options = (): TypeDocOptions => ({
  plugin: ["typedoc-plugin-missing-exports"],
  entryPoints: entryPoints().map((module) => at(`src/${module}.ts`)),
  tsconfig: at("scripts/apiDocs/tsconfig.json"),
  basePath: at("src"),
  name: `${manifest.name} ${manifest.version}`,
  readme: "none",
  out: at("docs/api"),
  /** Every checkout writes the same pages. */
  disableSources: true,
  excludeExternals: true,
  excludeInternal: true,
  excludePrivate: true,
  hideGenerator: true,
  searchInComments: true,
  visibilityFilters: {},
  treatWarningsAsErrors: true
})

/** Whether there was nothing to complain of. */
const write = async (check: boolean): Promise<boolean> => {
  const app = await Application.bootstrapWithPlugins(options())
  const project = await app.convert()
  if (project === undefined) return false
  app.validate(project)
  if (!check) {
    rmSync(at("docs/api"), { recursive: true, force: true })
    await app.generateOutputs(project)
  }
  return !app.logger.hasErrors() && !app.logger.hasWarnings()
}

if (import.meta.main) process.exitCode = (await write(process.argv.includes("--check"))) ? 0 : 1
