/** Program: makes closed questions of open ones, by rule, without a model, or by a model (JOMED). */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { openQuestions } from "../../datasets/openQuestions.ts"
import { rightAnswers } from "../../domain/records/Records.ts"
import { asked, choiceOf, type OpenQuestion, pools, unclosable, verdictOf } from "../../domain/synthesis/closed.ts"
import { sameAnswer, wrongOnes } from "../../domain/synthesis/options.ts"
import { contains } from "../../domain/texts/overlap.ts"
import * as LineFile from "../../runtime/files/lineFile.ts"
import { shapeOf } from "../../runtime/language/structured.ts"
import { Writer, type WriteRequest } from "../../runtime/ports/Writer.ts"
import { load, type Template } from "../writing/template.ts"
import { asking, type Fields, type FormName, Words, writeFields } from "./forms.ts"
import { apart, reported, written } from "./output.ts"
import { type Counts, each, estimate, type Filter, type Report, type Task } from "./pipeline.ts"
import { fileSource } from "./source.ts"
import { echo, tells } from "./textFilters.ts"

/** What is read and written. */
export interface ClosedOptions {
  readonly input: string
  readonly where: Readonly<Record<string, string | number>>
  /** The field that has a question's type. */
  readonly typeField: string
  readonly skipBad: boolean
  readonly output: string
  /** Two questions that are answered yes and no, or the question with options. */
  readonly kind: "yes-no" | "options"
  /** Wrong options. */
  readonly distractors: number
  /** The licence of the questions, for the card. */
  readonly licence: string | undefined
}

/** How wrong answers are found by rule. */
export interface ClosedByRule extends ClosedOptions {
  /** Whether answers to questions of other types may stand in where there are too few of the same one. */
  readonly anyType: boolean
  readonly seed: number
}

/** What a model is told besides. */
export interface ClosedByModel extends ClosedOptions {
  /** A prompt file; that of the package if omitted. */
  readonly prompt: string | undefined
  readonly form: FormName
  readonly maxTokens: number
}

/** The open questions of the input, and how many others there are, by reason. */
const opened = Effect.fnUntraced(function*({ input, skipBad, typeField, where }: ClosedOptions) {
  const { records, told } = yield* openQuestions(input, typeField, { where, skipBad })
  for (const line of told) yield* Effect.logWarning(`${input}: ${line}`)
  const leftOut: Record<string, number> = {}
  const open = records.filter((q) => {
    const why = unclosable(q)
    if (why !== undefined) leftOut[why] = (leftOut[why] ?? 0) + 1
    return why === undefined
  })
  return { open, leftOut: leftOut as Counts }
})

const aboutOf = Effect.fnUntraced(function*({ distractors, input, kind, licence, where }: ClosedOptions) {
  const what = kind === "yes-no"
    ? "Open questions as pairs of questions that are answered yes and no; the open one is in `open`."
    : "Open questions with options, of which one is right; the open one is in `open`."
  return {
    what,
    source: {
      ...(yield* fileSource(input)),
      ...(Object.keys(where).length > 0 ? { where: JSON.stringify(where) } : {}),
      ...(kind === "options" ? { "wrong options": distractors } : {})
    },
    licence
  }
})

const NONE = "too few other answers of its type"

/** Closes questions by rule: wrong answers are those to other questions of the same type, drawn under a seed. */
export const closedByRule = Effect.fn("closedByRule")(function*(o: ClosedByRule) {
  const { anyType, seed } = o
  yield* apart([o.input], [o.output])
  const { leftOut, open } = yield* opened(o)
  const wrongOf = pools(open, seed, anyType)
  const wanted = o.kind === "yes-no" ? 1 : o.distractors
  const able = open.flatMap((q) => {
    const { own, wrong } = wrongOf(q, wanted)
    return wrong.length < wanted ? [] : [{ q, wrong, strange: wrong.length - own }]
  })
  const strange = able.filter((own) => own.strange > 0).length
  if (strange > 0) yield* Effect.logWarning(`${strange} questions have wrong answers to questions of other types`)
  const rows = able.flatMap(({ q, wrong }): ReadonlyArray<ReturnType<typeof choiceOf> | ReturnType<typeof verdictOf>> =>
    o.kind === "options"
      ? [choiceOf(q, wrong, seed)]
      : [verdictOf(q, asked(q, q.answer), "yes"), verdictOf(q, asked(q, wrong[0]!), "no")]
  )
  const file = yield* LineFile.make(o.output)
  yield* file.add(
    rows.map((row) => JSON.stringify({ ...row, synthetic: { rule: o.kind, seed, sources: [row.open.id] } }))
  )
  yield* file.finish
  const items = open.length + Object.values(leftOut).reduce((sum, own) => sum + own, 0)
  const report: Report = {
    task: "closed questions",
    writer: "a rule, without a model",
    models: [],
    prompt: "",
    prompt_sha: "",
    seed,
    items,
    requests: 0,
    lost: {},
    dropped: { ...leftOut, [NONE]: open.length - able.length },
    kept: able.length,
    plain: 0,
    spent: { calls: 0, cached: 0, input_tokens: 0, output_tokens: 0, retries: 0 }
  }
  const about = yield* aboutOf(o)
  const source = anyType ? { ...about.source, "with wrong answers of other types": strange } : about.source
  yield* reported(o.output, report, { ...about, source })
  return report
}, Effect.scoped)

