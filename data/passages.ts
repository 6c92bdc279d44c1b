import { aliases, type Disease, standsAlone, values } from "./facts.ts"
import { fillers } from "./fillers.ts"
import { fold, integer, type Key, pick, shuffled, uniform } from "./keys.ts"
import { list, words } from "./text.ts"
import { type Facet, facets, subjects, wordings } from "./wordings.ts"

export interface Passage {
  readonly _id: string
  readonly text: string
}

/** Leading alias and, for about half of the keys, a second one in parentheses. */
const mention = (
  key: Key,
  disease: Disease,
  facet: Facet
): { readonly text: string; readonly rest: ReadonlyArray<string> } => {
  const all = aliases(disease)
  const others = all.slice(1).filter(standsAlone)
  const lead = others.length === 0 || uniform(fold(key, "lead"), 0) < 0.5 ? all[0]! : pick(key, "other", others)
  const rest = shuffled(key, "rest", all.filter((alias) => alias !== lead).map((alias) => alias.text))
  const spare = facet === "names" ? 1 : 0
  if (rest.length <= spare || uniform(fold(key, "second"), 0) < 0.5) return { text: lead.text, rest }
  return { text: `${lead.text} (${rest[0]!})`, rest: rest.slice(1) }
}

const sentence = (text: string): string =>
  subjects.some((subject) => text.startsWith(subject)) ? text.charAt(0).toUpperCase() + text.slice(1) : text

const count = (texts: ReadonlyArray<string>): number => texts.reduce((sum, text) => sum + text.split(" ").length, 0)

/** Sentences without the answer that bring the passage to its length, never above 68 words. */
const padding = (key: Key, facet: Facet, length: number): ReadonlyArray<string> => {
  const target = 40 + integer(fold(key, "target"), 0, 16)
  const details = shuffled(key, "details", wordings[facet].details)
  const general = shuffled(key, "fillers", fillers)
  const chosen: Array<string> = []
  for (const next of [details[0]!, general[0]!, details[1]!, ...general.slice(1)]) {
    const total = length + count(chosen)
    if (total >= target) break
    if (total + count([next]) <= 68) chosen.push(next)
  }
  return shuffled(key, "order", chosen)
}

/** The passage of a facet: an opening, the fact and general sentences, in one of three orders. */
const passage = (key: Key, disease: Disease, facet: Facet): Passage => {
  const { facts, openings } = wordings[facet]
  const { rest, text } = mention(key, disease, facet)
  const answer = list(facet === "names" ? rest : values(disease, facet))
  const opening = pick(key, "opening", openings).replace("{D}", text)
  const fact = pick(key, "fact", facts).replace("{A}", answer)
  const later = sentence(fact.replace("{S}", pick(key, "subject", subjects)))
  const form = count([opening, later]) > 62 ? 0 : integer(fold(key, "form"), 0, 3)
  const core = form === 0 ? [fact.replace("{S}", text)] : [opening, later]
  const extra = padding(key, facet, count(core))
  const body = form === 2 ? [opening, ...extra.slice(0, 1), later, ...extra.slice(1)] : [...core, ...extra]
  return { _id: `${disease.id}#${facet}`, text: body.join(" ") }
}

export const passages = (seed: Key, diseases: ReadonlyArray<Disease>): ReadonlyArray<Passage> =>
  diseases.flatMap((disease) =>
    facets.map((facet) => passage(fold(seed, disease.id, facet, "passage"), disease, facet))
  )

/** Share of the words of a mention that stand in a text, to two decimals. */
export const overlap = (mentioned: string, text: string): number => {
  const known = new Set(words(text))
  const tokens = words(mentioned)
  return Math.round(100 * tokens.filter((token) => known.has(token)).length / tokens.length) / 100
}
