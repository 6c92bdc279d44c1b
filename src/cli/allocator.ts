/**
 * Starts the process again, once, with an allocator that keeps what is freed: imported first, for its effect.
 *
 * A step takes and frees hundreds of large arrays. Left alone, glibc returns each to the kernel and has it cleared and
 * mapped anew, a tenth of the step's time; ONNX Runtime's arenas would keep them too, but one for each program. glibc
 * reads these settings at its start alone; other C libraries pass over them.
 *
 * Node lets young objects take 100 MiB and more before it looks which of them are still needed; where a file of a million
 * records is read, that is a third of all memory. With a limit it looks more often, in the same time.
 */
const settings = "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=17179869184:glibc.malloc.hugetlb=1"

if (process.platform === "linux" && process.env["GLIBC_TUNABLES"] === undefined && process.execve) {
  const env = { ...process.env, GLIBC_TUNABLES: settings }
  const args = ["--max-semi-space-size=16", ...process.execArgv, ...process.argv.slice(1)]
  process.execve(process.execPath, [process.execPath, ...args], env)
}
