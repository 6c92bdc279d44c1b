/** What queries, passages and messages are made of. */

export interface Text {
  readonly _tag: "Text"
  readonly text: string
}

/** A piece of content. Other kinds than text join this union. */
export type Part = Text
export type Content = ReadonlyArray<Part>

export const text = (text: string): Text => ({ _tag: "Text", text })

/** The texts of a content, one after the other. */
export const textOf = (content: Content): string => content.map((part) => part.text).join("")
