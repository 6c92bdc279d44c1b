/** What queries, passages and messages are made of. */

/** Text, as it is. */
export interface Text {
  readonly _tag: "Text"
  readonly text: string
  /** Tokens of it that a model reads, at most; its end is left out. */
  readonly most?: number
  /** Whether its tokens give way, from its front on, where a chat is too long; those of earlier parts first. */
  readonly yields?: boolean
  /**
   * Where in the text some words stand, the same at every place, whose beginning may be left out where a chat is too long
   * without the parts that yield. At most one part of a chat has them.
   */
  readonly cut?: ReadonlyArray<readonly [from: number, to: number]>
}

/** A piece of content. Other kinds than text join this union. */
export type Part = Text
/** Parts in the order in which a model reads them. */
export type Content = ReadonlyArray<Part>

/** A part that is text. */
export const text = (text: string): Text => ({ _tag: "Text", text })

/** The texts of a content, one after the other. */
export const textOf = (content: Content): string => content.map((part) => part.text).join("")

/** What one side of a chat says. */
export interface Message {
  readonly role: "system" | "user" | "assistant"
  readonly content: Content
}

/**
 * What a language model is given: messages, which it answers. Where the last is the assistant's, that is the beginning of
 * the answer, which the model goes on from.
 */
export type Chat = ReadonlyArray<Message>
