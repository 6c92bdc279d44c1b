/** Program: completes a model's card by results of tasks and the recipe that made it. */
import * as Effect from "effect/Effect"
import { basename, join } from "node:path"
import { modelFiles } from "../../domain/fileNames.ts"
import { exists, readText } from "../../runtime/files/disk.ts"
import { locate } from "../../runtime/files/hub/models.ts"
import type { System } from "../benchmarks/compared/read.ts"
import { recipeSteps, type Section, taskResults } from "./sections.ts"

/** A card without its section of a title, if it has one. */
const without = (card: string, title: string): string => {
  const parts = card.split(/^(?=## )/m)
  const [head, ...sections] = parts as [string, ...ReadonlyArray<string>]
  return [head, ...sections.filter((own) => own.split("\n")[0]!.trim() !== `## ${title}`)].join("")
}

/** A card with sections in place of those of the same titles, before its last paragraph if that is of one line. */
export const withSections = (card: string, sections: ReadonlyArray<Section>): string => {
  const kept = sections.reduce((text, [title]) => without(text, title), card).trimEnd()
  const [, rest, last] = /^([^]*\n)\n([^\n#|`-][^\n]*)$/.exec(kept) ?? [kept, kept, ""]
  const own = sections.map(([title, text]) => `## ${title}\n\n${text}`)
  return `${[rest!.trimEnd(), ...own, ...(last === "" ? [] : [last])].join("\n\n")}\n`
}

/** The card of a model folder with the results that `bench` left, and the steps of the recipe that the folder is of. */
export const completedCard = Effect.fn("completedCard")(function*(model: string, results: ReadonlyArray<System>) {
  const { folder } = yield* locate(model)
  const path = join(folder, modelFiles.card)
  const card = (yield* exists(path)) ? yield* readText(path) : `# ${basename(folder)}\n`
  const tasks = yield* Effect.forEach(
    results,
    (own) =>
      Effect.map(taskResults(own), (text): Section => [results.length === 1 ? "Tasks" : `Tasks: ${own.name}`, text])
  )
  const steps = yield* recipeSteps(folder)
  return withSections(card, [...tasks, ...(steps === undefined ? [] : [["Recipe", steps] as const])])
})
