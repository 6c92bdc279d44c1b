/** Sections of model cards: results of tasks, synthetic data, and the recipe that a folder is of. */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import { basename, dirname, join } from "node:path"
import { besideWritten } from "../../domain/fileNames.ts"
import { markdown } from "../../domain/textTable.ts"
import { decodeFile, exists, type FileError, namesIn, readText } from "../../runtime/files/disk.ts"
import { cardParts } from "../../runtime/files/frontMatter.ts"
import { resultsIn, type System } from "../benchmarks/compared/read.ts"

/** A section: its title and its text. */
export type Section = readonly [title: string, text: string]

const figure = (value: number | null): string => value === null ? "-" : value.toFixed(4)

/** The figures of tasks, as `bench` found them. */
export const taskResults = Effect.fnUntraced(function*(system: System) {
  const rows = [...(yield* resultsIn(system)).values()].flatMap(({ figures, task }) =>
    figures.map(({ filter, high, low, mean, metric, records }) => [
      task,
      filter === "none" ? metric : `${metric} (${filter})`,
      figure(mean),
      low === null ? "-" : `${figure(low)} to ${figure(high)}`,
      String(records)
    ])
  )
  return markdown([["task", "figure", "value", "95% interval", "records"], ...rows], { aligned: false })
})

/** What the data card beside a file says, a level of headings lower; `undefined` if the file has none. */
export const syntheticData = Effect.fnUntraced(function*(file: string) {
  const path = besideWritten.card(file)
  if (file === "" || !(yield* exists(path))) return undefined
  const { body } = cardParts(yield* readText(path))
  const text = body.replace(/^# .*$/m, "").replaceAll(/^(#+) /gm, "#$1 ").trim()
  return [`Synthetic data: ${basename(file)}`, text] as Section
})

const Mark = Schema.Struct({ step: Schema.String, words: Schema.Array(Schema.String), seconds: Schema.Finite })
const MARK = "step.json"

/** The folder of the recipe's step that a folder lies in; `undefined` if it is of none. */
const stepFolder = Effect.fnUntraced(function*(folder: string) {
  for (const own of [folder, dirname(folder)]) if (yield* exists(join(own, MARK))) return own
  return undefined
})

/** The texts by which a step names others: its command line, or the files that it wrote. */
const namingIn = Effect.fnUntraced(function*(folder: string, words: ReadonlyArray<string>) {
  if (words.length > 0) return words.join(" ")
  const files = (yield* namesIn(folder)).filter((name) => name !== MARK)
  return (yield* Effect.forEach(files, (name) => readText(join(folder, name)))).join("\n")
})

/** The steps of a recipe that led to a folder, each after those that it needs; `undefined` if it is of no recipe. */
export const recipeSteps = Effect.fnUntraced(function*(folder: string) {
  const last = yield* stepFolder(folder)
  if (last === undefined) return undefined
  const root = dirname(last)
  const done = new Map<string, readonly [step: string, command: string]>()
  const visit: (own: string) => Effect.Effect<void, FileError, FileSystem.FileSystem> = Effect.fnUntraced(
    function*(own: string) {
      if (done.has(own) || !(yield* exists(join(own, MARK)))) return
      const { step, words } = yield* decodeFile(join(own, MARK), Schema.decodeUnknownEffect(Mark))
      done.set(own, [step, ""])
      const found = (yield* namingIn(own, words)).matchAll(/[/\\]([A-Za-z0-9][\w.+-]*-[0-9a-f]{12})(?![0-9a-f])/g)
      for (const [, name] of found) yield* visit(join(root, name!))
      done.delete(own)
      const plain = words.map((word) => word.replaceAll(`${root}/`, ""))
      done.set(own, [step, words.length === 0 ? "(writes files)" : `\`${plain.join(" ")}\``])
    }
  )
  yield* visit(last)
  return markdown([["step", "command"], ...done.values()], { aligned: false })
})
