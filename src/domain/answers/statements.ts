/** Sentences that state the answer. */
import { choiceAt, type Choices, lettersIn, settled, type Verdict } from "./choiceInText.ts"
import { isAsked, isDoubted } from "./denial.ts"
import { mentions } from "./optionText.ts"

const nouns = "answer|option|choice|response|selection|alternative|antwort|réponse|respuesta|resposta|risposta|ответ"
const links = [
  "[:：=]|→|->|=>",
  "(?:is|was|are|be|would be|should be|must be|will be|has to be|seems to be|appears to be|ist|est|es|é|è)(?!\\p{L})\\s*:?"
].join("|")
const adverbs =
  "(?:\\s*(?:most likely|likely|probably|clearly|definitely|therefore|thus|indeed|then|still|in fact|actually)\\b,?)?"
const others = "(?<!\\b(?:each|every|any|other|another|this|first|second|third|last|no)\\s+)"
const noun = new RegExp(
  `(?<![\\p{L}])${others}(?:${nouns})(?:\\s*\\([^)\\n]{0,20}\\))?(?:\\s+(?:to|for|of|here)\\b[^.:\\n]{0,60}?)??["'”’)]*\\s*(?:${links})${adverbs}`,
  "giu"
)
/** Headings and pronouns that introduce an answer; these must be followed by letters. */
const headings =
  /\b(?:ans|solution|conclusion|verdict|correct|guess)\.?\s*[:：]|\b(?:it|that)(?:['’]s| is| must be| should be| has to be)\b|\bi(?:['’]d| would)? (?:say|guess)\b:?/gi
const chinese = /(?:答案|选项|故选|应选|正解|答え)\s*(?:应该?是|应为|是|为|[:：])?/gu
const verbs =
  /\b(?:choos(?:e|es|ing)|chose|select(?:s|ed|ing)?|pick(?:s|ed|ing)?|go(?:es|ing)? with|opt(?:ed|ing)? for|settl(?:e|ed|ing) on|vote for)\b(?:\s*:)?/gi

/** "The answer is B", "Answer: (B)", "I choose heparin": the option after the words. */
const after = (text: string, words: RegExp, c: Choices, byLetter = false): ReadonlyArray<readonly [number, Verdict]> =>
  [...text.matchAll(words)].map(({ 0: own, index }) => {
    const from = index + own.length
    if (isDoubted(text, index)) return [index, undefined]
    const found = choiceAt(text, from, c)
    if (!found || (byLetter && !found.byLetter) || isAsked(text, found.to)) return [index, undefined]
    return [found.to, settled(found)]
  })

const praise =
  /^[)"'”’\]]*\s*(?:is|was|would be|should be|must be|seems|appears)\s+((?:[\w-]+\s+){0,4}?)(?:correct|right|best|answer|appropriate|preferred|likeliest|most likely)\b/i
/** "Option B is correct", "Heparin is the best choice". */
const praised = (text: string, c: Choices): ReadonlyArray<readonly [number, Verdict]> =>
  [...mentions(text, c.options), ...lettersIn(text, c), ...alone(text, c)].map(({ from, option, to }) => {
    const middle = praise.exec(text.slice(to, to + 100))?.[1]
    const holds = middle !== undefined &&
      !/\b(?:not|never|hardly|no|less|an?|another|possible|plausible)\b/i.test(middle)
    return [to, holds && !isDoubted(text, from) && !isAsked(text, to) ? option : undefined]
  })

/** Letters that stand alone before a verb. */
const alone = (text: string, c: Choices) =>
  [...text.matchAll(/(?<![\p{L}\p{N}'’-])([A-Z])(?=\s+(?:is|was|would|should|must|seems|appears)\b)/gu)]
    .map(({ 1: letter, index }) => ({ option: letter!.charCodeAt(0) - 65, from: index, to: index + 1 }))
    .filter(({ option }) => option < c.options.count)

/** Each statement of the answer, with its position. */
export const statements = (text: string, c: Choices): ReadonlyArray<readonly [at: number, verdict: Verdict]> => [
  ...after(text, noun, c),
  ...after(text, headings, c, true),
  ...after(text, chinese, c),
  ...after(text, verbs, c),
  ...praised(text, c)
]
