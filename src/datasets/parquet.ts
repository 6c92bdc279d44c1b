/** Reads parquet files one row group at a time, in a worker thread with time and memory limits. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Stream from "effect/Stream"
import { getHeapStatistics } from "node:v8"
import { Worker } from "node:worker_threads"
import { FileError, located } from "../runtime/files/disk.ts"
import type { Contents, Reply, Request } from "./parquetWorker.ts"

const MIB = 2 ** 20
/** Time limit of a row group: milliseconds, plus milliseconds per MiB of it in the file. */
const [START, PATIENCE] = [5000, 1000]
/** The thread's heap: MiB, plus MiB per MiB of the file. */
const [LEAST, SHARE] = [512, 8]

const program = new URL("./parquetWorker.ts", import.meta.url)

const start = (path: string, size: number) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const most = getHeapStatistics().heap_size_limit / MIB
      const heap = Math.min(most, LEAST + SHARE * size / MIB)
      return new Worker(program, { workerData: path, resourceLimits: { maxOldGenerationSizeMb: heap } })
    }),
    (worker) => Effect.promise(() => worker.terminate())
  )

/** The thread's next answer, after sending `request` if given; terminates the thread if it takes too long. */
const ask = <A>(path: string, worker: Worker, bytes: number, request?: Request): Effect.Effect<A, FileError> =>
  Effect.callback((resume) => {
    const milliseconds = START + PATIENCE * bytes / MIB
    const fail = (reason: string) =>
      finish(Effect.fail(new FileError({ path, place: "", reason: `not parquet as it should be: ${reason}` })))
    const finish = (effect: Effect.Effect<A, FileError>) => {
      clearTimeout(timer)
      worker.off("message", answer).off("error", failed)
      resume(effect)
    }
    const answer = (reply: Reply<A>) => "value" in reply ? finish(Effect.succeed(reply.value)) : fail(reply.reason)
    const failed = ({ message }: Error) => fail(message)
    const timer = setTimeout(
      () => fail(`reading it takes more than ${Math.round(milliseconds / 1000)} s`),
      milliseconds
    )
    worker.on("message", answer).on("error", failed)
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    if (request) worker.postMessage(request)
    return Effect.sync(() => clearTimeout(timer))
  })

/**
 * The rows of a file, with values for the wanted columns; other columns only record presence. With `bytes`, what is not said to be text is a
 * `Uint8Array`, within structures, too.
 */
export const rowsOf = (
  path: string,
  wanted: (column: string) => boolean,
  bytes = false
): Stream.Stream<object, FileError, FileSystem.FileSystem> =>
  Stream.unwrap(Effect.gen(function*() {
    const size = Number((yield* FileSystem.FileSystem.use((fs) => fs.stat(path)).pipe(located(path))).size)
    const worker = yield* start(path, size)
    const { files, groups, names } = yield* ask<Contents>(path, worker, size)
    const columns = names.filter(wanted)
    if (columns.length === 0) {
      const reason = `no column of a record is among its ${names.join(", ")}`
      return yield* new FileError({ path, place: "", reason })
    }
    const held = columns.find((name) => files.includes(name))
    if (held !== undefined && !bytes) {
      const reason =
        `column ${held} has pictures in it, as bytes; write them to files first (import pathvqa for questions with `
        + "answers, import captions)"
      return yield* new FileError({ path, place: "", reason })
    }
    return Stream.fromIterable(groups.entries()).pipe(
      Stream.rechunk(1),
      Stream.mapEffect(([group, length]) =>
        ask<ReadonlyArray<object>>(path, worker, Math.min(length, size), { group, columns, bytes })
      ),
      Stream.flattenIterable
    )
  }))
