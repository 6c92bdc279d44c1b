/** What publint and Are the types wrong? find in the tarball of `npm pack`: nothing, or this fails. */
import { spawn, spawnSync } from "node:child_process"
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { publint } from "publint"
import { formatMessage } from "publint/utils"
import { entryPoints, manifest, root } from "./entryPoints.ts"

interface Problem {
  readonly resolutionKind?: string
}
/** Resolutions of programs that cannot import modules at all. */
const others = new Set(["node10", "node16-cjs"])

/** The problems of a report, one a line; the report itself where it is none. */
const problemsOf = (report: string): ReadonlyArray<string> => {
  if (!report.startsWith("{")) return [`attw: ${report}`]
  const { problems } = JSON.parse(report) as { readonly problems: Readonly<Record<string, ReadonlyArray<Problem>>> }
  const own = Object.values(problems).flat().filter(({ resolutionKind }) => !others.has(resolutionKind ?? ""))
  return own.map((problem) => `attw: ${JSON.stringify(problem)}`)
}

/** Of these modules, as Node and bundlers resolve them; the tool itself cannot expand patterns. */
const typesOf = (tarball: string, offered: ReadonlyArray<string>): Promise<ReadonlyArray<string>> =>
  new Promise((resolve, reject) => {
    const attw = join(root, "node_modules", "@arethetypeswrong", "cli", "dist", "index.js")
    const args = [attw, tarball, "--profile", "esm-only", "--format", "json", "--entrypoints", ...offered]
    /** A file, since the tool ends before a pipe is empty. */
    const path = `${tarball}.json`
    const report = openSync(path, "w")
    const child = spawn(process.execPath, args, { stdio: ["ignore", report, report] })
    child.on("error", reject)
    child.on("close", (code) => {
      closeSync(report)
      resolve(code === 0 ? [] : problemsOf(readFileSync(path, "utf8")))
    })
  })

const lint = async (tarball: string): Promise<ReadonlyArray<string>> => {
  const bytes = readFileSync(tarball)
  const { messages } = await publint({ pack: { tarball: new Uint8Array(bytes).buffer }, strict: true })
  return messages.map((message) => formatMessage(message, manifest) ?? message.code)
}

/** Every fault of a tarball, in the tools' own words; `offered` are the modules that are resolved. */
export const checkPackage = async (
  tarball: string,
  offered: ReadonlyArray<string> = entryPoints()
): Promise<ReadonlyArray<string>> => [...(await lint(tarball)), ...(await typesOf(tarball, offered))]

if (import.meta.main) {
  const folder = mkdtempSync(join(tmpdir(), "anamnesis-pack-"))
  const args = ["pack", "--pack-destination", folder, "--loglevel=error"]
  const { status } = spawnSync("npm", args, { cwd: root, stdio: "inherit", shell: process.platform === "win32" })
  const tarball = join(folder, `${manifest.name}-${manifest.version}.tgz`)
  const found = status === 0 ? await checkPackage(tarball) : ["npm pack failed"]
  rmSync(folder, { recursive: true })
  for (const line of found) process.stderr.write(`${line}\n`)
  process.exitCode = found.length > 0 ? 1 : 0
}
