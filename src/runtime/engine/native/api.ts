/**
 * ONNX Runtime's C interface, in the library that onnxruntime-node loads: what the Node binding leaves out is needed to
 * keep arrays on a device between runs. Functions are called through koffi, by their position in `OrtApi`, which later
 * versions only append to.
 */
import type * as Koffi from "koffi"
import { join } from "node:path"
import * as CudaLibraries from "../cudaLibraries.ts"

/** An address in the process, as koffi gives it; 0 for none. */
export type Address = bigint

/** Stack of a call in bytes: ONNX Runtime recurses through large graphs. */
const STACK = 2 ** 24

let loaded: Promise<typeof Koffi.default> | undefined

/** koffi, with stacks that are large enough. */
const koffi = (): Promise<typeof Koffi.default> =>
  loaded ??= import("koffi").then(({ default: k }) => {
    k.config({ ...k.config(), sync_stack_size: STACK, async_stack_size: STACK })
    return k
  })

const functions = {
  GetErrorMessage: [2, "const char *", ["void *"]],
  CreateEnv: [3, "void *", ["int", "const char *", "void *"]],
  CreateSessionFromArray: [8, "void *", ["void *", "void *", "size_t", "void *", "void *"]],
  Run: [9, "void *", ["void *", "void *", "void *", "void *", "size_t", "void *", "size_t", "void *"]],
  CreateSessionOptions: [10, "void *", ["void *"]],
  SetSessionExecutionMode: [13, "void *", ["void *", "int"]],
  DisableMemPattern: [17, "void *", ["void *"]],
  DisableCpuMemArena: [19, "void *", ["void *"]],
  SetSessionLogSeverityLevel: [22, "void *", ["void *", "int"]],
  SetSessionGraphOptimizationLevel: [23, "void *", ["void *", "int"]],
  SetIntraOpNumThreads: [24, "void *", ["void *", "int"]],
  SetInterOpNumThreads: [25, "void *", ["void *", "int"]],
  CreateTensorWithDataAsOrtValue: [49, "void *", ["void *", "void *", "size_t", "void *", "size_t", "int", "void *"]],
  CreateMemoryInfo: [68, "void *", ["const char *", "int", "int", "int", "void *"]],
  ReleaseStatus: [93, "void", ["void *"]],
  ReleaseSession: [95, "void", ["void *"]],
  ReleaseValue: [96, "void", ["void *"]],
  ReleaseSessionOptions: [100, "void", ["void *"]],
  AddSessionConfigEntry: [130, "void *", ["void *", "const char *", "const char *"]],
  SessionOptionsAppendExecutionProvider_CUDA_V2: [204, "void *", ["void *", "void *"]],
  CreateCUDAProviderOptions: [205, "void *", ["void *"]],
  UpdateCUDAProviderOptions: [206, "void *", ["void *", "void *", "void *", "size_t"]],
  ReleaseCUDAProviderOptions: [208, "void", ["void *"]],
  AddExternalInitializersFromFilesInMemory: [279, "void *", ["void *", "void *", "void *", "void *", "size_t"]]
} as const satisfies Record<string, readonly [number, string, ReadonlyArray<string>]>

/** ONNX Runtime's own library, in its folder. */
const LIBRARY = { linux: "libonnxruntime.so.1", win32: "onnxruntime.dll", darwin: "libonnxruntime.dylib" }[
  process.platform as "linux"
]

const libraries: Array<Koffi.LibraryHandle> = []

/** A library by its path, or its name if it is loaded or where the loader looks; it stays loaded. */
export const library = async (path: string): Promise<Koffi.LibraryHandle> => {
  const opened = (await koffi()).load(path)
  libraries.push(opened)
  return opened
}

/** Functions of the interface by name. */
export type Name = keyof typeof functions

type Argument = Address | number | string | NodeJS.ArrayBufferView | null

/** The version of the interface that is asked for; every later library has it. */
const VERSION = 18

/** Strings, and an array of their addresses; alive as long as the object is. */
export interface Texts {
  readonly bytes: Buffer
  readonly addresses: BigUint64Array
}

/** To be called when native code no longer needs the memory of objects: until then they are not collected. */
export const alive = (..._: ReadonlyArray<object>): void => {}

/** ONNX Runtime's C interface. */
export class Api {
  /** The one environment of the process. */
  readonly env: Address
  private readonly koffi: typeof Koffi.default
  private readonly known = new Map<Name, ReturnType<Koffi.LibraryHandle["func"]>>()
  private readonly table: BigUint64Array

  private constructor(k: typeof Koffi.default, ort: Koffi.LibraryHandle) {
    this.koffi = k
    const base = ort.func("OrtGetApiBase", "void *", [])() as Address
    const getApi = k.decode(k.decode(base, "void *") as Address, k.proto("void *", ["uint32_t"])) as (
      version: number
    ) => Address
    const most = Math.max(...Object.values(functions).map(([at]) => at)) + 1
    this.table = new BigUint64Array(k.view(getApi(VERSION), 8 * most)).slice()
    this.env = this.made("CreateEnv", 3, "anamnesis")
  }

  private static one: Promise<Api> | undefined
  /** The interface; the same object each time. */
  static readonly load = (): Promise<Api> =>
    Api.one ??= Promise.all([koffi(), library(join(CudaLibraries.folder(), LIBRARY))]).then(([k, ort]) =>
      new Api(k, ort)
    )

  private function(name: Name) {
    const found = this.known.get(name)
    if (found) return found
    const [at, result, parameters] = functions[name]
    const made = this.koffi.decode(this.table[at]!, this.koffi.proto(result, [...parameters]))
    this.known.set(name, made)
    return made as ReturnType<Koffi.LibraryHandle["func"]>
  }
  /** Throws what a status says, and frees it. */
  private checked(status: Address | null): void {
    if (!status) return
    const message = this.function("GetErrorMessage")(status) as string
    this.function("ReleaseStatus")(status)
    throw new Error(message)
  }
  /** Calls a function, and throws the error that it returns, if any. */
  call(name: Name, ...args: ReadonlyArray<Argument>): void {
    this.checked(this.function(name)(...args) as Address | null)
  }
  /** Calls a function on another thread; what the addresses point to must stay until it has ended. */
  async later(name: Name, ...args: ReadonlyArray<Argument>): Promise<void> {
    const status = await new Promise<Address | null>((resolve, reject) => {
      this.function(name).async(
        ...args,
        (error: unknown, result: Address | null) => error ? reject(error) : resolve(result)
      )
    })
    this.checked(status)
  }
  /** Calls a function that stores what it makes at its last argument. */
  made(name: Name, ...args: ReadonlyArray<Argument>): Address {
    const out = new BigUint64Array(1)
    this.call(name, ...args, out)
    return out[0]!
  }
  release(name: Extract<Name, `Release${string}`>, made: Address): void {
    this.function(name)(made)
  }
  addressOf(array: NodeJS.ArrayBufferView): Address {
    return this.koffi.address(array)
  }
  texts(strings: ReadonlyArray<string>): Texts {
    const parts = strings.map((text) => Buffer.from(`${text}\0`, "utf8"))
    const bytes = Buffer.alloc(Math.max(64, parts.reduce((sum, part) => sum + part.length, 0)))
    const base = this.addressOf(bytes)
    const addresses = new BigUint64Array(Math.max(8, parts.length))
    let at = 0
    parts.forEach((part, i) => {
      addresses[i] = base + BigInt(at)
      at += part.copy(bytes, at)
    })
    return { bytes, addresses }
  }
}
