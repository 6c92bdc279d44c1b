/** The same suite on programs that keep arrays on a device, with the CPU's memory in place of a device's. */
import { simulated } from "../../../src/runtime/engine/providers.ts"
import { suite } from "./session.suite.ts"

suite("cpu as a device", simulated, "float32")
