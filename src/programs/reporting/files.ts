/** Program: writes a report: the page, and beside it tables, charts and rankings as files. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { basename, dirname, join } from "node:path"
import { evaluationFiles } from "../../domain/fileNames.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import { exists, located, makeFolder, readBytes, readText, replace } from "../../runtime/files/disk.ts"
import type { Report } from "./collect.ts"
import { evaluatedOf } from "./statistics.ts"

/** A file beside the page: its name in the folder, and its text, or the file of which it is a copy. */
export type ReportFile = { readonly name: string } & ({ readonly text: string } | { readonly copyOf: string })

/** By this mark a page is known to be a report, which another may overwrite. */
export const MARK = "<meta name=\"generator\" content=\"anamnesis report\">"

/** Folder of the files beside a page. */
export const filesFolder = (page: string): string =>
  join(dirname(page), `${basename(page).replace(/\.html?$/i, "")}.files`)

/** A name as part of a file's name: letters, digits, dots, dashes and underscores; others become a dash. */
export const fileName = (name: string): string =>
  name.replace(/[^\p{L}\p{N}._-]+/gu, "-").replace(/^[.-]+/, "") || "arm"

/** Rankings and judgements of every evaluated run in trec_eval's format, as its evaluation has them. */
export const trecFiles = ({ arms }: Report): ReadonlyArray<ReportFile> =>
  arms.flatMap((arm, i) =>
    evaluatedOf(arm).flatMap(({ evaluation, seed }) =>
      [evaluationFiles.ranking, evaluationFiles.judgements].map((file) => ({
        name: `trec/${i + 1}-${fileName(arm.name)}-seed-${seed}.${file}`,
        copyOf: join(evaluation, file)
      }))
    )
  )

/** Whether a report is there already; refuses to overwrite what is none. */
const isThere = Effect.fnUntraced(function*(page: string) {
  const refused = (source: string, problem: string) => new ConfigError({ source, problems: [problem] })
  if (yield* exists(page)) {
    const text = yield* Effect.orElseSucceed(readText(page), () => "")
    return text.includes(MARK) ? true : yield* refused(page, "is there already and is no report; choose another name")
  }
  const folder = filesFolder(page)
  const problem = "is there already, and the report that it would belong to is not; choose another name"
  return (yield* exists(folder)) ? yield* refused(folder, problem) : false
})

/** Writes a file; one that is a copy of a file that is not there is left out, and named. */
const writeFile = Effect.fnUntraced(function*(folder: string, file: ReportFile) {
  const path = join(folder, file.name)
  if ("copyOf" in file && !(yield* exists(file.copyOf))) return [file.copyOf]
  yield* makeFolder(dirname(path))
  yield* replace(path, "text" in file ? new TextEncoder().encode(file.text) : yield* readBytes(file.copyOf))
  return []
})

/** Writes the page, and its files into a folder beside it, of which those of an earlier report are removed. */
export const writeReport = Effect.fn("writeReport")(
  function*(page: string, html: string, files: ReadonlyArray<ReportFile>) {
    const fs = yield* FileSystem.FileSystem
    const folder = filesFolder(page)
    if (yield* isThere(page)) yield* fs.remove(folder, { recursive: true, force: true }).pipe(located(folder))
    const lost = (yield* Effect.forEach(files, (file) => writeFile(folder, file))).flat()
    for (const path of lost) yield* Effect.logWarning(`${path}: is not there, and left out beside the report`)
    yield* makeFolder(dirname(page))
    yield* replace(page, new TextEncoder().encode(html))
    return folder
  }
)
