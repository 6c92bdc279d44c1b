#!/usr/bin/env node
/** What `anamnesis` starts. */
import "./cli/allocator.ts"
import { enableCompileCache } from "node:module"
import { refusal } from "./cli/nodeVersion.ts"

/** Compiled code is kept in the temporary folder: later commands start in half the time. */
enableCompileCache()

const refused = refusal()
if (refused === undefined) {
  const { start } = await import("./cli/main.ts")
  start()
} else {
  process.stderr.write(`anamnesis: ${refused}\n`)
  process.exitCode = 1
}
