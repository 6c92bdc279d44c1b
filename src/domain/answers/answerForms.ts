/** Answers in machine-readable forms: \boxed{B}, {"answer_choice": "B"}, <answer>B</answer>. */

type Held = ReadonlyArray<readonly [at: number, inside: string]>

/** Characters read of each form, and forms read of each text, counted from its end. */
const [LONG, MANY] = [1000, 50]

const boxes = /\\(?:boxed|fbox)\s*\{?/g
/** The contents of each `\boxed{...}`, nested braces included; if one is not closed, the rest of the text. */
const boxed = (text: string): Held =>
  [...text.matchAll(boxes)].slice(-MANY).map(({ 0: own, index }) => {
    const from = index + own.length
    if (!own.endsWith("{")) return [index, text.slice(from, from + 1)]
    let [at, depth] = [from, 1]
    for (; at < from + LONG && at < text.length && depth > 0; at++) {
      depth += text[at] === "{"
        ? 1
        : text[at] === "}"
        ? -1
        : 0
    }
    return [index, text.slice(from, depth === 0 ? at - 1 : at)]
  })

/** Names of answer fields; "_" matches a blank or nothing. */
const fields = [
  "answer answer_choice answer_idx answer_index answer_key answer_letter answer_option choice correct_answer",
  "correct_choice correct_option final_answer final_choice option prediction response result selected_answer",
  "selected_choice selected_option selection"
].join(" ").replaceAll("_", "[_ ]?").replaceAll(" ", "|").replaceAll("[_|]", "[_ ]")
const field = new RegExp(
  `["'](?:${fields})["']\\s*:\\s*("(?:[^"\\\\]|\\\\[^])*"?|'[^'\\n]*'?|\\[[^\\]]*\\]?|[^,}\\n]*)`,
  "gi"
)
/** Values of answer fields in JSON, or in text close to JSON. */
const inJson = (text: string): Held =>
  [...text.matchAll(field)].map(({ 1: value, index }) => [index, value!.replaceAll(/^["']|["']$/g, "")])

const tagged = (text: string): Held =>
  [...text.matchAll(/<(?:final_)?answer>([^<]*)/gi)].map(({ 1: inside, index }) => [index, inside!])

/** The contents of all forms in a text, last first. */
export const forms = (text: string): ReadonlyArray<string> =>
  [...boxed(text), ...inJson(text), ...tagged(text)].toSorted(([a], [b]) => b - a).slice(0, MANY)
    .map(([, inside]) => inside.slice(0, LONG))
