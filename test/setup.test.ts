import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

interface Package {
  readonly version: string
  readonly optional?: boolean
}
type Packages = Readonly<Record<string, Package>>

interface World {
  readonly wanted: Packages
  readonly found?: Packages
  /** The Node of node_modules, as a shell script. */
  readonly node?: string
  /** What npm does, as a script of its own. */
  readonly npm?: string
  readonly runningNode?: string
}

const manifest = (packages: Packages) => JSON.stringify({ packages: { "": { version: "0.1.0" }, ...packages } })

/** Runs scripts/setup.mjs in a project of its own, with an npm that only leaves a mark. */
const setup = ({ found, node, npm = "", runningNode = "24.0.0", wanted }: World) => {
  const root = mkdtempSync(join(tmpdir(), "anamnesis-setup-"))
  const pinned = join(root, "node_modules/.bin/node")
  try {
    mkdirSync(join(root, "scripts"))
    cpSync("scripts/setup.mjs", join(root, "scripts/setup.mjs"))
    writeFileSync(join(root, "package-lock.json"), manifest(wanted))
    mkdirSync(join(root, "node_modules/.bin"), { recursive: true })
    if (found) writeFileSync(join(root, "node_modules/.package-lock.json"), JSON.stringify({ packages: found }))
    if (node !== undefined) {
      writeFileSync(pinned, node)
      chmodSync(pinned, 0o755)
    }
    writeFileSync(join(root, "npm.js"), `require("fs").writeFileSync("called", process.argv.slice(2).join(" "));${npm}`)
    const running = `Object.defineProperty(process, "versions", { value: { node: "${runningNode}" } })`
    const { status, stderr } = spawnSync(
      process.execPath,
      ["--import", `data:text/javascript,${running}`, join(root, "scripts/setup.mjs")],
      { encoding: "utf8", env: { ...process.env, npm_execpath: join(root, "npm.js") } }
    )
    return { status, said: stderr, installed: existsSync(join(root, "called")), pinned: existsSync(pinned) }
  } finally {
    rmSync(root, { recursive: true })
  }
}

const a = { "node_modules/a": { version: "1.0.0" } }
const optional = { "node_modules/b": { version: "1.0.0", optional: true } }

describe("setup", () => {
  it("says and does nothing where everything is installed", () => {
    assert.deepStrictEqual(setup({ wanted: a, found: a }), { status: 0, said: "", installed: false, pinned: false })
    assert.isFalse(setup({ wanted: { ...a, ...optional }, found: a }).installed)
  })
  it("installs where something is missing, old or in excess", () => {
    assert.isTrue(setup({ wanted: a }).installed)
    assert.isTrue(setup({ wanted: a, found: {} }).installed)
    assert.isTrue(setup({ wanted: a, found: { "node_modules/a": { version: "0.9.0" } } }).installed)
    assert.isTrue(setup({ wanted: a, found: { ...a, ...optional } }).installed)
    assert.match(setup({ wanted: a }).said, /^Installing packages [^\n]* \d+ s\n$/)
  })
  it("ends with npm's complaint where that fails", () => {
    const { said, status } = setup({ wanted: a, npm: "console.error('no registry'); process.exit(7)" })
    assert.strictEqual(status, 1)
    assert.match(said, /no registry[^]*could not be installed/)
  })
  it("removes a Node of node_modules that cannot run here", () => {
    assert.isTrue(setup({ wanted: a, node: "#!/bin/sh\n" }).pinned)
    assert.isFalse(setup({ wanted: a, node: "#!/nowhere/ld.so\n" }).pinned)
  })
  it("wants a Node that runs TypeScript, its own or one in node_modules", () => {
    assert.strictEqual(setup({ wanted: a, found: a, runningNode: "22.19.0" }).status, 0)
    assert.strictEqual(setup({ wanted: a, found: a, runningNode: "20.20.2", node: "#!/bin/sh\n" }).status, 0)
    const { said, status } = setup({ wanted: a, found: a, runningNode: "22.18.0" })
    assert.strictEqual(status, 1)
    assert.match(said, /^Node 22\.18\.0 is too old/)
  })
})
