/** What queries, passages and messages are made of. */

/** Text, as it is. */
export interface Text {
  readonly _tag: "Text"
  readonly text: string
}

/** A piece of content. Other kinds than text join this union. */
export type Part = Text
/** Parts in the order in which a model reads them. */
export type Content = ReadonlyArray<Part>

/** A part that is text. */
export const text = (text: string): Text => ({ _tag: "Text", text })

/** The texts of a content, one after the other. */
export const textOf = (content: Content): string => content.map((part) => part.text).join("")
