/** Edits of templates: of their tokens, expressions, filters and tests, and statements between tags. */
import * as fc from "fast-check"
import { pieces, templates, tokens } from "../inputs/templates.ts"

export interface Mutated {
  readonly template: string
  readonly tokens: Readonly<Record<string, string>>
}

/** Tags' ends, strings, names, and single characters. */
const parts = (template: string): ReadonlyArray<string> =>
  template.match(/\{[{%#][-+]?|[-+]?[}%#]\}|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\w+|\s+|[=!<>]=|[\s\S]/g) ?? []

/** The parts within tags, by their numbers. */
const inside = (all: ReadonlyArray<string>): ReadonlyArray<number> => {
  let open = false
  return all.flatMap((part, i) => {
    if (/^\{[{%]/.test(part)) open = true
    else if (/[}%]\}$/.test(part)) open = false
    else if (open && part.trim() !== "") return [i]
    return []
  })
}

type Edit = (all: ReadonlyArray<string>) => ReadonlyArray<string>
const place = fc.noBias(fc.nat(9999)).map((at) => (length: number) => Math.floor(at / 10_000 * length))

/** At a part within a tag that `fits`; as it is where there is none. */
const at = (
  fits: (part: string, before: string) => boolean,
  edit: (all: ReadonlyArray<string>, i: number) => ReadonlyArray<string>
) =>
  place.map((choose): Edit => (all) => {
    const found = inside(all).filter((i) => fits(all[i]!, all.slice(0, i).findLast((part) => part.trim() !== "") ?? ""))
    return found.length === 0 ? all : edit(all, found[choose(found.length)]!)
  })
const instead = (text: string) => (all: ReadonlyArray<string>, i: number) => all.toSpliced(i, 1, text)
const any = () => true
const of = (texts: ReadonlyArray<string>) => fc.constantFrom(...texts)

const edits: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 1, arbitrary: at(any, (all, i) => all.toSpliced(i, 1)) },
  { weight: 1, arbitrary: at(any, (all, i) => all.toSpliced(i, 0, all[i]!)) },
  { weight: 3, arbitrary: of(pieces.filters).chain((name) => at((_, before) => before === "|", instead(name))) },
  {
    weight: 2,
    arbitrary: of(pieces.tests).chain((name) => at((_, before) => before === "is" || before === "not", instead(name)))
  },
  {
    weight: 6,
    arbitrary: of(pieces.expressions).chain((text) =>
      at(
        (part) => /^['"\w]/.test(part) && !/^(?:if|else|elif|for|in|is|and|or|not|set|end\w+|macro)$/.test(part),
        instead(text)
      )
    )
  },
  {
    weight: 3,
    arbitrary: of(pieces.filters).chain((name) =>
      at((part) => /^['"\w\])]/.test(part), (all, i) => all.toSpliced(i + 1, 0, ` | ${name}`))
    )
  },
  {
    weight: 6,
    arbitrary: fc.tuple(fc.oneof(of(pieces.statements), of(pieces.expressions).map((text) => `{{ ${text} }}`)), place)
      .map(([text, choose]): Edit => (all) => {
        const ends = all.flatMap((part, i) => /[}%#]\}$/.test(part) ? [i + 1] : [])
        return all.toSpliced(ends[choose(ends.length)] ?? 0, 0, text)
      })
  },
  {
    weight: 2,
    arbitrary: fc.tuple(of(["{%", "{%-", "%}", "-%}", "{{", "{{-", "}}", "-}}"]), place).map(
      ([tag, choose]): Edit => (all) => {
        const found = all.flatMap((part, i) =>
          part.length > 1 && part.replace(/[-+]/, "") === tag.replace("-", "") ? [i] : []
        )
        return found.length === 0 ? all : instead(tag)(all, found[choose(found.length)]!)
      }
    )
  }
)

export const mutated: fc.Arbitrary<Mutated> = fc.tuple(
  fc.constantFrom(...Object.values(templates)),
  fc.oneof({ weight: 5, arbitrary: edits.map((edit) => [edit]) }, fc.array(edits, { minLength: 2, maxLength: 3 })),
  fc.constantFrom(...tokens)
).map(([template, all, own]) => ({
  template: all.reduce<ReadonlyArray<string>>((text, edit) => edit(parts(text.join(""))), [template]).join(""),
  tokens: own
}))
