/** Settings that are valid one by one but conflict: one line each, with their keys and a remedy. */
import type { RunConfig } from "./RunConfig.ts"
import { stepSize } from "./training.ts"
import type { Traits } from "./uses.ts"

/** Steps are counted in 32 bits. */
export const MOST_STEPS = 2 ** 31 - 1

/** [CLS], the marker token, [SEP], and one token of text. */
const LEAST_LENGTH = 4

type Problems = ReadonlyArray<string | false>

const number = (value: number): string => value.toLocaleString("en", { maximumSignificantDigits: 21 })

const schedule = (c: RunConfig): Problems => [
  c.max_steps > MOST_STEPS && `max_steps (${number(c.max_steps)}) exceeds ${number(MOST_STEPS)} steps`,
  c.save_steps === 0 && "save_steps: 0 is no number of steps; write -1 for one checkpoint at the end",
  c.steps_per_run > 1 && c.save_steps > 0 && c.save_steps % c.steps_per_run !== 0
  && `save_steps (${c.save_steps}) is no multiple of steps_per_run (${c.steps_per_run}): weights are there after each run`,
  c.steps_per_run > 1 && c.gradient_accumulation_steps > 1
  && `steps_per_run (${c.steps_per_run}) needs gradient_accumulation_steps 1: an update of a run is made by one batch`,
  Math.max(c.learning_rate, c.lr_retriever) * c.weight_decay >= 1
  && `weight_decay (${c.weight_decay}) times the learning rate (${Math.max(c.learning_rate, c.lr_retriever)}) is 1 or `
    + "more: a step would undo the weights"
]

const frozen = (c: RunConfig, { reader }: Traits): Problems => [
  reader === "trained" && c.quantization !== "none" && c.lora_r === 0
  && `quantization (${c.quantization}) with lora_r 0: the reader's own weights are trained, and only frozen ones can be `
    + "quantised; set a lora_r above 0, or quantization: none"
]

const lengths = (c: RunConfig): Problems => {
  const short = (["query_max_len", "passage_max_len"] as const).filter((key) => c[key] > 0 && c[key] < LEAST_LENGTH)
  const writes = (key: "max_new_tokens" | "rationale_max_new_tokens") =>
    c[key] >= c.max_length && `${key} (${c[key]}) leaves no room for a prompt in max_length (${c.max_length})`
  return [
    ...short.map((key) =>
      `${key} (${c[key]}) holds no word: [CLS], a marker and [SEP] take 3 tokens; give at least ${LEAST_LENGTH}, or 0 `
      + "for the checkpoint's own"
    ),
    c.answer_by === "generation" && writes("max_new_tokens"),
    c.rationale_prompt !== "" && writes("rationale_max_new_tokens")
  ]
}

const others = (c: RunConfig, { questions, reader, retriever }: Traits): Problems => [
  (retriever === "frozen" || retriever === "trained") && c.retriever_name_or_path === ""
  && "retriever_name_or_path: is missing",
  reader !== "none" && c.reader_name_or_path === "" && "reader_name_or_path: is missing",
  questions === "given" && c.answer_format === "letter" && !c.options_in_prompt
  && "answer_format \"letter\" needs options_in_prompt: the reader would name letters that it never saw; set "
    + "answer_format: text, or options_in_prompt: true"
]

/** Conflicts between settings. */
export const contradictions = (c: RunConfig, mode: Traits): ReadonlyArray<string> =>
  [...schedule(c), ...frozen(c, mode), ...lengths(c), ...others(c, mode)].filter((problem) => problem !== false)

/** Explanations that are learned in other words than they are asked for. */
const rationales = ({ rationale_prompt: asked, rationale_target: target }: RunConfig): Problems => {
  const [begins = ""] = target.split("{explanation}")
  return [
    target !== "" && asked === "" &&
    "rationale_target: explanations are learned, and none is asked for (rationale_prompt is empty)",
    target !== "" && asked !== "" && begins.trim() !== asked.trim()
    && `rationale_prompt (${JSON.stringify(asked)}) is not how rationale_target begins (${
        JSON.stringify(begins)
      }): explanations are `
      + "asked for in other words than they are learned in"
  ]
}

/** Valid but surprising combinations. Expects the number of steps to be filled in. */
export const suspicions = (c: RunConfig, mode: Traits): ReadonlyArray<string> => {
  const same = c.train_file === c.test_file && JSON.stringify(c.train_where) === JSON.stringify(c.test_where)
  return [
    mode.questions === "given" && c.test_file !== "" && same
    && "train_file and test_file are the same questions: figures will be of what was trained on",
    ...(mode.reader === "trained" ? rationales(c) : []),
    c.max_steps === 0 && "max_steps is 0: nothing is trained",
    c.max_steps > 0 && c.warmup_steps > c.max_steps
    && `warmup_steps (${c.warmup_steps}) exceeds the ${
      number(c.max_steps)
    } steps: the learning rate never reaches its peak`,
    mode.reader === "trained" && c.learning_rate === 0 && "learning_rate is 0: the reader stays as it is",
    mode.retriever === "trained" && c.lr_retriever === 0 && "lr_retriever is 0: the retriever stays as it is"
  ].filter((line) => line !== false)
}

/** The number of steps for this many questions, or why the run is impossible. */
export const stepsOf = (c: RunConfig, questions: number): number | string => {
  if (c.max_steps >= 0) return c.max_steps
  const steps = Math.ceil(c.num_train_epochs * questions / stepSize(c))
  if (steps > MOST_STEPS) {
    return `num_train_epochs (${c.num_train_epochs}) of ${number(questions)} questions are more than `
      + `${number(MOST_STEPS)} steps`
  }
  return steps
}
