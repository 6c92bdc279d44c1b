/** The content of queries, passages and messages. */

/** Plain text. */
export interface Text {
  readonly _tag: "Text"
  readonly text: string
  /** The model reads at most this many tokens of the text; the end is truncated. */
  readonly most?: number
  /**
   * Whether tokens are dropped from the front of this text when a chat is too long; earlier parts are dropped first.
   */
  readonly yields?: boolean
  /**
   * Spans of the text that hold copies of the same words. If a chat is still too long after dropping the parts that
   * yield, the beginning of these words may be cut. At most one part of a chat has such spans.
   */
  readonly cut?: ReadonlyArray<readonly [from: number, to: number]>
}

/** A picture, by the reference that port `Images` finds it by. */
export interface Image {
  readonly _tag: "Image"
  readonly image: string
  /** Whether the picture is dropped with the texts that yield. */
  readonly yields?: boolean
}

/** A piece of content; a union, so that other kinds can be added. */
export type Part = Text | Image
/** Parts in the order in which a model reads them. */
export type Content = ReadonlyArray<Part>

/** A part that is text. */
export const text = (text: string): Text => ({ _tag: "Text", text })

/** A part that is a picture. */
export const image = (image: string): Image => ({ _tag: "Image", image })

/** The parts that are texts. */
export const textsIn = (content: Content): ReadonlyArray<Text> => content.filter((part) => part._tag === "Text")

/** The references of the content's pictures. */
export const imagesIn = (content: Content): ReadonlyArray<string> =>
  content.flatMap((part) => part._tag === "Image" ? [part.image] : [])

/** The texts of the content, concatenated. */
export const textOf = (content: Content): string => textsIn(content).map((part) => part.text).join("")

/** What is asked: a picture, whose reference is "" where there is none, and words. */
export const asked = (picture: string, words: string): Content =>
  picture === "" ? [text(words)] : [image(picture), text(words)]

/** One message of a chat, with its role. */
export interface Message {
  readonly role: "system" | "user" | "assistant"
  readonly content: Content
}

/**
 * The input of a language model: messages that it answers. If the last message is the assistant's, the model continues
 * it as the beginning of its answer.
 */
export type Chat = ReadonlyArray<Message>
