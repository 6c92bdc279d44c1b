/** Memory of a device, beside what ONNX Runtime allocates there itself. */
import type { Address, Api } from "./api.ts"
import { library } from "./api.ts"

/** `count` rows of `length` bytes, the first at `start`, each `stride` bytes after the one before. */
export interface Rows {
  readonly start: number
  readonly length: number
  readonly stride: number
  readonly count: number
}

/** Allocates memory on a device and copies between it and the host. */
export interface DeviceMemory {
  /** Describes the memory to ONNX Runtime. */
  readonly info: Address
  /** Throws if there are not as many bytes left. */
  readonly allocate: (bytes: number) => Address
  readonly free: (at: Address) => void
  /** Copies rows from the host to the same places of a block on the device. */
  readonly upload: (to: Address, from: Address, rows: Rows) => void
  /** Copies `bytes` bytes from an address on the device to one on the host. */
  readonly download: (to: Address, from: Address, bytes: number) => void
  /** Waits until all copies have arrived. */
  readonly settle: () => void
}

/** ONNX Runtime's OrtDeviceAllocator and OrtMemTypeDefault. */
const [ALLOCATOR, DEFAULT] = [0, 0]

/** The C library, by platform. */
const standard: Readonly<Record<string, string>> = {
  linux: "libc.so.6",
  darwin: "libSystem.dylib",
  win32: "msvcrt.dll"
}

/** The host's own memory in place of a device's, to run everything else without one. */
export const ofHost = async (api: Api): Promise<DeviceMemory> => {
  const c = await library(standard[process.platform] ?? "libc.so.6")
  const [malloc, release] = [c.func("void *malloc(size_t n)"), c.func("void free(void *p)")]
  const copy = c.func("void *memcpy(void *to, void *from, size_t n)")
  const move = (to: Address, from: Address, bytes: number) => void copy(to, from, bytes)
  return {
    info: api.made("CreateMemoryInfo", "Cpu", ALLOCATOR, 0, DEFAULT),
    allocate: (bytes) => {
      const at = malloc(Math.max(1, bytes)) as Address | null
      if (!at) throw new Error(`out of memory: ${bytes} bytes are not to be had`)
      return at
    },
    free: (at) => void release(at),
    upload: (to, from, { count, length, start, stride }) => {
      for (let row = 0; row < count; row++) {
        const at = BigInt(start + row * stride)
        move(to + at, from + at, length)
      }
    },
    download: move,
    settle: () => {}
  }
}

/** Memory of a GPU, through CUDA's runtime library, which ONNX Runtime's provider has loaded. */
export const ofCuda = async (api: Api, device: number): Promise<DeviceMemory> => {
  const runtime = await library("libcudart.so.13").catch(() => library("libcudart.so.12"))
  const said = runtime.func("const char *cudaGetErrorString(int code)")
  const choose = runtime.func("int cudaSetDevice(int device)")
  const malloc = runtime.func("int cudaMalloc(void *out, size_t bytes)")
  const release = runtime.func("int cudaFree(void *at)")
  const copy = runtime.func("int cudaMemcpy(void *to, void *from, size_t bytes, int kind)")
  const copyRows = runtime.func(
    "int cudaMemcpy2D(void *to, size_t toStride, void *from, size_t fromStride, size_t length, size_t rows, int kind)"
  )
  const wait = runtime.func("int cudaDeviceSynchronize()")
  const checked = (code: number, what: string): void => {
    if (code !== 0) throw new Error(`CUDA failure ${code}: ${said(code)}; ${what}`)
  }
  const [TO_DEVICE, TO_HOST] = [1, 2]
  checked(choose(device) as number, `device ${device}`)
  return {
    info: api.made("CreateMemoryInfo", "Cuda", ALLOCATOR, device, DEFAULT),
    allocate: (bytes) => {
      const out = new BigUint64Array(1)
      checked(malloc(out, Math.max(1, bytes)) as number, `${bytes} bytes for arrays kept on the GPU`)
      return out[0]!
    },
    free: (at) => checked(release(at) as number, "freeing memory"),
    upload: (to, from, { count, length, start, stride }) => {
      const [target, source] = [to + BigInt(start), from + BigInt(start)]
      const code = count === 1
        ? copy(target, source, length, TO_DEVICE)
        : copyRows(target, stride, source, stride, length, count, TO_DEVICE)
      checked(code as number, "copying to the GPU")
    },
    download: (to, from, bytes) => checked(copy(to, from, bytes, TO_HOST) as number, "copying from the GPU"),
    settle: () => checked(wait() as number, "waiting for the GPU")
  }
}
