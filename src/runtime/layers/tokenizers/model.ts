/** What the models of tokenizer.json have in common: a vocabulary, and words as ids. */
import { type Fields, isId, isText } from "./fields.ts"

export interface Model {
  readonly type: "BPE" | "WordPiece" | "WordLevel" | "Unigram"
  /** Ids of a word, which is not empty. */
  readonly tokenize: (word: string) => ReadonlyArray<number>
  readonly id: (token: string) => number | undefined
  readonly token: (id: number) => string | undefined
  /** How many tokens there are; the next added one has this id. */
  readonly count: number
  readonly greatest: number
}

export type Vocabulary = ReadonlyMap<string, number>

/** Tokens by their ids; sparse where ids are. */
export const byId = (vocabulary: Vocabulary): Pick<Model, "count" | "greatest" | "id" | "token"> => {
  const tokens = new Map<number, string>()
  let greatest = -1
  for (const [token, id] of vocabulary) {
    tokens.set(id, token)
    greatest = Math.max(greatest, id)
  }
  return { id: (token) => vocabulary.get(token), token: (id) => tokens.get(id), count: vocabulary.size, greatest }
}

/** What is wrong with one token; `undefined` where nothing is. */
const faultOf = (token: string, id: unknown, owner: string | undefined): string | undefined => {
  const name = JSON.stringify(token)
  if (!isText(token)) return `${name} is no text of Unicode`
  if (!isId(id)) return `${name} has ${JSON.stringify(id)} for an id`
  return owner === undefined ? undefined : `${id} is the id of ${JSON.stringify(owner)} and of ${name}`
}

/** @throws Misfit where a token is no text, or an id none or that of two tokens. */
export const readVocabulary = (fields: Fields): Vocabulary => {
  const vocabulary = new Map<string, number>()
  const owners = new Map<unknown, string>()
  for (const [token, id] of fields.fields("vocab").entries()) {
    if (!isText(token) || !isId(id) || owners.has(id)) {
      return fields.fail("vocab", faultOf(token, id, owners.get(id))!)
    }
    owners.set(id, token)
    vocabulary.set(token, id)
  }
  return vocabulary
}

/** The id of the token for what is unknown. @throws Misfit where the vocabulary lacks it. */
export const readUnknown = (fields: Fields, vocabulary: Vocabulary): number => {
  const token = fields.text("unk_token")
  return vocabulary.get(token) ?? fields.fail("unk_token", `${JSON.stringify(token)} is not in the vocabulary`)
}
