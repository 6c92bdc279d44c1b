/** Graphs as they are written for providers that lack kernels: on the CPU they mean the same. */
import { cuda, webgpu } from "../../../src/kernels/onnx/target.ts"
import { cpu } from "../../../src/runtime/engine/providers.ts"
import { suite } from "./session.suite.ts"

suite("cpu, written for cuda", cpu({ threads: 1, target: cuda }), 1e-5)
suite("cpu, written for webgpu", cpu({ threads: 1, target: webgpu }), 1e-5, (_, { attrs }) => attrs.from === "bfloat16")

/** Two operands of eleven bits, and sums of few products. */
suite("cpu, products in float16", cpu({ threads: 1, target: cuda, products: "float16" }), 1e-2)
