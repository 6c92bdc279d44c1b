/** Questions about pictures as data sets publish them: which are asked twice, and in which split each is. */
import * as Key from "../../domain/Key.ts"
import type { Split } from "../pictures/parts.ts"

/** A question about a picture. */
export interface Asked {
  readonly id: string
  readonly split: Split
  /** The picture's name: the same for all questions about it. */
  readonly picture: string
  /** The picture's file. */
  readonly path: string
  readonly question: string
  readonly answer: string
  /** Whether the data call it closed; `undefined` where they do not say. */
  readonly closed?: boolean | undefined
  /** What kind of question it is; may be empty. */
  readonly type: string
  /** What the data say of the picture ("chest X-ray"); may be empty. */
  readonly about: string
}

/** Two answers of a question that is answered by yes or no. */
export const VERDICTS = ["yes", "no"] as const

/** The answer as one of the two; `undefined` if it is another. */
export const verdictIn = ({ answer }: Asked): typeof VERDICTS[number] | undefined => {
  const said = answer.toLowerCase().replace(/[.!]$/, "")
  return VERDICTS.find((verdict) => verdict === said)
}

/** Yes or no; closed with other answers, such as left or right; open. */
export const answerTypeOf = (asked: Asked): "yes/no" | "choice" | "open" => {
  if (verdictIn(asked) !== undefined) return "yes/no"
  return asked.closed === true ? "choice" : "open"
}

/** The same for all that ask the same about the same picture, and answer it alike. */
const triplet = ({ answer, picture, question }: Asked): string =>
  JSON.stringify([picture, ...[question, answer].map((text) => text.toLowerCase().replaceAll(/\s+/g, " "))])

/** Questions without those that were asked before. */
export interface Distinct {
  readonly asked: ReadonlyArray<Asked>
  /** Those left out that are also in the same split. */
  readonly duplicates: number
  /** Those left out of training or validation that are also in a split that is judged later: the test, or validation. */
  readonly shared: number
}

/** The test whole, validation without what the test asks, training without what either asks; neither asks anything twice. */
export const distinct = (all: ReadonlyArray<Asked>): Distinct => {
  const seen = new Map<string, Split>()
  const kept = new Set<Asked>()
  let [duplicates, shared] = [0, 0]
  for (const split of ["test", "dev", "train"] as const) {
    for (const asked of all) {
      if (asked.split !== split) continue
      const key = triplet(asked)
      const known = seen.get(key)
      if (known === undefined || split === "test") kept.add(asked)
      else if (known === split) duplicates++
      else shared++
      seen.set(key, known ?? split)
    }
  }
  return { asked: all.filter((asked) => kept.has(asked)), duplicates, shared }
}

/** Shares of the pictures whose questions are to judge by. */
export interface Shares {
  readonly dev: number
  readonly test: number
}

/** All questions about a picture in one split, which is drawn under the seed; the splits of the data do not count. */
export const byPicture = (all: ReadonlyArray<Asked>, { dev, test }: Shares, seed: number): ReadonlyArray<Asked> => {
  const names = [...new Set(all.map(({ picture }) => picture))].toSorted()
  const order = Key.permutation(Key.fold(Key.make(seed), "splits of pictures"), names.length)
  const tests = Math.round(test * names.length)
  const rest = tests + Math.round(dev * names.length)
  const split = new Map(
    Array.from(order, (name, i) => [names[name]!, i < tests ? "test" : i < rest ? "dev" : "train"] as const)
  )
  return all.map((asked): Asked => ({ ...asked, split: split.get(asked.picture)! }))
}

/** Pictures that questions of both lists are about. */
export const sharedPictures = (a: ReadonlyArray<Asked>, b: ReadonlyArray<Asked>): number => {
  const own = new Set(a.map(({ picture }) => picture))
  return new Set(b.flatMap(({ picture }) => own.has(picture) ? [picture] : [])).size
}
