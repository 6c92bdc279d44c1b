/** XML, read a second time: well-formed documents as trees. */

export interface Element {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: ReadonlyArray<Element | string>
}

class NotXml extends Error {}
const bad = (why: string): never => {
  throw new NotXml(why)
}

const nameStart =
  ":A-Z_a-z\\xC0-\\xD6\\xD8-\\xF6\\xF8-\\u02FF\\u0370-\\u037D\\u037F-\\u1FFF\\u200C\\u200D\\u2070-\\u218F"
  + "\\u2C00-\\u2FEF\\u3001-\\uD7FF\\uF900-\\uFDCF\\uFDF0-\\uFFFD\\u{10000}-\\u{EFFFF}"
const name = `[${nameStart}][-.0-9\\xB7\\u0300-\\u036F\\u203F\\u2040${nameStart}]*`
const space = "[ \\t\\r\\n]"
const isChar = (code: number): boolean =>
  [9, 10, 13].includes(code) || (code >= 0x20 && code <= 0xd7ff) || (code >= 0xe000 && code <= 0xfffd) ||
  (code >= 0x10000 && code <= 0x10ffff)

const known: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: "\"", apos: "'" }

/** The text that stands for itself or is referred to. */
const text = (raw: string): string =>
  raw.replaceAll(/&([^;&]*;?)/gu, (_, given: string) => {
    const own = given.endsWith(";") ? given.slice(0, -1) : bad("reference")
    if (Object.hasOwn(known, own)) return known[own]!
    const code = /^#\d+$/.test(own)
      ? Number(own.slice(1))
      : /^#x[\da-fA-F]+$/.test(own)
      ? parseInt(own.slice(2), 16)
      : -1
    return isChar(code) ? String.fromCodePoint(code) : bad("reference")
  })

const attributesOf = (given: string): Readonly<Record<string, string>> => {
  const found: Array<readonly [string, string]> = []
  const one = new RegExp(`^${space}+(${name})${space}*=${space}*("[^"<]*"|'[^'<]*')`, "u")
  let rest = given
  for (let match = one.exec(rest); match; match = one.exec(rest)) {
    if (found.some(([key]) => key === match![1])) bad("attribute twice")
    found.push([match[1]!, text(match[2]!.slice(1, -1).replaceAll(/[\t\n\r]/g, " "))])
    rest = rest.slice(match[0].length)
  }
  return new RegExp(`^${space}*$`).test(rest) ? Object.fromEntries(found) : bad("attributes")
}

/** One piece of markup, or a stretch of text. */
const pieces = new RegExp(
  [
    "<!--(?<comment>.*?)-->",
    "<!\\[CDATA\\[(?<cdata>.*?)\\]\\]>",
    `<\\?(?<target>${name})(?<pi>(?:${space}.*?)?)\\?>`,
    `<!DOCTYPE(?<doctype>${space}+${name}[^<>\\[\\]]*(?:\\[[^\\]]*\\]${space}*)?)>`,
    `<(?<open>${name})(?<attributes>(?:"[^"]*"|'[^']*'|[^"'<>])*?)(?<empty>/?)>`,
    `</(?<close>${name})${space}*>`,
    "(?<text>[^<]+)"
  ].join("|"),
  "suy"
)

const declaration =
  /^[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*("1\.\d+"|'1\.\d+')([ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*("[a-zA-Z][\w.-]*"|'[a-zA-Z][\w.-]*'))?([ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*("(yes|no)"|'(yes|no)'))?[ \t\r\n]*$/

interface Open {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: Array<Element | string>
}

/** Elements that are open, the root's list first. */
class Reading {
  readonly stack: Array<Open> = [{ name: "", attributes: {}, children: [] }]
  begun = false
  typed = false

  private add(child: Element | string): void {
    if (this.stack.length === 1) {
      if (typeof child === "string" ? child.trim() !== "" : this.begun) bad("beside the root")
      if (typeof child === "string") return
      this.begun = true
    }
    this.stack.at(-1)!.children.push(child)
  }

  take(groups: Readonly<Record<string, string | undefined>>, at: number): void {
    const { attributes, cdata, close, comment, doctype, empty, open, pi, target, text: own } = groups
    if (comment !== undefined) return void (/--|-$/.test(comment) && bad("comment"))
    if (cdata !== undefined) return this.stack.length > 1 ? this.add(cdata) : bad("CDATA")
    if (target !== undefined) return this.instruct(target, pi!, at)
    if (doctype !== undefined) {
      if (this.begun || this.typed || this.stack.length > 1) bad("DOCTYPE")
      this.typed = true
      return
    }
    if (own !== undefined) return own.includes("]]>") ? bad("]]>") : this.add(this.stack.length === 1 ? own : text(own))
    if (close !== undefined) return this.close(close)
    if (this.stack.length === 1 && this.begun) bad("two roots")
    if (this.stack.length > 1024) bad("depth")
    this.stack.push({ name: open!, attributes: attributesOf(attributes!), children: [] })
    if (empty === "/") this.close(open!)
  }

  private instruct(target: string, pi: string, at: number): void {
    if (target.toLowerCase() !== "xml") return
    const [, , , encoding] = declaration.exec(pi) ?? bad("declaration")
    if (at !== 0 || target !== "xml" || !/^(utf-8|us-ascii)?$/i.test(encoding?.slice(1, -1) ?? "")) bad("declaration")
  }

  private close(name: string): void {
    const own = this.stack.pop()!
    if (own.name !== name || this.stack.length === 0) bad("end tag")
    this.add(own)
  }
}

/** The root; `undefined` where the text is not well-formed. */
export const rootOf = (whole: string): Element | undefined => {
  try {
    if (![...whole].every((c) => isChar(c.codePointAt(0)!))) return undefined
    const source = whole.replaceAll(/\r\n?/g, "\n")
    const reading = new Reading()
    pieces.lastIndex = 0
    while (pieces.lastIndex < source.length) {
      const at = pieces.lastIndex
      const match = pieces.exec(source)
      if (match === null) return undefined
      reading.take(match.groups!, at)
    }
    const [root] = reading.stack[0]!.children
    return reading.stack.length === 1 && typeof root === "object" ? root : undefined
  } catch (error) {
    if (error instanceof NotXml) return undefined
    throw error
  }
}
