import { reference } from "../../../src/runtime/engine/providers.ts"
import { suite } from "./session.suite.ts"

suite("reference", reference, "float64")
