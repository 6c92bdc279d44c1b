/** Graphs as they are written for providers that lack kernels: on the CPU they mean the same. */
import { cuda, webgpu } from "../../../src/kernels/onnx/target.ts"
import { cpu } from "../../../src/runtime/engine/providers.ts"
import { refusedByWebgpu, suite } from "./session.suite.ts"

suite("cpu, written for cuda", cpu({ threads: 1, target: cuda }), "float32")
suite(
  "cpu, written for webgpu",
  cpu({ threads: 1, target: webgpu }),
  "float32",
  refusedByWebgpu
)

/** Which ONNX Runtime multiplies in float32 here, leaving out the casts. */
suite("cpu, written for cuda, products in float16", cpu({ threads: 1, target: cuda, products: "float16" }), "float16")
