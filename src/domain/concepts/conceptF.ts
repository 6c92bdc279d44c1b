/**
 * Concept-F: which concepts of a reference an answer has, and which others. It is UMLS-F's definition, sets of concepts and
 * their F, over a vocabulary of one's choice.
 */
import type { Mention } from "./matcher.ts"

/** Precision, recall and F of an answer's concepts; 0 where a figure is undefined. */
export interface ConceptF {
  readonly precision: number
  readonly recall: number
  readonly f: number
  /** Distinct concepts of the answer and of the reference, and how many of both may be several. */
  readonly answer: number
  readonly reference: number
  readonly ambiguous: number
}

type Names = ReadonlyArray<ReadonlyArray<string>>

/** The distinct concepts of mentions; of an ambiguous name, all it may stand for are one. */
export const distinct = (mentions: ReadonlyArray<Pick<Mention, "concepts">>): Names => [
  ...new Map(mentions.map(({ concepts }) => [concepts.toSorted().join("\n"), concepts])).values()
]

/** How many have a concept among those of the others. */
const shared = (some: Names, others: Names): number => {
  const known = new Set(others.flat())
  return some.filter((own) => own.some((concept) => known.has(concept))).length
}

const ratio = (part: number, whole: number): number => whole === 0 ? 0 : part / whole

/** The concepts of an answer against those of a reference. */
export const conceptF = (
  answer: ReadonlyArray<Pick<Mention, "concepts">>,
  reference: ReadonlyArray<Pick<Mention, "concepts">>
): ConceptF => {
  const [given, wanted] = [distinct(answer), distinct(reference)]
  const precision = ratio(shared(given, wanted), given.length)
  const recall = ratio(shared(wanted, given), wanted.length)
  return {
    precision,
    recall,
    f: ratio(2 * precision * recall, precision + recall),
    answer: given.length,
    reference: wanted.length,
    ambiguous: [...given, ...wanted].filter((own) => own.length > 1).length
  }
}
