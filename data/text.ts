/** Function words: they may stand in a question and in the passage that answers it. */
export const stopWords: ReadonlySet<string> = new Set(
  (
    "a about an and any are as at be been but by can could did do does each for from had has have he her his how i if in " +
    "is it its may me might must my not of on one or our she should so than that the their then there these they this " +
    "those to under up was we were what when where which who will with would you your"
  ).split(" ")
)

/** Words of disease names that tell no disease from another. */
const genericWords: ReadonlySet<string> = new Set(
  (
    "adult anomaly autosomal classic combined complex congenital defect defective deficiency disease disorder due " +
    "dysfunction early familial form generalized group hereditary idiopathic infantile isolated juvenile late onset " +
    "partial primary progressive severe syndrome the type variant with without and for"
  ).split(" ")
)

export const words = (text: string): ReadonlyArray<string> => text.toLowerCase().match(/[a-z0-9]+/g) ?? []

/** Word without its inflection, rough and the same for every form of a word. */
export const stem = (word: string): string =>
  word.length > 3 ? word.replace(/(ing|ed|es|s|e)$/, "").replace(/y$/, "i") : word

export const contentStems = (text: string): ReadonlySet<string> =>
  new Set(words(text).filter((word) => !stopWords.has(word)).map(stem))

/** First five letters of the telling words of a name or a finding. */
export const roots = (text: string): ReadonlySet<string> =>
  new Set(words(text).filter((w) => w.length > 2 && !genericWords.has(w)).map((w) => w.slice(0, 5)))

const escape = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")

/** How often `phrase` stands in `text` as whole words, whatever its case. */
export const occurrences = (text: string, phrase: string): number =>
  text.toLowerCase().includes(phrase.toLowerCase())
    ? [...text.matchAll(new RegExp(`(?<![A-Za-z0-9])${escape(phrase)}(?![A-Za-z0-9])`, "gi"))].length
    : 0

/** Whether the acronyms of `a` have their letters in `b` in the same order. */
const abbreviates = (a: string, b: string): boolean =>
  (a.match(/[A-Z]{3,}/g) ?? []).some((acronym) => {
    let from = 0
    return [...acronym.toLowerCase()].every((letter) => (from = b.toLowerCase().indexOf(letter, from) + 1) > 0)
  })

/** Whether the two texts have a telling word in common. */
export const related = (a: string, b: string): boolean => {
  const known = roots(b)
  return [...roots(a)].some((root) => known.has(root))
}

/** Whether one alias gives the other away: a telling word in common, or an acronym of it. */
export const akin = (a: string, b: string): boolean => related(a, b) || abbreviates(a, b) || abbreviates(b, a)

/** "a, b and c". */
export const list = (items: ReadonlyArray<string>): string =>
  items.length < 2 ? items.join("") : `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`
