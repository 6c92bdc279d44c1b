/** JSON values out of written texts: the form is asked for, decoded by a schema, and asked for again if it is wrong. */
import { toCodecOpenAI } from "effect/ai/OpenAiStructuredOutput"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { spoken } from "../../domain/answers/reasoning.ts"
import { several } from "../../domain/brief.ts"
import { problemsOf } from "../../domain/issues.ts"
import { type Answer, type Format, type Turn, Writer, type WriteRequest, type WriterError } from "../ports/Writer.ts"

/** The dialogue with the form of its answer in words, for models that take no schema. */
export const withInstructions = (turns: ReadonlyArray<Turn>, { schema }: Format): ReadonlyArray<Turn> => {
  const words = `Answer only with a JSON object of this JSON Schema, without any other text:\n${JSON.stringify(schema)}`
  return turns.map((turn, i) => i === turns.length - 1 ? { ...turn, text: `${turn.text}\n\n${words}` } : turn)
}

/** The end of the bracketed text that begins at `from`; -1 if its brackets do not balance. */
const closing = (text: string, from: number): number => {
  let [depth, quoted] = [0, false]
  for (let i = from; i < text.length; i++) {
    const c = text[i]!
    if (quoted) {
      if (c === "\\") i++
      else if (c === "\"") quoted = false
    } else if (c === "\"") quoted = true
    else if (c === "{" || c === "[") depth++
    else if ((c === "}" || c === "]") && --depth === 0) return i + 1
  }
  return -1
}

/** The JSON of a text; `undefined` if it is none. */
export const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

/** The first JSON value in a text: all of it, or the first brackets that balance; `undefined` if there is none. */
export const jsonIn = (text: string): unknown => {
  const whole = parsed(text)
  if (whole !== undefined) return whole
  let tries = 100
  for (let at = text.search(/[[{]/); at >= 0 && tries-- > 0;) {
    const end = closing(text, at)
    const found = end < 0 ? undefined : parsed(text.slice(at, end))
    if (found !== undefined) return found
    const next = text.slice(at + 1).search(/[[{]/)
    at = next < 0 ? -1 : at + 1 + next
  }
  return undefined
}

/** A value that was written, or why there is none. */
export interface Structured<A> {
  /** The last answer. */
  readonly answer: Answer
  readonly value: A | undefined
  /** Why the answer is no such value; "" if it is, or if it is not whole. */
  readonly problem: string
  /** Whether it was read as labelled lines, as JSON failed or was not asked for. */
  readonly plain?: boolean
}

/** A form of answers: its codec, and as requests have it. */
export interface Shape<A> {
  readonly format: Format
  readonly decode: (json: unknown) => Effect.Effect<A, Schema.SchemaError>
}

/** The form of values of a schema. Numbers must be `Schema.Finite` or `Schema.Int`, which models can be asked for. */
export const shapeOf = <A, E>(name: string, schema: Schema.Codec<A, E>): Shape<A> => {
  const { codec, jsonSchema } = toCodecOpenAI(schema)
  return { format: { name, schema: jsonSchema }, decode: Schema.decodeUnknownEffect(codec) }
}

/** An answer read as a value. */
const read = Effect.fnUntraced(function*<A>(answer: Answer, { decode }: Shape<A>) {
  if (answer.end !== "stop") return { answer, value: undefined, problem: "" } as Structured<A>
  const json = jsonIn(spoken(answer.text))
  if (json === undefined) return { answer, value: undefined, problem: "it holds no JSON value" } as Structured<A>
  return yield* Effect.match(decode(json), {
    onSuccess: (value): Structured<A> => ({ answer, value, problem: "" }),
    onFailure: (error): Structured<A> => ({ answer, value: undefined, problem: several(problemsOf(error)).join("; ") })
  })
})

const repaired = (turns: ReadonlyArray<Turn>, wrong: string, problem: string): ReadonlyArray<Turn> => [
  ...turns,
  { role: "assistant", text: wrong },
  { role: "user", text: `That answer is not of the form that was asked for: ${problem}. Write it again, in that form.` }
]

/** Writes a value; an answer that is none is asked for again, `repairs` times, with what is wrong with it. */
export const writeValue = <A>(
  request: WriteRequest,
  shape: Shape<A>,
  repairs = 1
): Effect.Effect<Structured<A>, WriterError, Writer> =>
  Effect.gen(function*() {
    const { write } = yield* Writer
    const own = yield* read(yield* write({ ...request, format: shape.format }), shape)
    if (own.problem === "" || repairs === 0) return own
    const turns = repaired(request.turns, own.answer.text, own.problem)
    return yield* writeValue({ ...request, turns }, shape, repairs - 1)
  })
