/** Whether a text denies, doubts or asks something, judged by the surrounding words. */

const ruledOutBefore =
  /\b(?:not|never|nor|neither|without|except|excluding|excludes?|excluded|unlike|than|instead of|rul(?:e|es|ed|ing) out|eliminat\w*|against|n['’]t|cannot|no)\b(?:\s+[\w-]+){0,2}[\s("'“‘[]*$/i
const ruledOutAfter =
  /^[)"'”’\]]*\s*(?:(?:is|are|was|were|would be|can be|could be|has been|seems?|appears?)\s+(?:[\w-]+\s+){0,2}?(?:not|incorrect|wrong|false|ruled out|excluded|eliminated|unlikely|less|inappropriate|contraindicated|implausible)\b|(?:is|are|was|do|does|did|can|could|would|should)(?:n['’]t|\s+not)\b|cannot\b)/i

/** Boundaries between clauses. */
const turn = /[.;:!?,\n]|\b(?:and|but|however|so|whereas|while)\b/

/** Whether the surrounding clause rules the option out. */
export const isRuledOut = (text: string, { from, to }: { readonly from: number; readonly to: number }): boolean =>
  ruledOutBefore.test(text.slice(Math.max(0, from - 40), from).split(turn).at(-1)!)
  || ruledOutAfter.test(text.slice(to, to + 60).split(turn)[0]!)

/** Words before a statement that turn it into a doubt, a question or a denial. */
const doubted =
  /(?:\b(?:if|whether|unless|suppose|assuming|why|not|never|cannot|could|might|may)\b|n['’]t\b)(?:\s+[\p{L}'’-]+){0,3}\s*$/iu
/** Whether the statement at a position is a doubt or a denial. */
export const isDoubted = (text: string, at: number): boolean =>
  doubted.test(text.slice(Math.max(0, at - 60), at).split(/[.,;:!?\n]/).at(-1)!)

/** Whether the sentence that continues at a position is a question. */
export const isAsked = (text: string, from: number): boolean => /^[^.!?\n]{0,80}\?/.test(text.slice(from, from + 81))