interface Verdicts {
  readonly first_question: string
  readonly second_question: string
  readonly wrong_answer: string
}
interface Wrong {
  readonly wrong_answers: ReadonlyArray<string>
}

const verdicts: Fields<Verdicts> = {
  shape: shapeOf(
    "closed_questions",
    Schema.Struct({ wrong_answer: Words, first_question: Words, second_question: Words })
  ),
  labels: [
    { name: "Wrong answer", key: "wrong_answer", about: "a wrong answer" },
    { name: "First question", key: "first_question", about: "the question about the right answer" },
    { name: "Second question", key: "second_question", about: "the question about the wrong answer" }
  ]
}

const wrong = (count: number): Fields<Wrong> => ({
  shape: shapeOf("wrong_answers", Schema.Struct({ wrong_answers: Schema.Array(Words) })),
  labels: [{ name: "Wrong answer", key: "wrong_answers", about: "a wrong answer", count }]
})

const ofVerdicts = (prompt: Template): ReadonlyArray<Filter<OpenQuestion, Verdicts>> => [
  echo(prompt, (own) => [own.first_question, own.second_question]),
  each(
    "wrong answer is a right one",
    ({ item, value }) => rightAnswers(item).some((own) => sameAnswer(own, value.wrong_answer))
  ),
  each(
    "first question does not name the right answer",
    ({ item, value }) => !contains(value.first_question, item.answer)
  ),
  each(
    "second question does not name the wrong answer",
    ({ value }) => !contains(value.second_question, value.wrong_answer)
  ),
  /** Unless the wrong answer has the words of the right one: "type 2" of "type 2 diabetes". */
  each(
    "second question names the right answer",
    ({ item, value }) => tells(value.second_question, item.answer) && !contains(value.wrong_answer, item.answer)
  )
]

const requests =
  (o: ClosedByModel, { turns }: Template, ask: (request: WriteRequest) => WriteRequest) => (q: OpenQuestion) =>
    ask({
      turns: turns({ question: q.question, answer: q.answer, count: String(o.distractors) }),
      max_tokens: o.maxTokens
    })

const verdictTask = (o: ClosedByModel, prompt: Template): Task<OpenQuestion, Verdicts, never, never> => ({
  name: "closed questions",
  samples: 1,
  request: requests(o, prompt, asking(verdicts, o.form)),
  write: writeFields(verdicts, o.form),
  filters: ofVerdicts(prompt)
})

const choiceTask = (o: ClosedByModel, prompt: Template): Task<OpenQuestion, Wrong, never, never> => {
  const fields = wrong(o.distractors)
  const left = (q: OpenQuestion, own: Wrong) => wrongOnes(own.wrong_answers, rightAnswers(q), o.distractors)
  return {
    name: "closed questions",
    samples: 1,
    request: requests(o, prompt, asking(fields, o.form)),
    write: writeFields(fields, o.form),
    filters: [
      echo(prompt, (own) => own.wrong_answers),
      each(
        "too few wrong answers that differ from the right ones and each other",
        ({ item, value }) => left(item, value).length < o.distractors
      )
    ]
  }
}

const prompts = {
  "yes-no": { name: "closed-yes-no", places: { question: "needed", answer: "needed" } },
  options: { name: "closed-options", places: { question: "needed", answer: "needed", count: "needed" } }
} as const

const templateOf = ({ kind, prompt }: ClosedByModel) => load(prompt, prompts[kind].name, prompts[kind].places)

/** What closing questions by a model would take, without a request. */
export const planClosed = Effect.fnUntraced(function*(o: ClosedByModel) {
  const { open } = yield* opened(o)
  const prompt = yield* templateOf(o)
  const items = Stream.fromIterable(open)
  return o.kind === "yes-no"
    ? yield* estimate(verdictTask(o, prompt), items)
    : yield* estimate(choiceTask(o, prompt), items)
})

/** Closes questions by a model, in the order of the input. */
export const closedByModel = Effect.fn("closedByModel")(function*(o: ClosedByModel) {
  yield* apart([o.input], [o.output])
  const { leftOut, open } = yield* opened(o)
  const prompt = yield* templateOf(o)
  const { seed } = yield* Writer
  const about = yield* aboutOf(o)
  const own = { prompt, items: Stream.fromIterable(open), total: open.length, leftOut }
  if (o.kind === "options") {
    return yield* written(
      o.output,
      { ...own, task: choiceTask(o, prompt) },
      about,
      (q, drafts, from) =>
        drafts.map((draft) => ({
          ...choiceOf(q, wrongOnes(draft.value.wrong_answers, rightAnswers(q), o.distractors), seed),
          synthetic: from(draft, [q.id])
        }))
    )
  }
  return yield* written(
    o.output,
    { ...own, task: verdictTask(o, prompt) },
    about,
    (q, drafts, from) =>
      drafts.flatMap((draft) => [
        { ...verdictOf(q, draft.value.first_question.trim(), "yes"), synthetic: from(draft, [q.id]) },
        { ...verdictOf(q, draft.value.second_question.trim(), "no"), synthetic: from(draft, [q.id]) }
      ])
  )
})
