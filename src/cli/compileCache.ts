/** Compiled code is kept in the temporary folder, unless Node is told otherwise: later commands start in half the time. */
import { enableCompileCache } from "node:module"

enableCompileCache()
