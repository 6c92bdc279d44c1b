/** Documents in pieces of a bounded number of tokens, each a span of the document's text. */
import { type Document, inLine } from "./Document.ts"

/** How documents are cut. */
export interface ChunkOptions {
  /** Whether a piece stays within the text under one heading. */
  readonly by: "headings" | "tokens"
  /** Greatest number of tokens of a piece. */
  readonly size: number
  /** Greatest number of tokens that a piece repeats of the one before it; less than `size`. */
  readonly overlap: number
  /** Tokens of a text. */
  readonly count: (text: string) => number
}

/** A piece of a document's text: start..end-1. */
export interface Chunk {
  readonly start: number
  readonly end: number
  readonly text: string
  /** The headings that it stands under, the highest first. */
  readonly headings: ReadonlyArray<string>
  /** The line or page of the source where it begins. */
  readonly number: number
}

interface Span {
  readonly start: number
  readonly end: number
}
interface Unit extends Span {
  readonly tokens: number
}

const sentences = new Intl.Segmenter("en", { granularity: "sentence" })

/** The span without white space at its ends. */
const trimmed = (text: string, { end, start }: Span): Span => {
  const own = text.slice(start, end)
  const from = start + (own.length - own.trimStart().length)
  return { start: from, end: Math.max(from, start + own.trimEnd().length) }
}

/** A span in parts of at most `size` tokens, cut between words, or within a word that is longer. */
const divided = (text: string, span: Span, { count, size }: ChunkOptions): ReadonlyArray<Unit> => {
  const tokens = count(text.slice(span.start, span.end))
  if (tokens <= size || span.end - span.start < 2) return [{ ...span, tokens }]
  const middle = span.start + Math.floor((span.end - span.start) / 2)
  const blank = text.slice(span.start, middle).search(/\s\S*$/)
  const after = text.slice(middle, span.end).search(/\s/)
  const at = blank > 0
    ? span.start + blank + 1
    : after >= 0 && middle + after + 1 < span.end
    ? middle + after + 1
    : middle
  const whole = /[\uDC00-\uDFFF]/.test(text[at]!) ? at + 1 : at
  if (whole >= span.end) return [{ ...span, tokens }]
  const halves = [{ start: span.start, end: whole }, { start: whole, end: span.end }]
  return halves.flatMap((half) => divided(text, half, { by: "tokens", size, overlap: 0, count }))
}

/** Sentences of a span, the longest of them divided. */
const unitsOf = (text: string, { end, start }: Span, o: ChunkOptions): ReadonlyArray<Unit> =>
  [...sentences.segment(text.slice(start, end))].flatMap(({ index, segment }) =>
    divided(text, { start: start + index, end: start + index + segment.length }, o)
  )

/** Units in runs of at most `size` tokens; each run begins with units of the one before it, of at most `overlap` tokens. */
const packed = (
  text: string,
  units: ReadonlyArray<Unit>,
  { count, overlap, size }: ChunkOptions
): ReadonlyArray<Span> => {
  const runs: Array<Span> = []
  for (let from = 0; from < units.length;) {
    let [to, tokens] = [from + 1, units[from]!.tokens]
    while (to < units.length && tokens + units[to]!.tokens <= size) tokens += units[to++]!.tokens
    while (to > from + 1 && count(text.slice(units[from]!.start, units[to - 1]!.end)) > size) to--
    runs.push({ start: units[from]!.start, end: units[to - 1]!.end })
    if (to === units.length) break
    let [next, repeated] = [to, 0]
    while (next - 1 > from && repeated + units[next - 1]!.tokens <= overlap) repeated += units[--next]!.tokens
    const room = repeated + units[to]!.tokens <= size
    from = room ? next : to
  }
  return runs
}

interface Section extends Span {
  readonly headings: ReadonlyArray<string>
}

/** The text under each heading, without the heading itself; all of it, if it has none or they do not matter. */
const sectionsOf = ({ headings, text }: Document, by: ChunkOptions["by"]): ReadonlyArray<Section> => {
  if (by === "tokens") return [{ start: 0, end: text.length, headings: [] }]
  const open: Array<{ readonly level: number; readonly text: string }> = []
  const before: Section = { start: 0, end: headings[0]?.start ?? text.length, headings: [] }
  return [
    before,
    ...headings.map((heading, i): Section => {
      while (open.length > 0 && open.at(-1)!.level >= heading.level) open.pop()
      open.push({ level: heading.level, text: inLine(text.slice(heading.start, heading.end)) })
      return { start: heading.end, end: headings[i + 1]?.start ?? text.length, headings: open.map((own) => own.text) }
    })
  ]
}

/** The pieces of a document, in order; those without a letter or a digit are left out. */
export const chunksOf = (document: Document, o: ChunkOptions): ReadonlyArray<Chunk> => {
  const { marks, text: all } = document
  let mark = 0
  return sectionsOf(document, o.by).flatMap(({ headings, ...section }) =>
    packed(all, unitsOf(all, section, o), o).flatMap((run): ReadonlyArray<Chunk> => {
      const { end, start } = trimmed(all, run)
      const text = all.slice(start, end)
      if (!/[\p{L}\p{N}]/u.test(text)) return []
      while (mark + 1 < marks.length && marks[mark + 1]!.start <= start) mark++
      return [{ start, end, text, headings, number: marks[mark]?.number ?? 1 }]
    })
  )
}
