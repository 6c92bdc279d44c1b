/** A project of its own that uses the package, laid out as `npm install` would lay it out, without a network. */
import { execFile } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import { manifest, root } from "../../scripts/entryPoints.ts"

const execute = promisify(execFile)

export interface Ran {
  readonly code: number
  readonly out: string
}

/** Runs a program of Node in a folder, to its end; `out` has both its outputs. */
export const node = async (folder: string, ...args: ReadonlyArray<string>): Promise<Ran> => {
  try {
    const options = { cwd: folder, env: { ...process.env, THREADS: "1" }, maxBuffer: 2 ** 26 }
    const { stderr, stdout } = await execute(process.execPath, [...args], options)
    return { code: 0, out: stdout + stderr }
  } catch (cause) {
    const { code, stderr, stdout } = cause as {
      readonly code: number
      readonly stderr: string
      readonly stdout: string
    }
    return { code, out: stdout + stderr }
  }
}

/** What `npm pack` makes of the working tree: a tarball in `folder`, with its path. */
export const pack = async (folder: string): Promise<string> => {
  const args = ["pack", "--pack-destination", folder, "--loglevel=error"]
  await execute("npm", args, { cwd: root, shell: process.platform === "win32" })
  return join(folder, `${manifest.name}-${manifest.version}.tgz`)
}

const settings = {
  target: "ES2024",
  module: "NodeNext",
  moduleResolution: "NodeNext",
  verbatimModuleSyntax: true,
  allowImportingTsExtensions: true,
  noEmit: true,
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: true,
  types: []
}

/**
 * An empty project with the package's own dependencies, each a link to the one installed here, so that nothing can be
 * imported that package.json does not name. The package is that of a tarball, unpacked, or else the working tree.
 */
export const project = async (tarball?: string): Promise<string> => {
  const folder = mkdtempSync(join(tmpdir(), "anamnesis-project-"))
  const modules = join(folder, "node_modules")
  const link = (name: string, to: string) => {
    mkdirSync(dirname(join(modules, name)), { recursive: true })
    symlinkSync(to, join(modules, name), "junction")
  }
  const { dependencies, optionalDependencies, peerDependencies } = manifest
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) {
    link(name, join(root, "node_modules", name))
  }
  if (tarball === undefined) link(manifest.name, root)
  else {
    await execute("tar", ["-xzf", tarball, "-C", modules])
    renameSync(join(modules, "package"), join(modules, manifest.name))
  }
  const customConditions = tarball === undefined ? ["anamnesis-source"] : []
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "mine", private: true, type: "module" }))
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: { ...settings, customConditions } }))
  return folder
}

/** The compiler's word on the project, with other options where they are given. */
export const typeCheck = (folder: string, ...options: ReadonlyArray<string>): Promise<Ran> =>
  node(folder, join(root, "node_modules", "typescript", "bin", "tsc"), "-p", folder, ...options)

/** Every file and folder below a folder. */
export const contents = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder, { recursive: true }).map(String).toSorted()

/** Copies a folder of the working tree into the project. */
export const copy = (folder: string, ...paths: ReadonlyArray<string>): void => {
  for (const path of paths) cpSync(join(root, path), join(folder, path), { recursive: true })
}
