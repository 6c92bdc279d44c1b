/** Porter's stemmer (Porter 1980) with the extensions of NLTK, which rouge-score stems with. */

/** Words whose stems the rules miss. */
const irregular: ReadonlyMap<string, string> = new Map(
  Object.entries({
    sky: "sky skies",
    die: "dying",
    lie: "lying",
    tie: "tying",
    news: "news",
    inning: "innings inning",
    outing: "outings outing",
    canning: "cannings canning",
    howe: "howe",
    proceed: "proceed",
    exceed: "exceed",
    succeed: "succeed"
  }).flatMap(([stem, words]) => words.split(" ").map((word) => [word, stem]))
)

/** A letter for each of a word's: c for consonants, v for vowels; y is a vowel after a consonant. */
const shapeOf = (word: string): string => {
  let shape = ""
  for (const letter of word) {
    shape += "aeiou".includes(letter) || (letter === "y" && shape.endsWith("c")) ? "v" : "c"
  }
  return shape
}

/** How often a vowel is followed by a consonant (m). */
const measure = (stem: string): number => shapeOf(stem).match(/vc/g)?.length ?? 0
/** Whether a stem ends with consonant, vowel, consonant, the last not w, x or y (*o); or is a vowel and a consonant. */
const isShort = (stem: string): boolean => {
  const shape = shapeOf(stem)
  return (shape.endsWith("cvc") && !/[wxy]$/.test(stem)) || shape === "vc"
}

type Condition = (stem: string) => boolean
type Rule = readonly [suffix: string, becomes: string, holds: Condition]

/** Whether m is above a number. */
const above = (least: number): Condition => (stem) => measure(stem) > least
/** Rules of one condition, written `suffix>becomes`. */
const rules = (holds: Condition, text: string): ReadonlyArray<Rule> =>
  text.split(" ").map((rule) => {
    const [suffix, becomes] = rule.split(">")
    return [suffix!, becomes ?? "", holds]
  })

/** Applies the first rule whose suffix a word has, if its condition holds of what is before. */
const apply = (word: string, all: ReadonlyArray<Rule>): string => {
  for (const [suffix, becomes, holds] of all) {
    if (!word.endsWith(suffix)) continue
    const stem = word.slice(0, word.length - suffix.length)
    return holds(stem) ? stem + becomes : word
  }
  return word
}

const always: Condition = () => true
const plurals = rules(always, "sses>ss ies>i ss>ss s>")
const plural = (word: string): string => /^.ies$/.test(word) ? word.slice(0, -1) : apply(word, plurals)

/** The end of a stem that lost -ed or -ing. */
const mended = (stem: string): string => {
  if (/(?:at|bl|iz)$/.test(stem)) return `${stem}e`
  if (/(.)\1$/.test(stem) && shapeOf(stem).endsWith("c")) return /[lsz]$/.test(stem) ? stem : stem.slice(0, -1)
  return measure(stem) === 1 && isShort(stem) ? `${stem}e` : stem
}

const past = (word: string): string => {
  if (word.endsWith("ied")) return word.slice(0, word.length === 4 ? -1 : -2)
  if (word.endsWith("eed")) return apply(word, rules(above(0), "eed>ee"))
  for (const suffix of ["ed", "ing"]) {
    const stem = word.slice(0, -suffix.length)
    if (word.endsWith(suffix) && shapeOf(stem).includes("v")) return mended(stem)
  }
  return word
}

const finalY: ReadonlyArray<Rule> = [["y", "i", (stem) => stem.length > 1 && shapeOf(stem).endsWith("c")]]

const second = rules(
  above(0),
  "ational>ate tional>tion enci>ence anci>ance izer>ize bli>ble alli>al entli>ent eli>e ousli>ous ization>ize ation>ate "
    + "ator>ate alism>al iveness>ive fulness>ful ousness>ous aliti>al iviti>ive biliti>ble fulli>ful"
)
const longer = (word: string): string => {
  if (word.endsWith("alli") && measure(word.slice(0, -4)) > 0) return longer(word.slice(0, -2))
  return apply(word, [...second, ["logi", "log", (stem) => measure(`${stem}l`) > 0]])
}

const third = rules(above(0), "icate>ic ative> alize>al iciti>ic ical>ic ful> ness>")
const fourth: ReadonlyArray<Rule> = [
  ...rules(above(1), "al ance ence er ic able ible ant ement ment ent"),
  ["ion", "", (stem) => measure(stem) > 1 && /[st]$/.test(stem)],
  ...rules(above(1), "ou ism ate iti ous ive ize")
]

const finalE = (word: string): string => {
  if (!word.endsWith("e")) return word
  const stem = word.slice(0, -1)
  const m = measure(stem)
  return m > 1 || (m === 1 && !isShort(stem)) ? stem : word
}
const finalL = (word: string): string =>
  word.endsWith("ll") && measure(word.slice(0, -1)) > 1 ? word.slice(0, -1) : word

/** The stem of a word of lower-case letters. */
export const stem = (word: string): string => {
  const own = irregular.get(word)
  if (own !== undefined || word.length <= 2) return own ?? word
  const suffixed = apply(past(plural(word)), finalY)
  return finalL(finalE(apply(apply(longer(suffixed), third), fourth)))
}
