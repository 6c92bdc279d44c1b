/** Whether a failure means that memory ran out. ONNX Runtime has no code for it, so its words decide. */
import { CompileFailed, OutOfMemory, RunFailed, SessionError } from "./Session.ts"

/**
 * What exhausted memory is called, by who says it; a group in a pattern is the number of bytes asked for. Texts of ONNX
 * Runtime 1.30 (`bfc_arena.cc`, `cuda_call.cc`, `webgpu/buffer_manager.cc`), CUDA, Dawn, C++ and V8.
 */
const signs: Readonly<Record<string, ReadonlyArray<RegExp>>> = {
  arena: [
    /Failed to allocate memory for requested buffer of size (\d+)/,
    /Available memory of \d+ is smaller than requested bytes of (\d+)/,
    /Failed to find a free memory block despite calling Extend\. rounded_bytes=(\d+)/
  ],
  cuda: [
    /out of memory[:;] (\d+) bytes/,
    /out of memory/i,
    /CUBLAS_STATUS_ALLOC_FAILED|CUBLAS failure 3\b/,
    /CUDNN_STATUS_(INTERNAL_ERROR_(HOST|DEVICE)_)?ALLOC(ATION)?_FAILED/
  ],
  webgpu: [
    /Failed to create GPU buffer: size=(\d+)/,
    /Buffer size \((\d+)\) exceeds the max buffer size limit/,
    /Binding size \((\d+)\) of .* is larger than the maximum storage buffer binding size/,
    /VK_ERROR_OUT_OF_(?:HOST|DEVICE)_MEMORY/
  ],
  host: [/std::bad_alloc|bad allocation/, /Array buffer allocation failed/]
}

/** Bytes that a failure says were asked for: 0 if it names none; `undefined` if it is not about memory. */
const asked = (cause: unknown): number | undefined => {
  const text = String(cause)
  const found = Object.values(signs).flat().map((sign) => sign.exec(text)).find((match) => match !== null)
  return found && (Number(found[1]) || 0)
}

/** The error of a program that failed: `OutOfMemory` if the cause says so. */
const failed =
  (Otherwise: typeof CompileFailed | typeof RunFailed) => (program: string, cause: unknown): SessionError => {
    const needed = asked(cause)
    const reason = needed === undefined
      ? new Otherwise({ program, cause })
      : new OutOfMemory({ program, needed, cause })
    return new SessionError({ reason })
  }

/** The error of a program whose compilation failed: `OutOfMemory` if the cause says so, else `CompileFailed`. */
export const compileFailed = failed(CompileFailed)

/** The error of a program whose run failed: `OutOfMemory` if the cause says so, else `RunFailed`. */
export const runFailed = failed(RunFailed)

/** Whether memory ran out. */
export const isOutOfMemory = (error: unknown): boolean =>
  error instanceof SessionError && error.reason._tag === "OutOfMemory"

/** The error for work that no smaller batch can help, such as applying an update: `RunFailed` if memory ran out. */
export const final = (error: SessionError): SessionError => {
  const { reason } = error
  if (reason._tag !== "OutOfMemory") return error
  return new SessionError({ reason: new RunFailed({ program: reason.program, cause: reason.message }) })
}
