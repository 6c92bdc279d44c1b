/** Models of the Hub as they lie in a folder of one's own, each under the last part of its id. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { basename, join } from "node:path"
import { modelFiles } from "../../../domain/fileNames.ts"
import { exists, FileError, located, namesIn } from "../disk.ts"

/** The path of a model in `folder`: the model folder of the last part of its id, or the only GGUF file in one so named. */
export const placed = Effect.fnUntraced(function*(folder: string, repo: string) {
  const fs = yield* FileSystem.FileSystem
  const place = join(folder, basename(repo))
  const refusal = (reason: string) => new FileError({ path: repo, place: "", reason })
  if (!(yield* exists(place))) return yield* refusal(`there is no ${place}`)
  const { type } = yield* fs.stat(place).pipe(located(place))
  if (type !== "Directory") return yield* refusal(`${place} is no folder`)
  for (const file of [modelFiles.config, modelFiles.openClip]) if (yield* exists(join(place, file))) return place
  const [file, ...others] = (yield* namesIn(place)).filter((own) => own.endsWith(".gguf")).toSorted()
  if (file !== undefined && others.length === 0) return join(place, file)
  const found = file === undefined
    ? "no GGUF file"
    : `${others.length + 1} GGUF files (${[file, ...others].join(", ")})`
  return yield* refusal(`${place} has no ${modelFiles.config}, and ${found} instead of one`)
})

/** "org/name: taken from path", with a word on a revision, which such a folder does not tell. */
export const takenText = (repo: string, path: string, revision: string | undefined): string =>
  `${repo}: taken from ${path}${revision === undefined ? "" : ` (which may be of another revision than ${revision})`}`
