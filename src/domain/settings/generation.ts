/** Settings of how trained models answer. */
import * as Schema from "effect/Schema"
import { Count, Natural, NonNegative, Positive, Share } from "./kinds.ts"
import { setting } from "./setting.ts"
import { all, reads, readsPassages, where } from "./uses.ts"

const draws = all(reads, where("with do_sample", ({ do_sample }) => do_sample !== false))

/** The section's settings by name. */
export const generation = {
  option_score: setting(Schema.Literals(["mean", "sum"]), {
    description: "Score of an option: the mean of its tokens' log-likelihoods, or their sum.",
    affects: "answers",
    default: "mean",
    matters: all(reads, where("with answer_by likelihood", ({ answer_by }) => answer_by === "likelihood"))
  }),
  option_end: setting(Schema.Literals(["eos", "open"]), {
    description:
      "Whether an option's score counts the end-of-text token after it (eos: as answers are learned), or the option's "
      + "tokens alone (open: as lm-evaluation-harness and JOMED score).",
    affects: "answers",
    default: "eos"
  }),
  option_permutations: setting(Natural, {
    description:
      "Orders of its options, the given one among them, in which each question is read for `debiased_accuracy`; 0 for none. "
      + "All orders there are if there are no more: 24 of four options.",
    affects: "output",
    default: 0,
    matters: all(reads, where("with answer_by likelihood", ({ answer_by }) => answer_by === "likelihood"))
  }),
  passage_influence: setting(Schema.Boolean, {
    description:
      "Keep how the right answer's likelihood changes with each passage that is read: twice as many readings as passages, "
      + "and two.",
    affects: "output",
    default: false,
    matters: all(reads, readsPassages)
  }),
  answer_by: setting(Schema.Literals(["likelihood", "generation"]), {
    description: "How an option is chosen: by its likelihood, or from generated text (up to `max_new_tokens`).",
    affects: "answers",
    default: "likelihood",
    matters: reads
  }),
  generation_prompt: setting(Schema.String, {
    description: "Text after the question where the answer is generated.",
    affects: "answers",
    default: "",
    placeholder: null,
    matters: reads
  }),
  rationale_prompt: setting(Schema.String, {
    description: "Text after the answer that asks for an explanation; empty for none.",
    affects: "answers",
    default: "",
    placeholder: null,
    matters: reads
  }),
  max_new_tokens: setting(Count, {
    description: "Greatest length of a generated answer, in tokens.",
    affects: "answers",
    default: 10,
    matters: reads
  }),
  rationale_max_new_tokens: setting(Count, {
    description: "Greatest length of an explanation, in tokens.",
    affects: "answers",
    default: 128,
    matters: all(reads, where("with rationale_prompt", ({ rationale_prompt }) => rationale_prompt !== ""))
  }),
  do_sample: setting(Schema.NullOr(Schema.Boolean), {
    description:
      "Sample instead of greedy decoding. `null` (here and below): use the model's `generation_config.json`.",
    affects: "answers",
    default: null,
    matters: reads
  }),
  temperature: setting(Schema.NullOr(NonNegative), {
    description: "Sampling temperature; 0 for greedy decoding.",
    affects: "answers",
    default: null,
    matters: draws
  }),
  top_k: setting(Schema.NullOr(Natural), {
    description: "Sample from this many of the likeliest tokens; 0 for all.",
    affects: "answers",
    default: null,
    matters: draws
  }),
  top_p: setting(Schema.NullOr(Share), {
    description: "Sample from the likeliest tokens that together have this probability.",
    affects: "answers",
    default: null,
    matters: draws
  }),
  min_p: setting(Schema.NullOr(Share), {
    description: "Sample from tokens whose probability is at least this share of the likeliest one's.",
    affects: "answers",
    default: null,
    matters: draws
  }),
  repetition_penalty: setting(Schema.NullOr(Positive), {
    description: "Factor by which tokens of the prompt and of the text so far are made less likely.",
    affects: "answers",
    default: null,
    matters: reads
  }),
  no_repeat_ngram_size: setting(Schema.NullOr(Natural), {
    description: "No n-gram of this size is generated twice, nor repeated from the prompt; 0 for no such rule.",
    affects: "answers",
    default: null,
    matters: reads
  }),
  min_new_tokens: setting(Schema.NullOr(Natural), {
    description: "Least length of a generated text, in tokens.",
    affects: "answers",
    default: null,
    matters: reads
  }),
  stop_strings: setting(Schema.NullOr(Schema.Array(Schema.NonEmptyString)), {
    description: "Texts that end the generation; they are not part of the answer.",
    affects: "answers",
    default: null,
    matters: reads
  })
}
/** The section's settings, each with a value. */
export type Generation = Schema.Struct.Type<typeof generation>
