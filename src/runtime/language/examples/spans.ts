/** What the assistant says in a rendered chat, as spans of characters. */
import * as Effect from "effect/Effect"
import type { Turn } from "../../../domain/examples/turns.ts"
import type { ModelRefused } from "../../ports/LanguageModel.ts"
import { CLOSE, type Marked, OPEN, saidOf } from "./marked.ts"

/** Characters from..to-1. */
export type Span = readonly [from: number, to: number]

/** A rendered chat, and the spans that are learned, in order. */
export interface Rendered {
  readonly text: string
  readonly spans: ReadonlyArray<Span>
}

/** How chats are rendered. */
export interface SpanOptions {
  readonly template: Marked
  /** Texts of special tokens, one of which ends each turn. */
  readonly specials: ReadonlyArray<string>
  readonly tools: ReadonlyArray<unknown> | undefined
  /** Whether thoughts that the template leaves out of earlier turns may be lost. */
  readonly dropsThoughts: boolean
}

type Made<A> = Effect.Effect<A, ModelRefused>

const spoken = (turns: ReadonlyArray<Turn>): ReadonlyArray<number> =>
  turns.flatMap(({ role }, i) => role === "assistant" ? [i] : [])

const nth = (i: number): string => `message ${i + 1}`

/** The text without marks, and the places of the marks in it. */
const unmarked = (text: string, mark: string): { readonly text: string; readonly places: ReadonlyArray<number> } => {
  const parts = text.split(mark)
  const places: Array<number> = []
  for (let i = 0, at = 0; i + 1 < parts.length; i++) places.push(at += parts[i]!.length)
  return { text: parts.join(""), places }
}

/** The first special token at or after a place: where it ends, with one line feed if that follows. */
const afterSpecial = (text: string, from: number, specials: ReadonlyArray<string>): number => {
  let [first, length] = [Infinity, 0]
  for (const own of specials) {
    const at = text.indexOf(own, from)
    if (at >= 0 && (at < first || (at === first && own.length > length))) [first, length] = [at, own.length]
  }
  if (first === Infinity) return -1
  const end = first + length
  return text[end] === "\n" ? end + 1 : end
}

/** A text with a mark at its end, before the white space that templates may cut. */
const endMarked = (content: string): string => {
  const words = content.trimEnd()
  return words + CLOSE + content.slice(words.length)
}

/** Whether a message's text is in a rendering, at or after a place: where it ends, or -1. */
const foundIn = (text: string, content: string, from: number): number => {
  const own = content.trim()
  const at = text.indexOf(own, from)
  return at < 0 ? -1 : at + own.length
}

const thought = /<think>[\s\S]*?<\/think>/

/** Refuses a rendering that lacks a message, or changes what the assistant said. */
const checkWhole = (turns: ReadonlyArray<Turn>, text: string, o: SpanOptions): Made<void> => {
  let at = 0
  for (const [i, { content, role }] of turns.entries()) {
    const end = foundIn(text, content, at)
    const lost = end < 0 && !(role === "assistant" && o.dropsThoughts && thought.test(content))
    if (lost) {
      const remedy = thought.test(content) ? "; set split_turns: true, or thinking: drop" : ""
      return Effect.fail(o.template.refuse(
        `drops or changes ${nth(i)} (role ${role}), so that it would not be learned as it is${remedy}`
      ))
    }
    at = Math.max(at, end)
  }
  return Effect.void
}

/** Spans between pairs of marks that the template's own tags print. */
const byTags = Effect.fnUntraced(function*(turns: ReadonlyArray<Turn>, text: string, o: SpanOptions) {
  const { marked, refuse } = o.template
  const [shown] = yield* marked!([saidOf(turns)], { tools: o.tools ?? null })
  const spans: Array<Span> = []
  let [plain, open] = ["", -1]
  for (const part of shown!.split(/([\uE000\uE001])/)) {
    if (part === OPEN) open = plain.length
    else if (part === CLOSE) spans.push([open, plain.length])
    else plain += part
  }
  if (plain !== text) return yield* refuse("prints another text once its generation tags are marked")
  return spans.filter(([from, to]) => from < to)
})

