/** Program: has tasks written for documents, to be learned before or with these (pre-instruction tuning; Jiang et al. 2024). */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Key from "../../domain/Key.ts"
import type { Passage } from "../../domain/records/Records.ts"
import { type Grounding, isGrounded } from "../../domain/synthesis/grounding.ts"
import { type Choice, taskKinds } from "../../domain/synthesis/lists.ts"
import { readObject } from "../../runtime/files/settings.ts"
import { shapeOf } from "../../runtime/language/structured.ts"
import { Writer, type WriteRequest } from "../../runtime/ports/Writer.ts"
import { load, shippedPath } from "../writing/template.ts"
import { asking, type Fields, type FormName, Words, writeFields } from "./forms.ts"
import { apart, type From, written } from "./output.ts"
import { type Draft, each, estimate, type Task } from "./pipeline.ts"
import { fileSource, type PassageOptions, passagesOf } from "./source.ts"
import { echo, unlike } from "./textFilters.ts"

/** What is written, and where. */
export interface TaskOptions extends PassageOptions {
  readonly output: string
  /** Files; those of the package if omitted. */
  readonly prompt: string | undefined
  readonly kinds: string | undefined
  /** Tasks of a document. */
  readonly samples: number
  readonly form: FormName
  readonly grounding: Grounding
  /** Greatest Jaccard index of two tasks' runs of two words; 1 to drop equal ones only. */
  readonly nearDuplicate: number
  /** Documents with their tasks, or the tasks alone as prompts and completions. */
  readonly format: "documents" | "completions"
  readonly maxTokens: number
  /** The licence of the documents, for the card. */
  readonly licence: string | undefined
}

/** What a model writes. */
interface Written {
  readonly question: string
  readonly answer: string
}
type TaskDraft = Draft<Passage, Written>

const fields: Fields<Written> = {
  shape: shapeOf("task", Schema.Struct({ question: Words, answer: Words })),
  labels: [
    { name: "Task", key: "question", about: "the task" },
    { name: "Answer", key: "answer", about: "the answer" }
  ]
}

const places = { kind: "needed", document: "needed" } as const

/** Words of a run by which tasks are compared. */
const WIDTH = 2

/** The kind of a document's task: all take turns, in an order drawn by its id. */
export const kindOf = (kinds: ReadonlyArray<Choice>, seed: number, id: string, sample: number): Choice => {
  const order = Key.permutation(Key.fold(Key.make(seed), "kinds", id), kinds.length)
  return kinds[order[sample % kinds.length]!]!
}

const taskOf = Effect.fnUntraced(function*(o: TaskOptions, seed: number) {
  const prompt = yield* load(o.prompt, "task", places)
  const path = o.kinds ?? shippedPath("tasks.yaml")
  const kinds = yield* taskKinds(path, yield* readObject(path))
  const { turns } = prompt
  const ask = asking(fields, o.form)
  const task: Task<Passage, Written, never, never> = {
    name: "tasks",
    samples: o.samples,
    request: ({ id, text }, sample): WriteRequest =>
      ask({
        turns: turns({ kind: kindOf(kinds, seed, id, sample).about, document: text }),
        max_tokens: o.maxTokens,
        sample
      }),
    write: writeFields(fields, o.form),
    filters: [
      echo(prompt, ({ answer, question }) => [question, answer]),
      ...(o.grounding === "off"
        ? []
        : [each<Passage, Written>(
          o.grounding === "exact" ? "answer is not in the document" : "words of the answer are not in the document",
          ({ item, value }) => !isGrounded(value.answer, item.text, o.grounding)
        )]),
      ...unlike<Passage, Written>("task", ({ value }) => value.question, o.nearDuplicate, WIDTH)
    ]
  }
  return { prompt, task, kinds, path }
})

/** What writing the tasks would take, without a request. */
export const planTasks = Effect.fnUntraced(function*(o: TaskOptions) {
  const { seed } = yield* Writer
  const { task } = yield* taskOf(o, seed)
  return yield* estimate(task, (yield* passagesOf(o, seed)).items)
}, Effect.scoped)

/** A document with its tasks; without any, its text alone. */
const documentOf = (
  { id, text }: Passage,
  drafts: ReadonlyArray<TaskDraft>,
  kind: (draft: TaskDraft) => string,
  from: From<Passage, Written>
) => ({
  id,
  text,
  ...(drafts.length === 0 ? {} : {
    tasks: drafts.map((draft) => ({
      question: draft.value.question.trim(),
      answer: draft.value.answer.trim(),
      kind: kind(draft)
    })),
    synthetic: drafts.map((draft) => from(draft, [id]))
  })
})

const completionOf = (draft: TaskDraft, kind: string, from: From<Passage, Written>) => ({
  id: `${draft.item.id}-t${draft.sample + 1}`,
  prompt: draft.value.question.trim(),
  completion: draft.value.answer.trim(),
  kind,
  document: draft.item.id,
  synthetic: from(draft, [draft.item.id])
})

const whats = {
  documents: "Documents, each with tasks that a model wrote from it (`tasks`); those without one keep their text.",
  completions: "Tasks with their answers, each written from a document, whose id is in `document`."
} as const

/** Writes the documents with their tasks, or the tasks, in the order of the documents. */
export const tasks = Effect.fn("tasks")(function*(o: TaskOptions) {
  yield* apart([o.passages], [o.output])
  const { seed } = yield* Writer
  const { kinds, path, prompt, task } = yield* taskOf(o, seed)
  const { items, source, total } = yield* passagesOf(o, seed)
  const { file, ...hash } = yield* fileSource(path)
  const about = {
    what: whats[o.format],
    source: {
      ...source,
      kinds: file,
      ...Object.fromEntries(Object.entries(hash).map(([name, own]) => [`${name} of the kinds`, own])),
      "check of answers": o.grounding,
      "near-duplicates above": o.nearDuplicate,
      form: o.form
    },
    licence: o.licence
  }
  const kind = (draft: TaskDraft): string => kindOf(kinds, seed, draft.item.id, draft.sample).name
  return yield* written(
    o.output,
    { task, prompt, items, total },
    about,
    (item, drafts, from) =>
      o.format === "documents"
        ? [documentOf(item, drafts, kind, from)]
        : drafts.map((draft) => completionOf(draft, kind(draft), from))
  )
}, Effect.scoped)
