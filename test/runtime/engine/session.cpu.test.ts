import { cpu } from "../../../src/runtime/engine/providers.ts"
import { suite } from "./session.suite.ts"

suite("cpu", cpu({ threads: 2 }), "float32")
for (const products of ["float16", "bfloat16"] as const) {
  suite(`cpu, products in ${products}`, cpu({ threads: 1, products }), products)
}
