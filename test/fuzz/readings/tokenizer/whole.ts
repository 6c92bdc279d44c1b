/** tokenizer.json, read a second time by the letter of the format. */
import * as own from "../fields.ts"
import { isFields } from "../json.ts"
import { bad, type Fields } from "../records.ts"
import { type Decoder, decoderOf } from "./decoders.ts"
import { type Model, modelOf } from "./models.ts"
import { type Normalizer, normalizerOf } from "./normalizers.ts"
import { byteLevelOf, type PreTokenizer, preTokenizerOf } from "./preTokenizers.ts"
import { charsOf, spelled, type Text } from "./text.ts"

const flags = ["single_word", "lstrip", "rstrip", "normalized", "special"] as const
type Added = Readonly<Record<typeof flags[number], boolean>> & { readonly content: string; readonly id: number }

const addedOf = (value: unknown): Added => {
  const fields = own.fieldsOf(value, "id", "content", ...flags)
  const given = flags.map((key) => [key, own.flag(own.get(fields, key))])
  return { ...Object.fromEntries(given), content: own.text(fields["content"]), id: own.natural(fields["id"]) } as Added
}

/** A token, the text that it is found by, and the one that it is decoded to. */
interface Sought extends Added {
  readonly form: string
  readonly spoken: string
}

/** By id. Each has the model's id or the next free one, which the file has to name. */
const soughtOf = (value: unknown, model: Model, normalizer: Normalizer): ReadonlyMap<number, Sought> => {
  const all = own.unlessAbsent(own.list, [])(value).map(addedOf).filter(({ content }) => content !== "")
  const ids = new Map<string, number>()
  let next = model.count
  for (const { content } of all) if (!ids.has(content)) ids.set(content, model.id(content) ?? next++)
  const found = new Map<number, Sought>()
  for (const token of all) {
    const { content, id, normalized } = token
    const before = found.get(id)
    if (ids.get(content) !== id || (before && before.content !== content)) bad("another id")
    const form = normalized ? spelled(normalizer(charsOf(content))) : content
    const spoken = normalized && form !== content ? form : before?.spoken ?? content
    found.set(id, { ...token, form, spoken, special: token.special || before?.special === true })
  }
  for (const normalized of [true, false]) {
    const forms = [...found.values()].filter((token) => token.normalized === normalized).map(({ form }) => form)
    if (forms.includes("") || new Set(forms).size < forms.length) bad("tokens that are the same")
  }
  return found
}

type Part = Text | number
const isText = (part: Part): part is Text => typeof part !== "number"

