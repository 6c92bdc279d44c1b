/** The steps of a recipe as a table. */
import { columns } from "../domain/textTable.ts"
import type { Done } from "../programs/recipes/runRecipe.ts"

/** What became of a recipe. */
export interface RecipeResult {
  readonly steps: ReadonlyArray<Done>
  /** Folders of steps under other command lines or inputs. */
  readonly outdated: ReadonlyArray<string>
}

/** A line for each step: what was done, in how many seconds, and where its results are. */
export const recipeTable = ({ outdated, steps }: RecipeResult): string => {
  const rows = steps.map(({ chosen, folder, seconds, state, step }) => [
    step,
    chosen === undefined ? state : `picked ${chosen}`,
    seconds === null ? "-" : seconds.toFixed(0),
    folder ?? "-"
  ])
  const table = columns([["step", "state", "seconds", "folder"], ...rows], (i) => i !== 2)
  return outdated.length === 0
    ? table
    : `${table}\n\n${outdated.length} folders are of steps as they were before; --prune removes them`
}
