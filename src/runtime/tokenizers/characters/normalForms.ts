/** Unicode normal forms as in the library, which uses Unicode 9. */
import { escaped, isAscii, unnormalised } from "./classes.ts"

export type NormalForm = "NFC" | "NFD" | "NFKC" | "NFKD"

let strangers: RegExp | undefined

/** Characters added after Unicode 9 are unchanged, and nothing is reordered across or composed with them. */
export const normalForm = (text: string, form: NormalForm): string => {
  if (isAscii(text)) return text
  strangers ??= new RegExp(
    `([${unnormalised.ranges.map(([first, last]) => `${escaped(first)}-${escaped(last)}`).join("")}])`,
    "u"
  )
  if (!strangers.test(text)) return text.normalize(form)
  return text.split(strangers).map((piece, i) => i % 2 === 0 ? piece.normalize(form) : piece).join("")
}
