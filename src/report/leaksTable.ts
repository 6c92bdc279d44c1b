/** Leaks of a split, as lines. */
import type { LeakName, Leaks } from "../domain/records/leaks.ts"

/** What each way of leaking is called. */
const titles: Readonly<Record<LeakName, string>> = {
  in_passage: "stand in a passage",
  in_passage_with_answer: "stand in a passage with their answer",
  in_passage_with_options: "stand in a passage with all their options",
  passage_is_question: "are a passage by themselves",
  explanation_in_passage: "have their explanation in a passage",
  explanation_in_passage_with_answer: "have their explanation in a passage that names the answer",
  in_training: "are in training, word for word",
  like_training: "are in training, almost word for word",
  picture_in_passages: "ask about a picture that a passage has",
  picture_in_training: "ask about a picture that training has",
  picture_like_passages: "ask about a picture almost as a passage has it",
  picture_like_training: "ask about a picture almost as training has it"
}

/** The ways in which questions leak, a line each with examples; one line if none does. */
export const leaksTable = (split: string, leaks: Leaks): string => {
  const { questions, short } = leaks
  const ways = (Object.keys(titles) as ReadonlyArray<LeakName>).filter((name) => (leaks[name]?.questions ?? 0) > 0)
  const unseen = short > 0 ? ` (${short} of fewer than six words are not looked for in passages)` : ""
  if (ways.length === 0) {
    return `leaks: none of ${questions} ${split} questions stands in a passage or in training${unseen}`
  }
  return [
    `leaks: of ${questions} ${split} questions${unseen}`,
    ...ways.map((name) => {
      const { examples, questions: count } = leaks[name]!
      const shown = examples.map(({ question, where }) => `${question} in ${where}`).join(", ")
      return `  ${count} ${titles[name]} (${shown}${count > examples.length ? ", …" : ""})`
    })
  ].join("\n")
}
