import { type Alias, aliases, ambiguous, type Disease } from "./facts.ts"
import { fold, integer, type Key, pick, shuffled, uniform } from "./keys.ts"
import { options, type Topic, usable } from "./options.ts"
import { overlap, type Passage } from "./passages.ts"
import { type Facet, facets, wordings } from "./wordings.ts"

const letters = ["A", "B", "C", "D"] as const

export interface Question {
  readonly id: string
  readonly question: string
  readonly options: Readonly<Record<(typeof letters)[number], string>>
  readonly answer: (typeof letters)[number]
  readonly gold: ReadonlyArray<string>
  readonly type: Facet
  readonly mention: string
  readonly mention_kind: Alias["kind"]
  readonly mention_in_gold: number
  readonly group: string
}

export const splits = ["train", "dev", "test"] as const

/** The split of a disease: 70, 10 and 20 of a hundred. */
export const splitOf = (seed: Key, id: string): (typeof splits)[number] => {
  const share = uniform(fold(seed, id, "split"), 0)
  return share < 0.7 ? "train" : share < 0.8 ? "dev" : "test"
}

const question = (key: Key, topic: Topic, alias: Alias, index: number): Question | undefined => {
  const { disease, facet, text } = topic
  const found = options(key, topic)
  if (found === undefined) return undefined
  const place = integer(fold(key, "place"), 0, 4)
  const [a, b, c, d] = found.wrong.toSpliced(place, 0, found.right) as [string, string, string, string]
  return {
    id: `${disease.id}/${facet}/${index}`,
    question: pick(key, "wording", wordings[facet].questions).replace("{M}", alias.text),
    options: { A: a, B: b, C: c, D: d },
    answer: letters[place]!,
    gold: [`${disease.id}#${facet}`],
    type: facet,
    mention: alias.text,
    mention_kind: alias.kind,
    mention_in_gold: overlap(alias.text, text),
    group: disease.id
  }
}

/** The questions of a facet: one by name and one or two by synonym or abbreviation, where an alias leaves an answer. */
const ask = (key: Key, about: Omit<Topic, "mention">): ReadonlyArray<Question> => {
  const [name, ...others] = aliases(about.disease).filter((alias) => usable(about.shared, alias))
  const asked: Array<Question> = []
  const add = (alias: Alias): void => {
    const next = question(fold(key, alias.text), { ...about, mention: alias.text }, alias, asked.length)
    if (next !== undefined) asked.push(next)
  }
  if (name !== undefined) add(name)
  const limit = asked.length + 1 + integer(fold(key, "wanted"), 0, 2)
  for (const alias of shuffled(key, "mentions", others)) if (asked.length < limit) add(alias)
  return asked
}

/** Wrong options come from diseases on the same side of the training split: in a test they are as new as the answer. */
export const questions = (
  seed: Key,
  diseases: ReadonlyArray<Disease>,
  passages: ReadonlyArray<Passage>
): ReadonlyArray<Question> => {
  const texts = new Map(passages.map(({ _id, text }) => [_id, text]))
  const shared = ambiguous(diseases)
  const side = ({ id }: Disease): boolean => splitOf(seed, id) === "train"
  return diseases.flatMap((disease) => {
    const pool = diseases.filter((other) => side(other) === side(disease))
    return facets.flatMap((facet) =>
      ask(fold(seed, disease.id, facet, "question"), {
        disease,
        facet,
        text: texts.get(`${disease.id}#${facet}`)!,
        pool,
        shared
      })
    )
  })
}
