import { type Alias, aliases, type Disease, family, modes, standsAlone, values } from "./facts.ts"
import { mayDistract, mayStand } from "./findings.ts"
import { fold, integer, type Key, shuffled, uniform } from "./keys.ts"
import { akin, occurrences, related } from "./text.ts"
import type { Facet } from "./wordings.ts"

/** What a question asks: a facet of a disease that it calls by `mention`. */
export interface Topic {
  readonly disease: Disease
  readonly facet: Facet
  readonly mention: string
  /** The passage that answers it. */
  readonly text: string
  /** The diseases that lend their facts to the wrong options. */
  readonly pool: ReadonlyArray<Disease>
  /** Aliases, in lower case, of more than one disease. */
  readonly shared: ReadonlySet<string>
}

/** Whether a question may use an alias, as its mention or as an option. */
export const usable = (shared: ReadonlySet<string>, alias: Alias): boolean =>
  standsAlone(alias) && !shared.has(alias.text.toLowerCase())

/** Names of a disease that a mention does not give away. */
const otherNames = ({ mention, shared }: Topic, disease: Disease): ReadonlyArray<Alias> =>
  aliases(disease).filter((alias) => usable(shared, alias) && !akin(alias.text, mention))

/** Right answers that the mention does not give away. */
const answers = (topic: Topic): ReadonlyArray<string> => {
  const { disease, facet, mention } = topic
  if (facet === "names") return otherNames(topic, disease).map(({ text }) => text)
  if (facet === "findings") return disease.findings.filter((text) => mayStand(text) && !related(text, mention))
  return values(disease, facet).filter((value) => occurrences(mention, value) === 0)
}

/** What another disease offers in place of `answer`: for a name, names of the same form. */
const offers = (topic: Topic, other: Disease, answer: string): ReadonlyArray<string> => {
  if (topic.facet === "findings") return mayDistract(other, topic.disease)
  if (topic.facet !== "names") return values(other, topic.facet)
  const short = topic.disease.abbreviations.includes(answer)
  return otherNames(topic, other).filter(({ kind }) => (kind === "abbreviation") === short).map(({ text }) => text)
}

/** Diseases of the same field, those of the same family first for half of the keys. */
const relatives = (key: Key, { disease, pool }: Topic): ReadonlyArray<Disease> => {
  const field = shuffled(key, "related", pool.filter((other) => other.field === disease.field))
  const kin = field.filter((other) => family(other) === family(disease))
  return uniform(fold(key, "kin"), 0) < 0.5 ? [...kin, ...field] : field
}

/** Equal, or one of them within the other, as a band in a range. */
const clash = (a: string, b: string): boolean => occurrences(a, b) + occurrences(b, a) > 0

/** Three wrong answers, one or two of them from related diseases, none of which stands in the gold passage. */
const distractors = (key: Key, topic: Topic, answer: string): ReadonlyArray<string> => {
  const chosen: Array<string> = []
  const fits = (value: string): boolean =>
    occurrences(topic.text, value) === 0 && [...chosen, answer].every((known) => !clash(known, value))
  const take = (from: ReadonlyArray<Disease>, size: number): void => {
    for (const other of from) {
      if (chosen.length >= size) return
      if (other.id === topic.disease.id) continue
      const wrong = shuffled(fold(key, other.id), "offer", offers(topic, other, answer)).find(fits)
      if (wrong !== undefined) chosen.push(wrong)
    }
  }
  take(relatives(key, topic), 1 + integer(fold(key, "share"), 0, 2))
  take(shuffled(key, "random", topic.pool), 3)
  return chosen
}

export interface Options {
  readonly right: string
  readonly wrong: ReadonlyArray<string>
}

/** The options of a question, unless its mention gives every right answer away. */
export const options = (key: Key, topic: Topic): Options | undefined => {
  const right = shuffled(key, "answer", answers(topic))[0]
  if (right === undefined) return undefined
  const wrong = topic.facet === "inheritance" ? modes.filter((m) => m !== right) : distractors(key, topic, right)
  return { right, wrong: shuffled(key, "options", wrong) }
}
