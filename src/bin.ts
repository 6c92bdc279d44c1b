#!/usr/bin/env node
/** What `anamnesis` starts. */
import "./cli/allocator.ts"
import "./cli/compileCache.ts"
import { refusal } from "./cli/nodeVersion.ts"

const refused = refusal()
if (refused === undefined) {
  const { start } = await import("./cli/main.ts")
  start()
} else {
  process.stderr.write(`anamnesis: ${refused}\n`)
  process.exitCode = 1
}
