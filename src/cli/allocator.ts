/**
 * Starts the process again, once, with an allocator that keeps what is freed: imported first, for its effect.
 *
 * A step takes and frees hundreds of large arrays. Left alone, glibc returns each to the kernel and has it cleared and
 * mapped anew, a tenth of the step's time; ONNX Runtime's arenas would keep them too, but one for each program. glibc
 * reads these settings at its start alone; other C libraries pass over them.
 */
const settings = "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=17179869184:glibc.malloc.hugetlb=1"

if (process.platform === "linux" && process.env["GLIBC_TUNABLES"] === undefined && process.execve) {
  const env = { ...process.env, GLIBC_TUNABLES: settings }
  process.execve(process.execPath, [process.execPath, ...process.execArgv, ...process.argv.slice(1)], env)
}
