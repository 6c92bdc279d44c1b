/** Effect's own diagnostics, by the compiler that has them: an optional package. Elsewhere this says so and passes. */
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { version } from "typescript"

const root = fileURLToPath(new URL("..", import.meta.url))
const compiler = `${root}node_modules/@effect/tsgo-linux-x64/artifacts/typescript/${version}/tsc`

if (existsSync(compiler)) {
  const args = ["-p", root, "--incremental", "false", ...process.argv.slice(2)]
  process.exitCode = spawnSync(compiler, args, { stdio: "inherit" }).status ?? 1
} else {
  process.stderr.write(`Effect diagnostics are skipped: ${compiler} is not there (Linux x64 only)\n`)
}
