/** What the models of tokenizer.json have in common: a vocabulary, and words as ids. */
import { type Fields, isId, isText, Misfit } from "./fields.ts"

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

/** @throws Misfit where a token is no text, or an id none or that of two tokens. */
export const readVocabulary = (fields: Fields): Vocabulary => {
  const vocabulary = new Map<string, number>()
  const owners = new Map<number, string>()
  const entries = fields.fields("vocab")
  for (const [token, id] of entries.entries()) {
    const name = JSON.stringify(token)
    if (!isText(token)) throw new Misfit(entries.place, `${name} is no text of Unicode`)
    if (!isId(id)) throw new Misfit(entries.place, `${name} has ${JSON.stringify(id)} for an id`)
    const owner = owners.get(id)
    if (owner !== undefined) {
      throw new Misfit(entries.place, `${id} is the id of ${JSON.stringify(owner)} and of ${name}`)
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
