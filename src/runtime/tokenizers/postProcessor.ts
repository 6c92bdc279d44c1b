/** Post-processors of tokenizer.json: the ids before and after a text. Those after it end no prompt: a program does. */
import { type Fields, isId, isText, Misfit } from "./fields.ts"
import { checkByteLevel } from "./preTokenizers.ts"

/** Ids put around a text. */
export interface Frame {
  readonly before: ReadonlyArray<number>
  readonly after: ReadonlyArray<number>
}

/** The same, and whether there are any. */
interface PostProcessor extends Frame {
  readonly adds: boolean
}

type Known = (id: number) => boolean

const known = (fields: Fields, key: string, id: number, is: Known): number =>
  is(id) ? id : fields.fail(key, `${id} is not the id of a token`)

/** The id of a (token, id) pair. */
const special = (fields: Fields, key: string, is: Known): number => {
  const pair = fields.list(key)
  if (pair.length !== 2 || !isText(pair[0]) || !isId(pair[1])) {
    return fields.fail(key, "a token and its id are expected")
  }
  return known(fields, key, pair[1], is)
}

const framed = (fields: Fields, is: Known): PostProcessor => {
  const after = [special(fields, "sep", is)]
  return { before: [special(fields, "cls", is)], after, adds: true }
}

/** Ids of special tokens, by their names in a template. */
const specials = (fields: Fields, is: Known): ReadonlyMap<string, ReadonlyArray<number>> => {
  const all = fields.fields("special_tokens")
  return new Map(
    all.entries().map(([name]) => {
      const token = all.fields(name).only("id", "ids", "tokens")
      token.oneOf("id", [name])
      const ids = token.list("ids")
      const texts = token.list("tokens")
      if (!ids.every(isId) || texts.length !== ids.length || !texts.every(isText)) {
        token.fail("ids", "an id for each token is expected")
      }
      return [name, ids.map((id) => known(token, "ids", id as number, is))]
    })
  )
}

/** A sequence "A" or "B", or the ids of a special token. */
type Piece = "A" | "B" | ReadonlyArray<number>

const readPiece = (fields: Fields, tokens: ReadonlyMap<string, ReadonlyArray<number>>): Piece => {
  const [kind, ...more] = fields.only("Sequence", "SpecialToken").entries().map(([key]) => key)
  if (kind === undefined || more.length > 0) {
    throw new Misfit(fields.place, "one of Sequence and SpecialToken is expected")
  }
  const piece = fields.fields(kind).only("id", "type_id")
  piece.id("type_id")
  if (kind === "Sequence") return piece.oneOf("id", ["A", "B"] as const)
  return tokens.get(piece.text("id")) ?? piece.fail("id", `"${piece.text("id")}" is not one of special_tokens`)
}

const template = (fields: Fields, is: Known): PostProcessor => {
  fields.only("type", "single", "pair", "special_tokens")
  const tokens = specials(fields, is)
  for (const piece of fields.items("pair")) readPiece(piece, tokens)
  const pieces = fields.items("single").map((piece) => readPiece(piece, tokens))
  if (pieces.filter((piece) => piece === "A").length !== 1 || pieces.includes("B")) {
    fields.fail("single", "the sequence A is expected, once")
  }
  const at = pieces.indexOf("A")
  const ids = (some: ReadonlyArray<Piece>) => some.flat() as Array<number>
  return { before: ids(pieces.slice(0, at)), after: ids(pieces.slice(at + 1)), adds: pieces.length > 1 }
}

const none: PostProcessor = { before: [], after: [], adds: false }

const bytes = (fields: Fields): PostProcessor => {
  checkByteLevel(fields)
  return none
}

const sequence = (fields: Fields, is: Known): PostProcessor => {
  const all = fields.only("type", "processors").items("processors").map((each) => read(each, is))
  const adding = all.filter(({ adds }) => adds)
  /** A second one would treat the first's tokens as text. */
  if (adding.length > 1) fields.fail("processors", "more than one of them adds tokens")
  return adding[0] ?? none
}

const kinds: Readonly<Record<string, (fields: Fields, is: Known) => PostProcessor>> = {
  BertProcessing: (fields, is) => framed(fields.only("type", "sep", "cls"), is),
  RobertaProcessing: (fields, is) => {
    fields.only("type", "sep", "cls", "trim_offsets", "add_prefix_space")
    fields.flag("trim_offsets")
    fields.flag("add_prefix_space")
    return framed(fields, is)
  },
  ByteLevel: bytes,
  TemplateProcessing: template,
  Sequence: sequence
}

const read = (fields: Fields, is: Known): PostProcessor => {
  const type = fields.text("type")
  if (!Object.hasOwn(kinds, type)) {
    return fields.fail("type", `"${type}" is not known here (known: ${Object.keys(kinds).join(", ")})`)
  }
  return kinds[type]!(fields, is)
}

/**
 * Ids put around a text.
 *
 * @param is whether an id is that of a token.
 * @throws Misfit if the type is unknown, or its options are malformed.
 */
export const readFrame = (fields: Fields, is: Known): Frame => read(fields, is)
