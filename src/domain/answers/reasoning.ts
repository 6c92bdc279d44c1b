/** Separates an answer from the reasoning before it. */

/** Tags around reasoning, as reasoning models write them; the opening tag may be part of the prompt. */
const names = "think|thinking|thoughts?|reason|reasoning|reflection|scratchpad|analysis|seed:think"
const opens = [
  `<(?:${names})>`,
  "\\[THINK\\]",
  "◁think▷",
  "<\\|begin_of_thought\\|>",
  "<\\|START_THINKING\\|>",
  "<unused94>"
]
const closes = [
  `</(?:${names})>`,
  "\\[/THINK\\]",
  "◁/think▷",
  "<\\|end_of_thought\\|>",
  "<\\|END_THINKING\\|>",
  "<unused95>"
]
const tag = new RegExp(`(${opens.join("|")})|(?:${closes.join("|")})`, "gi")

/** An unclosed tag extends to the end; a closing tag without an opening one extends to the start. */
const untagged = (text: string): string => {
  let [kept, from, inside] = ["", 0, false]
  for (const { 0: own, 1: opening, index } of text.matchAll(tag)) {
    if (opening !== undefined) {
      if (!inside) kept += text.slice(from, index)
      inside = true
    } else {
      if (!inside) kept = ""
      from = index + own.length
      inside = false
    }
  }
  return inside ? kept : kept + text.slice(from)
}

/** The text after the last of some marks; `undefined` if none occurs. */
const afterLast = (text: string, mark: string): string | undefined => {
  const at = text.lastIndexOf(mark)
  return at < 0 ? undefined : text.slice(at + mark.length)
}

/** Channels of gpt-oss, whether or not its special tokens are decoded: only the final channel is kept. */
const channelled = (text: string): string => {
  if (text.includes("<|channel|>")) {
    const final = afterLast(text, "<|channel|>final")
    if (final === undefined) return ""
    return final.slice(final.indexOf("<|message|>") + "<|message|>".length).split(/<\|(?:return|end)\|>/)[0]!
  }
  const final = /^\s*(?:analysis|commentary)/.test(text) ? afterLast(text, "assistantfinal") : undefined
  return final ?? (/^\s*analysis[A-Z]/.test(text) ? "" : text)
}

/** Headings of HuatuoGPT-o1. */
const headed = (text: string): string => {
  if (!/^\s*#+ *Thinking\b/i.test(text)) return text
  const [last] = [...text.matchAll(/^#+ *Final (?:Response|Answer)\b:?/gim)].slice(-1)
  return last ? text.slice(last.index + last[0].length) : ""
}

/** The text without the reasoning before its answer; empty if it is all reasoning. */
export const spoken = (text: string): string => headed(channelled(untagged(text))).trim()
