/** Upper bounds on matching time: backtracking tries every way in which the parts can match. */
import type { Alternatives, Element } from "./oniguruma.ts"

interface Effort {
  /** Ways in which a part can match from one position; each is tried if what follows fails. */
  readonly ways: number
  /** Characters examined to find them all. */
  readonly steps: number
}

type Quantifier = Extract<Element, { readonly type: "Quantifier" }>

/** Whether it matches at every position, if only the empty string. */
const always = (element: Element): boolean =>
  (element.type === "Quantifier" && element.min === 0) ||
  ((element.type === "Group" || element.type === "CapturingGroup") &&
    element.body.some(({ body }) => body.every(always)))

/** @param last whether nothing that can fail follows, so that a match is never backtracked into. */
const ofSequence = (elements: ReadonlyArray<Element>, length: number, last: boolean): Effort => {
  let rest: Effort = { ways: 1, steps: 0 }
  let ends = last
  for (const element of elements.toReversed()) {
    const { steps, ways } = ofElement(element, length, ends)
    rest = { ways: ways * rest.ways, steps: steps + ways * rest.steps }
    ends &&= always(element)
  }
  return rest
}

const ofAlternatives = (alternatives: Alternatives, length: number, last: boolean): Effort => {
  const all = alternatives.map(({ body }) => ofSequence(body, length, last))
  return { ways: all.reduce((sum, { ways }) => sum + ways, 0), steps: all.reduce((sum, { steps }) => sum + steps, 0) }
}

const ofQuantifier = ({ body, kind, max, min }: Quantifier, length: number, last: boolean): Effort => {
  const one = ofElement(body as Element, length, false)
  const least = Math.min(min, length + 1)
  /** Without backtracking, it fails within the first `least` iterations or not at all. */
  const most = last && one.ways === 1 ? least : Math.min(max, length + 1)
  const power = (count: number) => one.ways === 1 ? 1 : one.ways ** count
  const ways = kind === "possessive" || last ? 1 : (most - least + 1) * power(most)
  return { ways, steps: most * power(Math.max(0, most - 1)) * one.steps }
}

const ofElement = (element: Element, length: number, last: boolean): Effort => {
  switch (element.type) {
    case "Quantifier":
      return ofQuantifier(element, length, last)
    case "Group": {
      const effort = ofAlternatives(element.body, length, last || element.atomic === true)
      return last || element.atomic === true ? { ...effort, ways: 1 } : effort
    }
    case "CapturingGroup":
      return ofAlternatives(element.body, length, last)
    case "LookaroundAssertion":
      return { ...ofAlternatives(element.body, length, true), ways: 1 }
    default:
      return { ways: 1, steps: 1 }
  }
}

/** Maximum steps of a search in a text of `length` UTF-16 units; Infinity on overflow. */
export const worstCase = (alternatives: Alternatives, length: number): number =>
  (length + 1) * (ofAlternatives(alternatives, length, true).steps + length)
