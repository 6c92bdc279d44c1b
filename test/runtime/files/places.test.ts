/** Every layer of Checkpoints under the suite of the port. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { layer, weighed } from "../../../src/runtime/files/checkpoints.ts"
import type { Checkpoints } from "../../../src/runtime/ports/Checkpoints.ts"
import * as Memory from "../../support/memory.ts"
import { checkpointsSuite, type Place } from "../ports/checkpoints.suite.ts"

/** Places that `make` makes, opened by a layer of their own each time. */
const places = (make: () => () => Layer.Layer<Checkpoints>): Place =>
  Effect.sync(() => {
    const open = make()
    return (effect) => Effect.provide(effect, open(), { local: true })
  })

const inFolder = () => {
  const output_dir = join(mkdtempSync(join(tmpdir(), "checkpoints-")), "run")
  return () => layer({ output_dir, save_total_limit: 2 }).pipe(Layer.provide(NodeFileSystem.layer))
}

checkpointsSuite("on the disk", places(inFolder), { keeps: true })
checkpointsSuite("that weighs them", places(() => () => weighed(() => undefined)), { keeps: false })
checkpointsSuite("of the tests", places(() => () => Memory.checkpoints().layer), { keeps: false })
