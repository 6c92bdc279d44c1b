/** Libraries that the CUDA provider needs, by name: ONNX Runtime's own, and those of CUDA. */
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { constants } from "node:os"
import { dirname, join } from "node:path"

/** The folder of the package's native library, in which ONNX Runtime looks for its providers. */
const packaged = (): string => {
  const root = dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json"))
  return join(root, "bin", "napi-v6", process.platform, process.arch)
}

/** The folder of the ONNX Runtime library that is loaded: the first on LD_LIBRARY_PATH with one, else the package's. */
export const folder = (): string => {
  const onPath = (process.env["LD_LIBRARY_PATH"] ?? "").split(":").filter(Boolean)
  return onPath.find((one) => existsSync(join(one, "libonnxruntime.so.1"))) ?? packaged()
}

/**
 * Why a library is not found or not readable; empty otherwise. A library that is there still fails to load, not being a
 * Node addon; this and any other error is left to ONNX Runtime.
 */
const refusal = (library: string): string => {
  try {
    process.dlopen({ exports: {} }, library, constants.dlopen.RTLD_LAZY)
    return ""
  } catch (error) {
    const said = String((error as Error).message)
    return /cannot open shared object file|file too short|invalid ELF header/.test(said) ? said : ""
  }
}

/** Libraries needed with a version of CUDA; the driver's comes last. */
const needed = (version: 12 | 13): ReadonlyArray<string> => [
  `libcudart.so.${version}`,
  `libcublas.so.${version}`,
  `libcublasLt.so.${version}`,
  "libcurand.so.10",
  "libcudnn.so.9",
  "libcuda.so.1"
]

const listed = (names: ReadonlyArray<string>): string =>
  names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`

/** The missing libraries as a phrase; `undefined` if none is. */
export const missing = (): string | undefined => {
  const home = folder()
  const own = ["shared", "cuda"].map((kind) => `libonnxruntime_providers_${kind}.so`)
  const absent = own.filter((name) => !existsSync(join(home, name)))
  if (absent.length > 0) return `${listed(absent)} ${absent.length === 1 ? "is" : "are"} not in ${home}`
  const said = refusal(join(home, own[1]!))
  /** Loading the provider loads all that it needs except cuDNN, which it looks up later. */
  const asked = said === "" ? ["libcudnn.so.9"] : needed(/\.so\.1[12]\b/.test(said) ? 12 : 13)
  const others = asked.filter((name) => refusal(name) !== "")
  if (others.length === 0) return said === "" ? undefined : said
  const what = others.includes("libcuda.so.1") ? " (libcuda.so.1 is the NVIDIA driver's)" : ""
  return `the loader does not find ${listed(others)}${what}`
}
