/** A folder of JSON values by hash: what was computed once, and is not computed again. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { dirname, join } from "node:path"
import { exists, makeFolder, readJson, replaceShared } from "./disk.ts"

/** Where the value of a key is; keys are hexadecimal, and the first two digits name a folder. */
export const pathOf = (folder: string, key: string): string => join(folder, key.slice(0, 2), `${key}.json`)

/** The value of a key; `undefined` if there is none. A file that is no JSON is told of, and counts as none. */
export const get = Effect.fnUntraced(function*(folder: string, key: string) {
  const path = pathOf(folder, key)
  if (!(yield* exists(path))) return undefined
  return yield* readJson(path).pipe(
    Effect.catchIf(
      ({ reason }) => /^(not JSON|is not UTF-8)/.test(reason),
      (error) => Effect.as(Effect.logWarning(`${error.message}; it is made anew`), undefined)
    )
  )
})

/** Whether a key has a value. */
export const has = (folder: string, key: string) => exists(pathOf(folder, key))

/** Keeps a value; durable when it returns. */
export const put = Effect.fnUntraced(function*(folder: string, key: string, value: unknown) {
  const path = pathOf(folder, key)
  yield* makeFolder(dirname(path))
  yield* replaceShared(path, new TextEncoder().encode(`${JSON.stringify(value)}\n`))
})

/** A store with its file system. */
export const open = Effect.fnUntraced(function*(folder: string) {
  const fs = yield* FileSystem.FileSystem
  const on = Effect.provideService(FileSystem.FileSystem, fs)
  return {
    folder,
    get: (key: string) => on(get(folder, key)),
    has: (key: string) => on(has(folder, key)),
    put: (key: string, value: unknown) => on(put(folder, key, value))
  }
})
/** An open store. */
export type Store = Effect.Success<ReturnType<typeof open>>
