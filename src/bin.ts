#!/usr/bin/env node
/** What `anamnesis` starts. */
import "./cli/allocator.ts"

const { start } = await import("./cli/main.ts")
start()
