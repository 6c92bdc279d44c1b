import { cpu } from "../../../src/runtime/engine/providers.ts"
import { suite } from "./session.suite.ts"

suite("cpu", cpu({ threads: 2 }), 1e-5)
