/** Settings of the reader's prompts and of its training on them. */
import * as Schema from "effect/Schema"
import { Count, NonNegative } from "./kinds.ts"
import { setting } from "./setting.ts"
import { all, reads, readsPassages, where } from "./uses.ts"

/** Prompt length in tokens from which shifted sparse attention replaces full attention in training. */
export const LEAST_SHIFTED = 1024

const number = (value: unknown): number => value as number

/** The section's settings by name. */
export const prompting = {
  max_length: setting(Count, {
    description:
      "Greatest length of a prompt with its answer, or of a text to learn, in tokens; passages are cut from the front, the "
      + "worst first.",
    affects: "learning",
    default: 4048,
    aliases: ["sequence_len", "cutoff_len", "model_max_length", "generator_max_len"],
    matters: reads
  }),
  excess_length: setting(Schema.Literals(["raise", "truncate", "skip"]), {
    description:
      "A question that does not fit `max_length` with its options and its answer: \"raise\" refuses to start, "
      + "\"truncate\" cuts the beginning of its text, \"skip\" leaves it out of training and unanswered. A text to learn "
      + "loses its end instead.",
    affects: "learning",
    default: "raise"
  }),
  text_maxlength: setting(Count, {
    description: "Greatest length of a passage in the reader's prompt, in tokens.",
    affects: "learning",
    default: 512,
    aliases: ["text_max_length"],
    matters: all(
      readsPassages,
      where("below max_length", ({ max_length, text_maxlength }) => number(text_maxlength) <= number(max_length))
    )
  }),
  use_full_attn: setting(Schema.Boolean, {
    description:
      "Train with full attention; else prompts from 1024 tokens on are trained with LongLoRA's shifted sparse attention "
      + "(S2-Attn), within quarters of them. The reader always answers with full attention.",
    affects: "learning",
    matters: all(
      reads,
      where(
        `with a max_length of ${LEAST_SHIFTED} or more`,
        ({ max_length }) => number(max_length) >= LEAST_SHIFTED
      )
    )
  }),
  lm_loss_weight: setting(NonNegative, {
    description: "Weight of the prompt's own loss beside that of the answer.",
    affects: "learning",
    default: 0,
    matters: reads
  }),
  apply_chat_template: setting(Schema.Boolean, {
    description: "Wrap the prompt as a user message with the model's chat template.",
    affects: "learning",
    default: false,
    matters: reads
  }),
  document_prompt: setting(Schema.String, {
    description:
      "How a passage is put before the reader: `{text}`, and `<image>` where its picture goes, if it has one and the reader reads "
      + "pictures.",
    affects: "learning",
    default: "\nReference:\n{text}",
    placeholder: "text",
    matters: readsPassages
  }),
  question_prompt: setting(Schema.String, {
    description:
      "How the question follows the passages: `{question}`, with its options if they are shown, and `<image>` where its picture "
      + "goes.",
    affects: "learning",
    default: "\nMy Question:\n{question}",
    aliases: ["qa_prompt_format"],
    placeholder: "question",
    matters: reads
  }),
  answer_prompt: setting(Schema.String, {
    description: "How the answer follows the question: `{answer}`.",
    affects: "learning",
    default: " {answer}",
    placeholder: "answer",
    matters: reads
  }),
  rationale_target: setting(Schema.String, {
    description:
      "How an explanation follows the answer in training: `{explanation}`, the record's `explanation`, `exp`, `rationale` or "
      + "`long_answer`; empty to learn answers alone. `rationale_prompt` asks for one in the same words.",
    affects: "learning",
    default: "",
    placeholder: "explanation",
    neutral: "",
    matters: reads
  }),
  options_in_prompt: setting(Schema.Boolean, {
    description: "Whether the reader sees the options.",
    affects: "learning",
    default: true,
    matters: reads
  }),
  answer_format: setting(Schema.Literals(["text", "letter"]), {
    description: "The reader answers with the option's text, or with its letter.",
    affects: "learning",
    default: "letter",
    matters: reads
  })
}
/** The section's settings, each with a value. */
export type Prompting = Schema.Struct.Type<typeof prompting>
