/** A file system whose machine stops at some point: that write is torn, and nothing is done after it. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"

/** Dies at the `at`-th change of the disk, and at every later one. */
export const crashing = (at: number) =>
  Layer.effect(
    FileSystem.FileSystem,
    Effect.map(FileSystem.FileSystem, (fs) => {
      let changes = 0
      const gone = Effect.die("the machine is gone")
      const change = <A, E, R>(whole: Effect.Effect<A, E, R>, torn: Effect.Effect<unknown, E> = Effect.void) =>
        Effect.suspend(() => {
          changes++
          if (changes < at) return whole
          return changes === at ? Effect.andThen(torn, gone) : gone
        })
      const open: typeof fs.open = (path, options) =>
        Effect.map(fs.open(path, options), (file) => ({
          ...file,
          sync: file.sync,
          stat: file.stat,
          writeAll: (bytes) => change(file.writeAll(bytes), file.writeAll(bytes.subarray(0, bytes.length / 2)))
        }))
      return {
        ...fs,
        open: (path, options) => options?.flag === "wx" ? change(open(path, options)) : fs.open(path, options),
        rename: (from, to) => change(fs.rename(from, to)),
        remove: (path, options) => change(fs.remove(path, options)),
        makeDirectory: (path, options) => change(fs.makeDirectory(path, options))
      }
    })
  )
