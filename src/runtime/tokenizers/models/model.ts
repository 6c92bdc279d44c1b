/** Common to all models of tokenizer.json: a vocabulary, and words as ids. */
import { type Fields, isId, isText } from "../fields.ts"

export interface Model {
  readonly type: "BPE" | "WordPiece" | "WordLevel" | "Unigram"
  /** Ids of a non-empty word. */
  readonly tokenize: (word: string) => ReadonlyArray<number>
  readonly id: (token: string) => number | undefined
  readonly token: (id: number) => string | undefined
  /** Number of tokens; also the id of the next added token. */
  readonly count: number
  readonly greatest: number
}

/** A bijection of tokens and ids. */
export class Vocabulary {
  private readonly ids = new Map<string, number>()
  private readonly tokens: Array<string> = []

  get size(): number {
    return this.ids.size
  }

  get greatest(): number {
    return this.tokens.length - 1
  }

  id(token: string): number | undefined {
    return this.ids.get(token)
  }

  token(id: number): string | undefined {
    return this.tokens[id]
  }

  set(token: string, id: number): void {
    this.ids.set(token, id)
    this.tokens[id] = token
  }

  [Symbol.iterator](): Iterator<[string, number]> {
    return this.ids[Symbol.iterator]()
  }
}

/** The vocabulary lookups of a model. */
export const byVocabulary = (vocabulary: Vocabulary): Pick<Model, "count" | "greatest" | "id" | "token"> => ({
  id: (token) => vocabulary.id(token),
  token: (id) => vocabulary.token(id),
  count: vocabulary.size,
  greatest: vocabulary.greatest
})

/** What is wrong with a vocabulary entry; `undefined` if it is valid. */
const faultOf = (token: string, id: unknown, owner: string | undefined): string | undefined => {
  const name = JSON.stringify(token)
  if (!isText(token)) return `${name} is no text of Unicode`
  if (!isId(id)) return `${name} has ${JSON.stringify(id)} for an id`
  return owner === undefined ? undefined : `${id} is the id of ${JSON.stringify(owner)} and of ${name}`
}

/** @throws Misfit if a token is not valid Unicode, or an id is invalid or used twice. */
export const readVocabulary = (fields: Fields): Vocabulary => {
  const vocabulary = new Vocabulary()
  fields.fields("vocab").each((token, id) => {
    if (!isText(token) || !isId(id) || vocabulary.token(id) !== undefined) {
      fields.fail("vocab", faultOf(token, id, vocabulary.token(id as number))!)
    }
    vocabulary.set(token, id)
  })
  return vocabulary
}

/** The id of the unknown token. @throws Misfit if it is not in the vocabulary. */
export const readUnknown = (fields: Fields, vocabulary: Vocabulary): number => {
  const token = fields.text("unk_token")
  return vocabulary.id(token) ?? fields.fail("unk_token", `${JSON.stringify(token)} is not in the vocabulary`)
}
