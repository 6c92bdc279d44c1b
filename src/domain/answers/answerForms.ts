/** Answers as they are written for machines: \boxed{B}, {"answer_choice": "B"}, <answer>B</answer>. */

type Held = ReadonlyArray<readonly [at: number, inside: string]>

/** Characters of a form that are looked at, and forms of a text, from its end. */
const [LONG, MANY] = [1000, 50]

const boxes = /\\(?:boxed|fbox)\s*\{?/g
/** What each `\boxed{...}` holds, with the braces in it; of one that is not closed, the rest. */
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

/** A form's fields for an answer; "_" may be a blank or nothing. */
const fields = [
  "answer answer_choice answer_idx answer_index answer_key answer_letter answer_option choice correct_answer",
  "correct_choice correct_option final_answer final_choice option prediction response result selected_answer",
  "selected_choice selected_option selection"
].join(" ").replaceAll("_", "[_ ]?").replaceAll(" ", "|").replaceAll("[_|]", "[_ ]")
const field = new RegExp(
  `["'](?:${fields})["']\\s*:\\s*("(?:[^"\\\\]|\\\\[^])*"?|'[^'\\n]*'?|\\[[^\\]]*\\]?|[^,}\\n]*)`,
  "gi"
)
/** Values of an answer's fields in JSON, or in what is nearly that. */
const inJson = (text: string): Held =>
  [...text.matchAll(field)].map(({ 1: value, index }) => [index, value!.replaceAll(/^["']|["']$/g, "")])

const tagged = (text: string): Held =>
  [...text.matchAll(/<(?:final_)?answer>([^<]*)/gi)].map(({ 1: inside, index }) => [index, inside!])

/** What the forms of a text hold, the last first. */
export const forms = (text: string): ReadonlyArray<string> =>
  [...boxed(text), ...inJson(text), ...tagged(text)].toSorted(([a], [b]) => b - a).slice(0, MANY)
    .map(([, inside]) => inside.slice(0, LONG))
