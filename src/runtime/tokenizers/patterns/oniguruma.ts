/**
 * Translates Oniguruma expressions, as used by tokenizers (over Unicode 16), to JavaScript. Classes, anchors and
 * repetitions that differ are spelled out; what cannot be translated exactly is refused by name.
 */
import { type OnigurumaAst, parse } from "oniguruma-parser/parser"
import { classSource, setSource } from "./characterSets.ts"
import { foldedCharacter, refusePairs } from "./ignoreCase.ts"
import { Unsupported, unsupported } from "./unsupported.ts"

export type Alternatives = OnigurumaAst["body"]
export type Element = Alternatives[number]["body"][number]
type Of<Type extends Element["type"]> = Extract<Element, { readonly type: Type }>

interface Flags {
  readonly ignoreCase: boolean
  /** Whether a dot also matches line feeds. */
  readonly dotAll: boolean
}

interface Context {
  readonly flags: Flags
  /** Number of groups that emulate atomic groups. */
  readonly atoms: { count: number }
}

/** Whether it can match the empty string. */
const nullable = (element: Element): boolean => {
  switch (element.type) {
    case "Character":
    case "CharacterClass":
    case "CharacterSet":
      return false
    case "Quantifier":
      return element.min === 0 || nullable(element.body as Element)
    case "Group":
    case "CapturingGroup":
      return anyNullable(element.body)
    default:
      return true
  }
}

const anyNullable = (alternatives: Alternatives): boolean => alternatives.some(({ body }) => body.every(nullable))

/** Emulates an atomic group by a lookahead and a backreference, as lookaheads are not backtracked into. */
const atomic = (source: string, { atoms }: Context): string => {
  const name = `a${atoms.count++}`
  return `(?:(?=(?<${name}>${source}))\\k<${name}>)`
}

const counts = (min: number, max: number): string => {
  if (max === Infinity) return min === 0 ? "*" : min === 1 ? "+" : `{${min},}`
  return min === 0 && max === 1 ? "?" : min === max ? `{${min}}` : `{${min},${max}}`
}

const quantifier = ({ body, kind, max, min }: Of<"Quantifier">, context: Context): string => {
  /** Oniguruma decides differently whether to continue after an empty iteration. */
  if (min !== max && nullable(body as Element)) unsupported("a repetition of what may be empty")
  const repeated = `(?:${elementSource(body as Element, context)})${counts(min, max)}`
  return kind === "possessive" ? atomic(repeated, context) : kind === "lazy" ? `${repeated}?` : repeated
}

/** In Oniguruma, only a line feed ends a line, and one at the end of the text does not start a line. */
const assertion = ({ kind, negate }: Of<"Assertion">): string => {
  const word = setSource({ type: "CharacterSet", kind: "word", negate: false })
  switch (kind) {
    case "line_start":
      return String.raw`(?:^|(?<=\n)(?!$))`
    case "line_end":
      return String.raw`(?=\n|$)`
    case "string_start":
      return "(?:^)"
    case "string_end":
      return "(?:$)"
    case "string_end_newline":
      return String.raw`(?=\n?$)`
    case "word_boundary":
      return negate === true
        ? `(?:(?<=${word})(?=${word})|(?<!${word})(?!${word}))`
        : `(?:(?<=${word})(?!${word})|(?<!${word})(?=${word}))`
    default:
      return unsupported(`the assertion ${kind}`)
  }
}

const lookaround = (element: Of<"LookaroundAssertion">, context: Context): string => {
  const direction = element.kind === "lookbehind" ? "<" : ""
  return `(?${direction}${element.negate ? "!" : "="}${alternativesSource(element.body, context)})`
}

const flagged = (flags: Flags, modifiers: Of<"Group">["flags"]): Flags => {
  const { disable, enable } = modifiers ?? {}
  for (const name of [...Object.keys(enable ?? {}), ...Object.keys(disable ?? {})]) {
    if (!["ignoreCase", "dotAll", "extended"].includes(name)) unsupported(`the flag ${name}`)
  }
  const on = (name: keyof Flags) => disable?.[name] !== true && (enable?.[name] === true || flags[name])
  return { ignoreCase: on("ignoreCase"), dotAll: on("dotAll") }
}

