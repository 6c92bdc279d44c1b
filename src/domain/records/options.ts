/** Options of a question, and how they are written out. */

/** Options of a question, at most: as many as there are letters. */
export const MOST_OPTIONS = 26

/** The letter of an option. */
export const letter = (i: number): string => String.fromCharCode(65 + i)

/** The question with its options written out below it. */
export const withOptions = (question: string, options: ReadonlyArray<string>): string =>
  [question, ...options.map((option, i) => `${letter(i)}. ${option}`)].join("\n")

/** What a retriever is asked of a question: its text, with its options below it or without. */
export const queryOf =
  ({ options_in_query }: { readonly options_in_query: boolean }) =>
  ({ options, question }: { readonly question: string; readonly options: ReadonlyArray<string> }): string =>
    options_in_query ? withOptions(question, options) : question
