/** Options of a question, and their rendering. */

/** Maximum number of options: one per letter. */
export const MOST_OPTIONS = 26

/** The letter of the `i`-th option. */
export const letter = (i: number): string => String.fromCharCode(65 + i)

/** The question with its options listed below. */
export const withOptions = (question: string, options: ReadonlyArray<string>): string =>
  [question, ...options.map((option, i) => `${letter(i)}. ${option}`)].join("\n")

/** The retriever's query: the question, with or without its options. */
export const queryOf =
  ({ options_in_query }: { readonly options_in_query: boolean }) =>
  ({ options, question }: { readonly question: string; readonly options: ReadonlyArray<string> }): string =>
    options_in_query ? withOptions(question, options) : question
