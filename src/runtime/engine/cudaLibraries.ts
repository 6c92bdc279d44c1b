/** What the CUDA provider needs of a machine, by name: ONNX Runtime's own libraries, and those of CUDA. */
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { constants } from "node:os"
import { dirname, join } from "node:path"

/** The folder in which ONNX Runtime looks for its providers: that of the library itself. */
const packaged = (): string => {
  const root = dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json"))
  return join(root, "bin", "napi-v6", process.platform, process.arch)
}

/** The folder of the core that is loaded: the first on the loader's path that has one, or the package's. */
const folder = (): string => {
  const onPath = (process.env["LD_LIBRARY_PATH"] ?? "").split(":").filter(Boolean)
  return onPath.find((one) => existsSync(join(one, "libonnxruntime.so.1"))) ?? packaged()
}

/**
 * Why the loader does not have a library; empty where it does. It is no addon of Node's, which is what it says of one that
 * is there; anything else that it may say is left to ONNX Runtime.
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

/** By the version of CUDA that the provider is built for; the driver's comes last. */
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

/** All that is missing, in a phrase; `undefined` where nothing is. */
export const missing = (): string | undefined => {
  const home = folder()
  const own = ["shared", "cuda"].map((kind) => `libonnxruntime_providers_${kind}.so`)
  const absent = own.filter((name) => !existsSync(join(home, name)))
  if (absent.length > 0) return `${listed(absent)} ${absent.length === 1 ? "is" : "are"} not in ${home}`
  const said = refusal(join(home, own[1]!))
  /** It is loaded with all that it needs but cuDNN, which it looks for later. */
  const asked = said === "" ? ["libcudnn.so.9"] : needed(/\.so\.1[12]\b/.test(said) ? 12 : 13)
  const others = asked.filter((name) => refusal(name) !== "")
  if (others.length === 0) return said === "" ? undefined : said
  const what = others.includes("libcuda.so.1") ? " (libcuda.so.1 is the NVIDIA driver's)" : ""
  return `the loader does not find ${listed(others)}${what}`
}