const group = (element: Of<"Group">, context: Context): string => {
  const source = alternativesSource(element.body, { ...context, flags: flagged(context.flags, element.flags) })
  return element.atomic === true ? atomic(source, context) : `(?:${source})`
}

const elementSource = (element: Element, context: Context): string => {
  const { ignoreCase } = context.flags
  switch (element.type) {
    case "Character":
      return foldedCharacter(element.value, ignoreCase)
    case "CharacterSet":
      if (element.kind === "dot") return context.flags.dotAll ? "[^]" : String.raw`[^\n]`
      if (element.kind === "newline" && element.variableLength === true) return lineEnd
      return ignoreCase ? unsupported("a class of characters under (?i)") : setSource(element)
    case "CharacterClass":
      return classSource(element, ignoreCase)
    case "Quantifier":
      return quantifier(element, context)
    case "Assertion":
      return assertion(element)
    case "LookaroundAssertion":
      return lookaround(element, context)
    case "CapturingGroup":
      return `(?:${alternativesSource(element.body, context)})`
    case "Group":
      return group(element, context)
    default:
      return unsupported(element.type === "Directive" ? `the directive ${element.kind}` : element.type)
  }
}

const alternativesSource = (alternatives: Alternatives, context: Context): string =>
  alternatives.map((alternative) => {
    if (context.flags.ignoreCase) refusePairs(alternative)
    return alternative.body.map((element) => elementSource(element, context)).join("")
  }).join("|")

/** CRLF is matched as a unit. */
const lineEnd = String.raw`(?:\r\n|(?!\r\n)[\n-\r\x85\u2028\u2029])`

const isFlags = (element: Element): boolean => element.type === "Directive" && element.kind === "flags"

/** Mid-pattern flags apply to the rest of the group, later alternatives included: a(?i)b|c is a(?i:b|c). */
const enclosed = (alternatives: Alternatives): Alternatives => {
  const i = alternatives.findIndex(({ body }) => body.some(isFlags))
  if (i === -1) return alternatives.map((alternative) => ({ ...alternative, body: alternative.body.map(inside) }))
  const { body } = alternatives[i]!
  const at = body.findIndex(isFlags)
  const rest: Alternatives = [{ type: "Alternative", body: body.slice(at + 1) }, ...alternatives.slice(i + 1)]
  const { flags } = body[at] as Extract<Of<"Directive">, { readonly kind: "flags" }>
  const group: Of<"Group"> = { type: "Group", flags, body: enclosed(rest) }
  return [
    ...enclosed(alternatives.slice(0, i)),
    { type: "Alternative", body: [...body.slice(0, at).map(inside), group] }
  ]
}

const inside = (element: Element): Element => {
  switch (element.type) {
    case "Group":
    case "CapturingGroup":
    case "LookaroundAssertion":
      return { ...element, body: enclosed(element.body) }
    case "Quantifier":
      return { ...element, body: inside(element.body as Element) as typeof element.body }
    default:
      return element
  }
}

export interface Expression {
  /** Has the flags `g` and `v`; its capture groups have no meaning. */
  readonly regex: RegExp
  readonly alternatives: Alternatives
  readonly nullable: boolean
}

/** Maximum length of an expression; longer ones are not written by people, and may take gigabytes to compile. */
const maxLength = 10_000

/**
 * Translates an Oniguruma expression to JavaScript.
 *
 * @throws Unsupported if it is invalid or cannot be translated.
 */
export const translate = (pattern: string): Expression => {
  if (pattern.length > maxLength) unsupported(`an expression of ${pattern.length} characters (more than ${maxLength})`)
  try {
    const { body, flags: { dotAll, ignoreCase } } = parse(pattern)
    const alternatives = enclosed(body)
    const source = alternativesSource(alternatives, { flags: { dotAll, ignoreCase }, atoms: { count: 0 } })
    return { regex: new RegExp(source, "gv"), alternatives, nullable: anyNullable(alternatives) }
  } catch (cause) {
    throw cause instanceof Unsupported ? cause : new Unsupported(cause instanceof Error ? cause.message : String(cause))
  }
}
