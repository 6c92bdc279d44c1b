/** Which failures are for want of memory, by the words of those who say so. */
import { assert, describe, it } from "@effect/vitest"
import { compileFailed, isOutOfMemory, runFailed } from "../../../src/runtime/engine/outOfMemory.ts"
import { NotFinite, SessionError } from "../../../src/runtime/engine/Session.ts"

const node = "Non-zero status code returned while running FusedMatMul node. Name:'t92' Status Message: "
const arena = "/onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:376 void* onnxruntime::BFCArena::"
  + "AllocateRawInternal(size_t, bool, onnxruntime::Stream*, bool, onnxruntime::WaitNotificationFn) "
const call = (library: string, code: number, what: string) =>
  `${node}${library} failure ${code}: ${what} ; GPU=0 ; hostname=node ; file=/onnxruntime_src/onnxruntime/core/providers/`
  + "cuda/cuda_allocator.cc ; line=47 ; expr=cudaMalloc((void**)&p, size); "

/** Texts with the bytes that each names. */
const memory: ReadonlyArray<readonly [string, number]> = [
  [`${node}${arena}Failed to allocate memory for requested buffer of size 8388608000`, 8388608000],
  [`${node}${arena}Available memory of 387667456 is smaller than requested bytes of 390021120`, 390021120],
  [`${node}${arena}Failed to find a free memory block despite calling Extend. rounded_bytes=1048576`, 1048576],
  [call("CUDA", 2, "out of memory"), 0],
  ["CUDA failure 2: out of memory; 1048576 bytes for arrays kept on the GPU", 1048576],
  [call("CUBLAS", 3, "the resource allocation failed"), 0],
  [call("CUBLAS", 3, "CUBLAS_STATUS_ALLOC_FAILED"), 0],
  [call("CUDNN", 4, "CUDNN_STATUS_ALLOC_FAILED"), 0],
  [call("CUDNN", 4003, "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"), 0],
  [`${node}Failed to create GPU buffer: size=3185049600, usage=140.`, 3185049600],
  ["Buffer size (3185049600) exceeds the max buffer size limit (1073741824). - While calling [Device]", 3185049600],
  [
    "Binding size (141557760) of [Buffer (unlabeled)] is larger than the maximum storage buffer binding size (134217728).",
    141557760
  ],
  ["WebGPU device error(3): Out of memory", 0],
  ["vkAllocateMemory failed with VK_ERROR_OUT_OF_DEVICE_MEMORY", 0],
  [`${node}std::bad_alloc`, 0],
  ["bad allocation", 0],
  ["RangeError: Array buffer allocation failed", 0]
]

/** What has other causes, or names memory in another sense. */
const others: ReadonlyArray<string> = [
  call("CUDA", 700, "an illegal memory access was encountered"),
  call("CUBLAS", 13, "the function failed to launch on the GPU"),
  call("CUDNN", 5000, "CUDNN_STATUS_EXECUTION_FAILED"),
  call("CUBLAS", 30, "unknown"),
  "Error in Node:t1 : No Op registered for Gelu with domain_version of 99",
  "RangeError: input x has 3 elements, not 2x2",
  "Got invalid dimensions for input: ids for the following indices index: 0 Got: 2 Expected: 1",
  "Failed to create a WebGPU compute pipeline: t1",
  "Failed to load library libonnxruntime_providers_cuda.so with error: libcublas.so.13: cannot open shared object file"
]

describe("a failure", () => {
  for (const [text, needed] of memory) {
    it(`is for want of memory: ${text.slice(-60)}`, () => {
      for (const [made, verb] of [[runFailed, "run"], [compileFailed, "compile"]] as const) {
        const error = made("reader.score 64x512", new Error(text))
        assert.isTrue(isOutOfMemory(error), verb)
        const { reason } = error
        assert.strictEqual(reason._tag === "OutOfMemory" && reason.needed, needed)
        const size = { 8388608000: " for 7.8 GiB", 1048576: " for 1.0 MiB", 0: "" }[needed] ?? " for"
        assert.isTrue(error.message.startsWith(`Program reader.score 64x512 ran out of memory${size}`))
        assert.include(error.message, text)
        assert.match(error.message, /larger one, use shorter texts \(max_length, passage_max_len\)/)
      }
    })
  }
  for (const text of others) {
    it(`is not: ${text.slice(0, 60)}`, () => {
      assert.strictEqual(runFailed("p", new Error(text)).reason._tag, "RunFailed")
      assert.strictEqual(compileFailed("p", new Error(text)).reason._tag, "CompileFailed")
      assert.isFalse(isOutOfMemory(runFailed("p", new Error(text))))
    })
  }
  it("of another kind is not, whatever it says", () => {
    const reason = new NotFinite({ program: "out of memory", output: "y", element: 0, value: NaN, subject: "" })
    assert.isFalse(isOutOfMemory(new SessionError({ reason })))
    assert.isFalse(isOutOfMemory(new Error("out of memory")))
  })
})
