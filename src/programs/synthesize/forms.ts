/** Answers with fields: as JSON, or as labelled lines of plain text for models that write no JSON. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { spoken } from "../../domain/answers/reasoning.ts"
import { several } from "../../domain/brief.ts"
import { problemsOf } from "../../domain/issues.ts"
import { instructions, type Label, read } from "../../domain/texts/labelled.ts"
import { type Shape, type Structured, writeValue } from "../../runtime/language/structured.ts"
import { type Answer, Writer, type WriteRequest, type WriterError } from "../../runtime/ports/Writer.ts"

/** `json` alone, `text` alone (labelled lines), or `auto`: JSON, and labelled lines where it fails. */
export const formNames = ["auto", "json", "text"] as const
/** One of `formNames`. */
export type FormName = typeof formNames[number]

/** A text that is not blank. */
export const Words = Schema.String.check(Schema.makeFilter((text: string) => text.trim() !== "" || "is blank"))

/** The fields of an answer in both forms. */
export interface Fields<A> {
  readonly shape: Shape<A>
  readonly labels: ReadonlyArray<Label>
}

/** How the fields are asked for first, as a request. */
export const asking = <A>({ labels, shape }: Fields<A>, form: FormName) => (request: WriteRequest): WriteRequest =>
  form === "text" ? inLines(request, labels) : { ...request, format: shape.format }

/** A request for labelled lines. */
const inLines = ({ format: _, ...request }: WriteRequest, labels: ReadonlyArray<Label>): WriteRequest => ({
  ...request,
  turns: request.turns.map((turn, i) =>
    i === request.turns.length - 1 ? { ...turn, text: `${turn.text}\n\n${instructions(labels)}` } : turn
  )
})

/** An answer's labelled lines as a value. */
const linesOf = Effect.fnUntraced(function*<A>(answer: Answer, { labels, shape }: Fields<A>) {
  const wrong = (problem: string): Structured<A> => ({ answer, value: undefined, problem, plain: true })
  if (answer.end !== "stop") return wrong("")
  const found = read(spoken(answer.text), labels)
  if ("lacks" in found) return wrong(`it has no line that begins with ${found.lacks}:`)
  return yield* Effect.match(shape.decode(found.value), {
    onSuccess: (value): Structured<A> => ({ answer, value, problem: "", plain: true }),
    onFailure: (error) => wrong(several(problemsOf(error)).join("; "))
  })
})

/**
 * Writes fields, for requests made by `asking`. `auto` reads an answer that is no JSON as labelled lines if it has them, and
 * else asks for these; it asks for neither a second time.
 */
export const writeFields =
  <A>(fields: Fields<A>, form: FormName) =>
  (request: WriteRequest): Effect.Effect<Structured<A>, WriterError, Writer> =>
    Effect.gen(function*() {
      const { write } = yield* Writer
      if (form === "text") return yield* linesOf(yield* write(request), fields)
      const json = yield* writeValue(request, fields.shape, form === "json" ? 1 : 0)
      if (form === "json" || json.value !== undefined || json.answer.end === "refused") return json
      const lines = yield* linesOf(json.answer, fields)
      return lines.value === undefined
        ? yield* linesOf(yield* write(inLines(request, fields.labels)), fields)
        : lines
    })
