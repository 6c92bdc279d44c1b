import * as Layer from "effect/Layer"
import { cpu } from "../../../src/runtime/engine/providers.ts"
import { layer } from "../../../src/runtime/retrieval/indexes/exact.ts"
import { suite } from "../ports/passageIndex.suite.ts"

suite("in memory", () => layer.pipe(Layer.provide(cpu({ threads: 1 }))))
