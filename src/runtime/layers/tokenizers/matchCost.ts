/** How long an expression may take to match, at worst: backtracking tries every way in which its parts can match. */
import type { Alternatives, Element } from "./oniguruma.ts"

interface Effort {
  /** Ways in which a part may match from one place on; each is tried if what follows does not match. */
  readonly ways: number
  /** Characters looked at to find them all. */
  readonly steps: number
}

type Quantifier = Extract<Element, { readonly type: "Quantifier" }>

const ofSequence = (elements: ReadonlyArray<Element>, length: number): Effort =>
  elements.reduceRight<Effort>((rest, element) => {
    const { steps, ways } = ofElement(element, length)
    return { ways: ways * rest.ways, steps: steps + ways * rest.steps }
  }, { ways: 1, steps: 0 })

const ofAlternatives = (alternatives: Alternatives, length: number): Effort => {
  const all = alternatives.map(({ body }) => ofSequence(body, length))
  return { ways: all.reduce((sum, { ways }) => sum + ways, 0), steps: all.reduce((sum, { steps }) => sum + steps, 0) }
}

const ofQuantifier = ({ body, kind, max, min }: Quantifier, length: number): Effort => {
  const one = ofElement(body as Element, length)
  const most = Math.min(max, length + 1)
  const ends = most - Math.min(min, most) + 1
  const branches = one.ways === 1 ? 1 : one.ways ** most
  return { ways: kind === "possessive" ? 1 : ends * branches, steps: most * branches * one.steps }
}

const ofElement = (element: Element, length: number): Effort => {
  switch (element.type) {
    case "Quantifier":
      return ofQuantifier(element, length)
    case "Group": {
      const effort = ofAlternatives(element.body, length)
      return element.atomic === true ? { ...effort, ways: 1 } : effort
    }
    case "CapturingGroup":
      return ofAlternatives(element.body, length)
    case "LookaroundAssertion":
      return { ...ofAlternatives(element.body, length), ways: 1 }
    default:
      return { ways: 1, steps: 1 }
  }
}

/** Steps that a search through a text of so many units takes at most; Infinity where that is beyond all measure. */
export const worstCase = (alternatives: Alternatives, length: number): number =>
  (length + 1) * ofAlternatives(alternatives, length).steps
