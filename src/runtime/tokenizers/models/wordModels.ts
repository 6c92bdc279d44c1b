/** Vocabulary lookup models: WordLevel (whole words) and WordPiece (greedy longest pieces). */
import type { Fields } from "../fields.ts"
import { byVocabulary, type Model, readUnknown, readVocabulary, type Vocabulary } from "./model.ts"
import { Trie } from "./trie.ts"

export const readWordLevel = (fields: Fields): Model => {
  const vocabulary = readVocabulary(fields.only("type", "vocab", "unk_token"))
  const unknown = readUnknown(fields, vocabulary)
  return { type: "WordLevel", tokenize: (word) => [vocabulary.id(word) ?? unknown], ...byVocabulary(vocabulary) }
}

const trieOf = (vocabulary: Vocabulary): Trie => {
  let units = 0
  for (const [token] of vocabulary) units += token.length
  const trie = new Trie(units)
  for (const [token, id] of vocabulary) trie.set(token, id)
  return trie
}

const charactersOf = (word: string): number => {
  let count = 0
  for (let i = 0; i < word.length; i++) if ((word.charCodeAt(i) & 0xfc00) !== 0xdc00) count++
  return count
}

export const readWordPiece = (fields: Fields): Model => {
  fields.only("type", "vocab", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word")
  const vocabulary = readVocabulary(fields)
  const unknown = [readUnknown(fields, vocabulary)]
  const longest = fields.id("max_input_chars_per_word")
  const trie = trieOf(vocabulary)
  const inside = trie.node(fields.text("continuing_subword_prefix"))
  const tokenize = (word: string): ReadonlyArray<number> => {
    if (word.length > longest && charactersOf(word) > longest) return unknown
    const ids: Array<number> = []
    for (let start = 0; start < word.length;) {
      let node = start === 0 ? 0 : inside
      let id = -1
      let end = start
      for (let i = start; i < word.length && node !== -1; i++) {
        node = trie.next(node, word.charCodeAt(i))
        const value = node === -1 ? -1 : trie.value(node)
        if (value !== -1) {
          id = value
          end = i + 1
        }
      }
      if (id === -1) return unknown
      ids.push(id)
      start = end
    }
    return ids
  }
  return { type: "WordPiece", tokenize, ...byVocabulary(vocabulary) }
}
