/** The folders of packages and of all that they need, a line each: node closure.ts CHECKOUT PACKAGE... */
import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const [checkout, ...roots] = process.argv.slice(2) as [string, ...Array<string>]
const found = new Set<string>()

/** Where a package lies that is asked for from a folder: there or further up. */
const folderOf = (name: string, from: string): string | undefined => {
  for (let at = from;; at = dirname(at)) {
    const folder = join(at, "node_modules", name)
    if (existsSync(join(checkout, folder, "package.json"))) return folder
    if (at === "." || at === "/") return undefined
  }
}

const add = (name: string, from: string): void => {
  const folder = folderOf(name, from)
  if (folder === undefined || found.has(folder)) return
  found.add(folder)
  const manifest = JSON.parse(readFileSync(join(checkout, folder, "package.json"), "utf8")) as Manifest
  const needs = { ...manifest.dependencies, ...manifest.peerDependencies, ...manifest.optionalDependencies }
  for (const needed of Object.keys(needs)) add(needed, folder)
}
for (const root of roots) add(root, ".")
process.stdout.write([...found].map((folder) => `${folder}\n`).join(""))