const [letter, space] = [/[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u, /\p{White_Space}/u]

/** A text cut at the tokens in it: the leftmost, and the longest of those. */
const found = (text: Text, tokens: ReadonlyArray<Sought>): ReadonlyArray<Part> => {
  const is = (kind: RegExp, at: number) => text[at] !== undefined && kind.test(text[at][0])
  const parts: Array<Part> = []
  let at = 0
  for (let i = 0; i < text.length;) {
    const here = tokens.filter(({ form }) => spelled(text.slice(i, i + [...form].length)) === form)
    const token = here.toSorted((a, b) => b.form.length - a.form.length)[0]
    let [start, end] = [i, i + [...token?.form ?? "x"].length]
    i = end
    if (!token || (token.single_word && (is(letter, start - 1) || is(letter, end)))) continue
    while (token.lstrip && start > at && is(space, start - 1)) start--
    if (token.lstrip) start = Math.max(start, at)
    while (token.rstrip && is(space, end)) end++
    parts.push(text.slice(at, start))
    if (start < end) parts.push(token.id)
    at = end
  }
  return [...parts, text.slice(at)].filter((part) => !isText(part) || part.length > 0)
}

type Known = (id: number) => boolean

const idOf = (value: unknown, known: Known): number => {
  const id = own.natural(value)
  return known(id) ? id : bad("no token's id")
}

const framed = (fields: Fields, known: Known): ReadonlyArray<number> => {
  const [, cls] = ["sep", "cls"].map((key) => {
    const [token, id, ...more] = own.list(own.get(fields, key))
    own.text(token)
    return more.length === 0 ? idOf(id, known) : bad("no pair")
  })
  return [cls!]
}

const template = (fields: Fields, known: Known): ReadonlyArray<number> => {
  own.fieldsOf(fields, "type", "single", "pair", "special_tokens")
  const specials = own.get(fields, "special_tokens")
  if (!isFields(specials)) return bad("no special tokens")
  const ids = new Map(
    Object.entries(specials).map(([name, value]) => {
      const token = own.fieldsOf(value, "id", "ids", "tokens")
      const [all, texts] = ["ids", "tokens"].map((key) => own.list(own.get(token, key)))
      if (own.text(own.get(token, "id")) !== name || texts!.map(own.text).length !== all!.length) {
        bad("no special token")
      }
      return [name, all!.map((id) => idOf(id, known))]
    })
  )
  const pieces = (key: string) =>
    own.list(own.get(fields, key)).map((value) => {
      const [kind, ...more] = Object.keys(own.fieldsOf(value, "Sequence", "SpecialToken"))
      if (kind === undefined || more.length > 0) return bad("no piece")
      const piece = own.fieldsOf((value as Fields)[kind], "id", "type_id")
      own.natural(own.get(piece, "type_id"))
      if (kind === "Sequence") return own.oneOf("A", "B")(own.get(piece, "id"))
      return ids.get(own.text(own.get(piece, "id"))) ?? bad("no special token")
    })
  pieces("pair")
  const single = pieces("single")
  if (single.filter((piece) => piece === "A").length !== 1 || single.includes("B")) bad("not one sequence")
  return single.slice(0, single.indexOf("A")).flat() as Array<number>
}

/** What a post-processor puts before a text; `undefined` for one that adds nothing. */
const startOf = (value: unknown, known: Known): ReadonlyArray<number> | undefined =>
  own.byType<ReadonlyArray<number> | undefined>({
    BertProcessing: (fields) => framed(own.fieldsOf(fields, "type", "sep", "cls"), known),
    RobertaProcessing: (fields) => {
      own.fieldsOf(fields, "type", "sep", "cls", "trim_offsets", "add_prefix_space")
      for (const key of ["trim_offsets", "add_prefix_space"]) own.flag(own.get(fields, key))
      return framed(fields, known)
    },
    ByteLevel: (fields) => {
      byteLevelOf(fields)
      return undefined
    },
    TemplateProcessing: (fields) => {
      const before = template(fields, known)
      return (fields["single"] as ReadonlyArray<unknown>).length > 1 ? before : undefined
    },
    Sequence: (fields) => {
      const all = own.list(own.get(own.fieldsOf(fields, "type", "processors"), "processors")).map((one) =>
        startOf(one, known)
      )
      const adding = all.filter((one) => one !== undefined)
      return adding.length > 1 ? bad("two that add") : adding[0]
    }
  })(value)

export interface Whole {
  readonly encode: (text: string) => ReadonlyArray<number>
  readonly decode: (ids: ReadonlyArray<number>) => string
  readonly id: (token: string) => number | undefined
  readonly size: number
  readonly start: ReadonlyArray<number> | undefined
}

const keys = [
  "version",
  "truncation",
  "padding",
  "added_tokens",
  "normalizer",
  "pre_tokenizer",
  "post_processor",
  "decoder",
  "model"
]

/** @throws Bad for a file that is to be refused, Unsure for one that cannot be judged. */
export const wholeOf = (json: unknown): Whole => {
  const fields = own.fieldsOf(json, ...keys)
  const part = <A>(key: string, read: own.Read<A>): A | undefined =>
    own.or<A | undefined>(read, undefined)(own.get(fields, key))
  own.unlessAbsent(own.oneOf("1.0"), "1.0")(own.get(fields, "version"))
  for (const idle of ["truncation", "padding"]) part(idle, (value) => isFields(value) || bad("no object"))
  const model = modelOf(own.get(fields, "model"))
  const normalizer: Normalizer = part("normalizer", normalizerOf) ?? ((text) => text)
  const preTokenizer: PreTokenizer = part("pre_tokenizer", preTokenizerOf) ?? ((text) => [text])
  const decoder: Decoder = part("decoder", decoderOf) ?? ((tokens) => [tokens.join(" ")])
  const added = soughtOf(own.get(fields, "added_tokens"), model, normalizer)
  const contents = new Map([...added].map(([id, { content }]) => [content, id]))
  const special = new Set([...added.values()].filter((token) => token.special).map(({ content }) => content))
  const token = (id: number) => added.get(id)?.spoken ?? model.token(id)
  const known = (id: number) => token(id) !== undefined
  const tokens = (normalized: boolean) => [...added.values()].filter((one) => one.normalized === normalized)
  const apart = (parts: ReadonlyArray<Part>, of: (text: Text) => ReadonlyArray<Part>) =>
    parts.flatMap((one) => isText(one) ? of(one) : [one])
  return {
    encode: (text) => {
      const raw = found(charsOf(text.toWellFormed()), tokens(false))
      const normal = apart(raw, (one) => found(normalizer(one), tokens(true)))
      const words = apart(normal, (one) => preTokenizer(one).filter((word) => word.length > 0))
      return words.flatMap((word) => isText(word) ? model.ids(spelled(word)) : [word])
    },
    decode: (ids) => {
      const texts = ids.map(token).filter((one) => one !== undefined && !special.has(one)) as ReadonlyArray<string>
      return texts.length === 0 ? "" : decoder(texts).join("")
    },
    id: (text) => contents.get(text) ?? model.id(text),
    size: Math.max(model.greatest, ...added.keys()) + 1,
    start: part("post_processor", (value) => startOf(value, known) ?? [])
  }
}
