/**
 * Restarts the process, once, with an allocator that keeps freed memory; imported first, for this side effect.
 *
 * A step allocates and frees hundreds of large arrays. By default glibc returns each to the kernel, which clears and
 * maps it anew: a tenth of the step's time. ONNX Runtime's arenas would keep the memory too, but with one arena per
 * program. glibc reads these settings only at startup; other C libraries ignore them.
 *
 * Node lets young objects grow past 100 MiB before collecting them: a third of all memory while a file of a million
 * records is read. With a limit it collects more often, in the same total time.
 */
const settings = "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=17179869184:glibc.malloc.hugetlb=1"

if (process.platform === "linux" && process.env["GLIBC_TUNABLES"] === undefined && process.execve) {
  const env = { ...process.env, GLIBC_TUNABLES: settings }
  const args = ["--max-semi-space-size=16", ...process.execArgv, ...process.argv.slice(1)]
  process.execve(process.execPath, [process.execPath, ...args], env)
}
