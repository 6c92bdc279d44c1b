#!/usr/bin/env node
/** What `anamnesis` starts. */
import "./allocator.ts"

await import("./main.ts")
