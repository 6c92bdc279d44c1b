/** HTML as a value: text put into a template is escaped, unless it is HTML itself. */

/** HTML that may stand in a page. */
export class Html {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/** What may be put into a template: text and numbers, which are escaped; HTML; nothing; or several of these. */
export type Part = string | number | Html | undefined | false | ReadonlyArray<Part>

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  "\"": "&quot;",
  "'": "&#39;"
}

/** Text as it may stand between tags and in quoted attributes. Characters that HTML forbids become U+FFFD. */
export const escaped = (text: string): string =>
  // oxlint-disable-next-line no-control-regex
  text.toWellFormed().replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g, "\ufffd")
    .replace(/[&<>"']/g, (character) => entities[character]!)

const written = (part: Part): string => {
  if (part === undefined || part === false) return ""
  if (part instanceof Html) return part.text
  return typeof part === "object" ? part.map(written).join("") : escaped(String(part))
}

/** A template of HTML. */
export const html = (texts: TemplateStringsArray, ...parts: ReadonlyArray<Part>): Html =>
  new Html(texts.map((text, i) => text + written(parts[i])).join(""))

/** HTML that others made: a chart's SVG, our own style and script. Never what a user or a model wrote. */
export const trusted = (text: string): Html => new Html(text)

/** Characters of JSON that could end a script element, or a line in old parsers of scripts. */
const unsafe = /[<>&\u2028\u2029]/g

/** A value as JSON that may stand in a script element: it holds no `<`, so that nothing in it can end the element. */
export const json = (value: unknown): Html =>
  new Html(JSON.stringify(value).replace(unsafe, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`))