/** Where the assistant's turns begin: after the generation prompt that follows the messages before them. */
const startsOf = Effect.fnUntraced(function*(turns: ReadonlyArray<Turn>, text: string, o: SpanOptions) {
  const said = saidOf(turns)
  const places = spoken(turns)
  const before = yield* o.template.render(
    places.map((i) => said.slice(0, i)),
    { add_generation_prompt: true, tools: o.tools ?? null }
  )
  for (const [k, prompt] of before.entries()) {
    if (text.startsWith(prompt)) continue
    return yield* o.template.refuse(
      `renders the messages before ${
        nth(places[k]!)
      } otherwise once it is answered: what the model would be asked is not `
        + "what it would learn; set split_turns: true"
    )
  }
  return before.map((prompt) => prompt.length)
})

/** Where a turn that calls tools ends: where the chat up to it does. */
const endsByPrefix = Effect.fnUntraced(function*(turns: ReadonlyArray<Turn>, i: number, text: string, o: SpanOptions) {
  const said = saidOf(turns)
  const [upTo] = yield* o.template.render([said.slice(0, i + 1)], { tools: o.tools ?? null })
  const [bare] = yield* o.template.render(
    [said.slice(0, i + 1).map((own, k) => k === i ? { role: own.role, content: own.content } : own)],
    { tools: o.tools ?? null }
  )
  if (bare === upTo) return yield* o.template.refuse(`drops the tool_calls of ${nth(i)}`)
  if (!text.startsWith(upTo!)) {
    return yield* o.template.refuse(`renders ${nth(i)} otherwise once it is followed by others`)
  }
  return upTo!.length
})

/** Spans from the generation prompt to the special token after the end of what was said. */
const byMarks = Effect.fnUntraced(function*(turns: ReadonlyArray<Turn>, text: string, o: SpanOptions) {
  const { refuse, render } = o.template
  const places = spoken(turns)
  const marked = turns.map((own) =>
    own.role === "assistant" && own.tool_calls === undefined ? { ...own, content: endMarked(own.content) } : own
  )
  const [shown] = yield* render([saidOf(marked)], { tools: o.tools ?? null })
  const plain = unmarked(shown!, CLOSE)
  const ended = places.filter((i) => turns[i]!.tool_calls === undefined)
  if (plain.text !== text || plain.places.length !== ended.length) {
    return yield* refuse(
      `drops or rewrites what the assistant says: of ${ended.length} turns, ${plain.places.length} end where they should`
    )
  }
  const starts = yield* startsOf(turns, text, o)
  const ends = new Map(ended.map((i, k) => [i, plain.places[k]!]))
  const spans: Array<Span> = []
  for (const [k, i] of places.entries()) {
    const said = ends.get(i)
    const end = said === undefined ? yield* endsByPrefix(turns, i, text, o) : afterSpecial(text, said, o.specials)
    const next = starts[k + 1] ?? text.length
    if (end < 0 || end > next) {
      return yield* refuse(`has no special token at the end of ${nth(i)}: the model would not learn where to stop`)
    }
    spans.push([starts[k]!, end])
  }
  return spans
})

/** The last turn's span with a special token that ends the whole text right after it, such as Phi-3's eos. */
const withEnd = (text: string, spans: ReadonlyArray<Span>, specials: ReadonlyArray<string>): ReadonlyArray<Span> => {
  const last = spans.at(-1)
  if (last === undefined || !specials.includes(text.slice(last[1]))) return spans
  return [...spans.slice(0, -1), [last[0], text.length]]
}

/**
 * Renders a chat, and finds what the assistant says in it: each turn from the end of the generation prompt through the
 * special token that ends it, and one line feed; a template with generation tags decides itself. Fails if the template
 * drops or changes a message, or if a turn has no end.
 */
export const render = Effect.fnUntraced(function*(turns: ReadonlyArray<Turn>, o: SpanOptions) {
  const { refuse } = o.template
  const strange = turns.findIndex(({ content }) => content.includes(OPEN) || content.includes(CLOSE))
  if (strange >= 0) return yield* refuse(`${nth(strange)} has U+E000 or U+E001, which mark what is learned`)
  const said = saidOf(turns)
  const [text] = yield* o.template.render([said], { tools: o.tools ?? null })
  if (o.tools !== undefined) {
    const [bare] = yield* o.template.render([said], { tools: null })
    if (bare === text) return yield* refuse("does not print tools; set tools: ignore to leave them out")
  }
  yield* checkWhole(turns, text!, o)
  const tagged = o.template.marked !== undefined
  const spans = tagged ? yield* byTags(turns, text!, o) : yield* byMarks(turns, text!, o)
  return { text: text!, spans: tagged ? spans : withEnd(text!, spans, o.specials) } satisfies Rendered as Rendered
})
