/** Normal forms as the library has them: those of Unicode 9, to which later characters are strange. */
import { escaped, isAscii, unnormalised } from "./classes.ts"

export type NormalForm = "NFC" | "NFD" | "NFKC" | "NFKD"

let strangers: RegExp | undefined

/** Later characters stay as they are, and nothing is moved past them or joined to them. */
export const normalForm = (text: string, form: NormalForm): string => {
  if (isAscii(text)) return text
  strangers ??= new RegExp(
    `([${unnormalised.ranges.map(([first, last]) => `${escaped(first)}-${escaped(last)}`).join("")}])`,
    "u"
  )
  if (!strangers.test(text)) return text.normalize(form)
  return text.split(strangers).map((piece, i) => i % 2 === 0 ? piece.normalize(form) : piece).join("")
}
