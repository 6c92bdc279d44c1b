/** The modules that the package's `exports` let others import. */
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("..", import.meta.url))

/** What a key of `exports` leads to: files by condition, a file, or nothing at all. */
export type Target = string | null | Readonly<Record<string, string>>

export interface Manifest {
  readonly name: string
  readonly version: string
  readonly exports: Readonly<Record<string, Target>>
  readonly sideEffects: ReadonlyArray<string>
  readonly dependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly optionalDependencies: Readonly<Record<string, string>>
  readonly [field: string]: unknown
}

export const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest

/** Modules of `src`, by their path in it, without an ending. */
export const modules = globSync("**/*.ts", { cwd: join(root, "src") })
  .map((path) => path.replaceAll("\\", "/").replace(/\.ts$/, "")).toSorted()

/** What the key with the longest beginning that fits has for a module; undefined where none fits. */
export const targetOf = (exports: Manifest["exports"], module: string): Target | undefined => {
  const path = `./${module}`
  if (exports[path] !== undefined) return exports[path]
  const fitting = Object.keys(exports).filter((key) => key.endsWith("*") && path.startsWith(key.slice(0, -1)))
  const [key] = fitting.toSorted((a, b) => b.length - a.length)
  return key === undefined ? undefined : exports[key]
}

/** The modules that may be imported, as `<package>/<module>`. */
export const entryPoints = ({ exports }: Manifest = manifest): ReadonlyArray<string> =>
  modules.filter((module) => (targetOf(exports, module) ?? null) !== null)
