/**
 * Compiles `src` to `dist`, as `npm pack` ships it: a module, its types and the maps of both for every source, in the same
 * folders. The compiler rewrites the endings of imports alone; those of declarations and of `new URL("./x.ts",
 * import.meta.url)`, which starts a process or a worker, are rewritten here. Both endings have three letters, so that the
 * maps still fit. Style sheets and scripts of pages are copied as they are.
 */
import { spawnSync } from "node:child_process"
import { copyFileSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const [source, out] = [join(root, "src"), join(root, "dist")]

/** Relative paths of TypeScript sources, in quotes; not those that comments quote. */
const paths = /(?<=\bfrom |\bimport |\bimport\(|\bnew URL\()"(\.{1,2}\/[^"\n]*)\.ts"/g

/** The text of a module or of its declarations with the compiled files' names in it. */
export const renamed = (text: string): string => text.replaceAll(paths, "\"$1.js\"")

/** What a module or its declarations name, by relative path. */
const relative = /(?<=\bfrom |\bimport |\bimport\(|\bnew URL\()"(\.{1,2}\/[^"\n]*\.\w+)"/g

/** The relative paths of `text`, the file `path`, that lead nowhere. */
export const dangling = (path: string, text: string): ReadonlyArray<string> =>
  [...text.matchAll(relative)].map((match) => match[1]!)
    .filter((to) => !existsSync(join(dirname(path), to)))
    .map((to) => `${path}: ${to} is not there`)

const compile = (): number => {
  const compiler = join(root, "node_modules", "typescript", "bin", "tsc")
  const args = [
    compiler,
    "-p",
    join(root, "tsconfig.build.json"),
    "--incremental",
    "false",
    "--tsBuildInfoFile",
    "null"
  ]
  return spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" }).status ?? 1
}

/** Makes `dist` anew; tells what leads nowhere in it. */
const build = (): number => {
  rmSync(out, { recursive: true, force: true })
  const status = compile()
  if (status !== 0) return status
  const files = globSync(["**/*.js", "**/*.d.ts"], { cwd: out }).map((path) => join(out, path))
  for (const file of files) writeFileSync(file, renamed(readFileSync(file, "utf8")))
  for (const asset of globSync("**/*.{css,js}", { cwd: source })) {
    mkdirSync(dirname(join(out, asset)), { recursive: true })
    copyFileSync(join(source, asset), join(out, asset))
  }
  const lost = files.flatMap((file) => dangling(file, readFileSync(file, "utf8")))
  for (const line of lost) process.stderr.write(`${line}\n`)
  return lost.length > 0 ? 1 : 0
}

if (import.meta.main) process.exitCode = build()
