/** What stands for a picture in a text: a token for each of its rows of features, and marks around them. */
import type { Division } from "./parts.ts"

/** Marks of Idefics3 and SmolVLM. */
export const marks = { around: "<fake_token_around_image>", whole: "<global-img>" } as const

/** How a family of models writes a picture. */
export interface Expansion {
  readonly family: "llava" | "idefics3"
  /** The token of a row of features. */
  readonly token: string
  /** Rows of a picture, or of each of its parts. */
  readonly rows: number
}

/** The text of a picture: of one in parts each square with its row and column, a line for each row, and then the whole. */
export const expansionOf = ({ family, rows, token }: Expansion, division: Division): string => {
  const seen = token.repeat(rows)
  if (family === "llava") return seen
  const whole = `${marks.around}${marks.whole}${seen}${marks.around}`
  if (division.rows === 0) return whole
  const numbers = (n: number) => Array.from({ length: n }, (_, i) => i + 1)
  const lines = numbers(division.rows).map((row) =>
    numbers(division.columns).map((column) => `${marks.around}<row_${row}_col_${column}>${seen}`).join("") + "\n"
  )
  return `${lines.join("")}\n${whole}`
}
