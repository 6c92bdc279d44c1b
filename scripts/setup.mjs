/**
 * Installs what package-lock.json asks for, where it is not there yet, and makes sure that there is a Node that runs
 * TypeScript. The only script that runs before anything is installed: plain JavaScript for Node 18 and later.
 */
import { spawnSync } from "node:child_process"
import { existsSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const pinned = join(root, "node_modules", ".bin", "node")
const say = (text) => process.stderr.write(text)

const packages = (file) => {
  try {
    return JSON.parse(readFileSync(join(root, file), "utf8")).packages
  } catch {
    return undefined
  }
}

/** What npm recorded of node_modules is what the lock file asks for; optional packages may be missing. */
const isInstalled = () => {
  const [wanted, found] = [packages("package-lock.json"), packages("node_modules/.package-lock.json")]
  if (!wanted || !found) return false
  const same = (path) => wanted[path]?.version === found[path]?.version && wanted[path]?.integrity === found[path]?.integrity
  const required = Object.keys(wanted).filter((path) => path !== "" && !wanted[path].optional)
  return [...required, ...Object.keys(found)].every(same)
}

/** Ends with what npm complains of where it fails. Install scripts are not needed and not run. */
const install = () => {
  say("Installing packages into node_modules (0.8 GB, half a minute on a fast line) ... ")
  const began = Date.now()
  const args = ["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
  const npm = process.env.npm_execpath
  const options = { cwd: root, encoding: "utf8", stdio: ["ignore", "ignore", "pipe"] }
  const { error, status, stderr } = npm?.endsWith(".js")
    ? spawnSync(process.execPath, [npm, ...args], options)
    : spawnSync("npm", args, { ...options, shell: process.platform === "win32" })
  if (status === 0) return say(`${((Date.now() - began) / 1000).toFixed(0)} s\n`)
  say(`failed\n${error ? `npm cannot be started: ${error.message}` : stderr.trim()}\n\n`)
  say("The packages could not be installed. npm needs its registry, and 1 GB of disk; then try again.\n")
  process.exit(1)
}

/** npm scripts prefer the Node of node_modules; where it cannot run (musl, NixOS) it must not stand in the way. */
const dropUnusableNode = () => {
  if (existsSync(pinned) && spawnSync(pinned, ["--version"]).status !== 0) rmSync(pinned)
}

const requireNode = () => {
  const [major, minor] = process.versions.node.split(".").map(Number)
  if (existsSync(pinned) || major > 22 || (major === 22 && minor >= 19)) return
  say(`Node ${process.versions.node} is too old: TypeScript runs from source on Node 22.19 and later.\n`)
  say(`A Node of its own comes with the packages on Linux x64 only; on ${process.platform} ${process.arch} install one.\n`)
  process.exit(1)
}

if (!isInstalled()) {
  install()
  dropUnusableNode()
}
requireNode()
