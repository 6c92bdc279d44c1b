/** Every layer of Reporter under the suite of the port. */
import * as Layer from "effect/Layer"
import { lines, quiet, terminal } from "../../src/cli/progress.ts"
import { silent } from "../../src/runtime/ports/Reporter.ts"
import { reporterSuite } from "../runtime/ports/reporter.suite.ts"

let text = ""
const own = process.stderr.write.bind(process.stderr)
process.stderr.write = ((chunk: string | Uint8Array) => {
  text += typeof chunk === "string" ? chunk : ""
  return true
}) as typeof own

const written = () => text
for (const [name, layer] of Object.entries({ terminal, lines, quiet, silent })) {
  reporterSuite(name, Layer.fresh(layer), written)
}
