/** Batched generation, token by token; a text does not depend on the others in its batch. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Key from "../../../domain/Key.ts"
import type { CacheShape } from "../../../kernels/nn/cache.ts"
import * as Halving from "../../engine/halving.ts"
import { KeyValueCache } from "../../engine/KeyValueCache.ts"
import { bucket, finitely } from "../../engine/Programs.ts"
import { type Feeds, type Kept, onHost, type Open, RunFailed, SessionError } from "../../engine/Session.ts"
import type { Shown } from "../../pictures/reading.ts"
import type { Token } from "../../ports/LanguageModel.ts"
import type { PromptError } from "../chatTokens.ts"
import { type Look, packFeatures } from "../features.ts"
import type { Sequence } from "../sequences.ts"
import { constrain, type Constraints } from "./constraints.ts"
import type { GenerationSize } from "./graphs.ts"
import { choose, type Sampling, unusable } from "./sampling.ts"
import { TextStream } from "./textStream.ts"

/** A prompt of at least one token, its pictures, and its sampling key. */
export interface Prompt extends Partial<Pick<Sequence, "pictures" | "places">> {
  readonly ids: ReadonlyArray<number>
  readonly key: Key.Key
}

/** How tokens are chosen, and what ends a text. */
export interface GenerationOptions extends Sampling, Constraints {
  readonly max_new_tokens: number
  /** Tokens that end a text. */
  readonly eos: ReadonlySet<number>
  readonly stop_strings: ReadonlyArray<string>
}

/** The program and cache of a decoder. */
export interface Generator {
  readonly program: Open<GenerationSize>
  readonly cache: CacheShape
  /** Where the caches are kept between steps. */
  readonly kept: Kept
  /** Program inputs that are not compiled in. */
  readonly weights: () => Feeds<string>
  readonly padding: number
  readonly decode: (ids: ReadonlyArray<number>) => string
  /** Tokens of a prompt that are read at a time: attention's scores are as many as these times all before them. */
  readonly piece: number
  /** Has the features of pictures at hand; `undefined` for a model that reads none. */
  readonly look?: (pictures: ReadonlyArray<Shown>) => Effect.Effect<Look | undefined, PromptError | SessionError>
  /** Batches of prompts that memory allows, in tokens. */
  readonly prompts: Halving.Halving
  /** Batches of texts that memory allows in a step, in cached positions. */
  readonly steps: Halving.Halving
}

/** The batches of a model that generates, by its name. */
export const batches = (model: string): Pick<Generator, "piece" | "prompts" | "steps"> => ({
  piece: 1024,
  prompts: Halving.make(`${model}.generate`, "tokens of prompts"),
  steps: Halving.make(`${model}.generate`, "positions of texts")
})

/** A text being generated: prompt and new tokens. */
export interface Writing extends Required<Pick<Prompt, "pictures" | "places">> {
  readonly row: number
  readonly key: Key.Key
  readonly ids: Array<number>
  readonly prompted: number
  readonly text: TextStream
}

/** A row of the KV cache for each text, holding all its tokens but the last; no cache before the first step. */
export interface State<W extends Writing = Writing> {
  readonly writings: ReadonlyArray<W>
  readonly cache: KeyValueCache | undefined
}

/** New tokens of a row, at positions from `first` on, with the pictures that stand in their places. */
interface Row extends Partial<Required<Pick<Prompt, "pictures" | "places">>> {
  readonly ids: ReadonlyArray<number>
  readonly first: number
}

/** Cached keys and values of the rows of a run. */
type Past = Pick<KeyValueCache, "slots" | "feeds">

/** Approximate number of prompt tokens per prefill run. */
const TOKENS = 4096

/** Cache positions for the longest text, rounded up to a bucket. */
const slotsFor = (writings: ReadonlyArray<Writing>): number =>
  bucket(writings.reduce((n, { ids }) => Math.max(n, ids.length), 1), Infinity)

/** Length of the longest row. */
const longest = (rows: ReadonlyArray<Row>): number => rows.reduce((n, { ids }) => Math.max(n, ids.length), 1)

/** Rows as the arrays of a program, padded on the right. */
const pack = (rows: ReadonlyArray<Row>, padding: number) => {
  const length = longest(rows)
  const ids = new Int32Array(rows.length * length).fill(padding)
  const positions = new Int32Array(rows.length * length)
  rows.forEach((row, r) => {
    ids.set(row.ids, r * length)
    for (let i = 0; i < length; i++) positions[r * length + i] = row.first + Math.min(i, row.ids.length - 1)
  })
  const last = Int32Array.from(rows, (row, r) => r * length + row.ids.length - 1)
  return { length, feeds: { ids, positions, last } }
}

/** The features that rows of this length read, of a model that reads pictures. */
const seenBy = Effect.fnUntraced(function*({ look }: Generator, rows: ReadonlyArray<Row>, length: number) {
  const all = rows.map(({ pictures = [], places = [] }) => ({ pictures, places }))
  const found = look && (yield* look(all.flatMap(({ pictures }) => pictures)))
  /** A step of the decoder has no pictures, and reads one row of zeros. */
  return found && packFeatures(all, { rows: rows.length, length, least: 0 }, { ...found, unit: 1, inputs: 1 })
})

/** Runs the decoder on new tokens: logits of each row's last token, and the keys and values to cache. */
const forward = Effect.fnUntraced(function*(g: Generator, past: Past, rows: ReadonlyArray<Row>) {
  const { feeds, length } = pack(rows, g.padding)
  const seen = yield* seenBy(g, rows, length)
  const program = g.program({ rows: rows.length, length, slots: past.slots, features: seen?.shape.rows ?? 0 })
  const { logits, present } = yield* finitely(program, { ...g.weights(), ...past.feeds, ...feeds, ...seen?.data })
  const width = logits!.length / rows.length
  return {
    length,
    logits: rows.map((_, r) => logits!.subarray(r * width, (r + 1) * width) as Float32Array),
    present: present as Float32Array
  }
})

/** How many of the first rows fit in one prefill run, padded to the longest. */
const together = (rows: ReadonlyArray<Row>, piece: number): number => {
  let longest = 0
  const tooMany = rows.findIndex(({ ids }, i) => {
    longest = Math.max(longest, ids.length)
    return ids.length > piece || longest * (i + 1) > TOKENS
  })
  return tooMany < 0 ? rows.length : Math.max(1, tooMany)
}

/** Prefill of one row of the cache, piece by piece: its last logits. */
const readPieces = Effect.fnUntraced(
  function*(g: Generator, cache: KeyValueCache, { ids, pictures = [], places = [] }: Row, row: number) {
    let past: Past = new KeyValueCache(g.cache, 1, 1, onHost)
    for (let first = 0;; first += g.piece) {
      const piece = <A>(all: ReadonlyArray<A>) => all.slice(first, first + g.piece)
      const own = { ids: piece(ids), first, pictures, places: piece(places) }
      const { length, logits, present } = yield* forward(g, past, [own])
      cache.write(present, length, [first], row)
      if (first + g.piece >= ids.length) return logits[0]!
      past = { slots: cache.slots, feeds: cache.feedsOf(row, row + 1) }
    }
  }
)

/** Prefill of several rows of the cache at once, from `done` on: their last logits. */
const readTogether = (g: Generator, cache: KeyValueCache, rows: ReadonlyArray<Row>, done: number) => {
  const tokens = ([from, to]: Halving.Range) => (to - from) * longest(rows.slice(from, to))
  return Effect.map(
    g.prompts.each(rows.length, tokens, ([from, to]) =>
      Effect.map(
        forward(g, new KeyValueCache(g.cache, to - from, 1, onHost), rows.slice(from, to)),
        ({ length, logits, present }) => {
          cache.write(present, length, rows.slice(from, to).map(() => 0), done + from)
          return logits
        }
      )),
    (found) => found.flat()
  )
}

/** Prefill: runs the prompts, batching short ones. */
export const read = Effect.fnUntraced(function*(g: Generator, writings: ReadonlyArray<Writing>) {
  const cache = new KeyValueCache(g.cache, writings.length, slotsFor(writings), g.kept)
  const logits: Array<Float32Array> = []
  while (logits.length < writings.length) {
    const done = logits.length
    const rest = writings.slice(done).map(({ ids, pictures, places }) => ({ ids, first: 0, pictures, places }))
    if (rest[0]!.ids.length > g.piece) logits.push(yield* readPieces(g, cache, rest[0]!, done))
    else logits.push(...yield* readTogether(g, cache, rest.slice(0, together(rest, g.piece)), done))
  }
  return { cache, logits }
})

/** Runs one decoding step: adds the last token of each text to the cache, which must have room for it. */
export const advance = Effect.fnUntraced(
  function*(g: Generator, writings: ReadonlyArray<Writing>, cache: KeyValueCache) {
    const rows = writings.map(({ ids }) => ({ ids: ids.slice(-1), first: ids.length - 1 }))
    const positions = ([from, to]: Halving.Range) => (to - from) * cache.slots
    const found = yield* g.steps.each(rows.length, positions, ([from, to]) => {
      const own = rows.slice(from, to)
      return Effect.map(
        forward(g, { slots: cache.slots, feeds: cache.feedsOf(from, to) }, own),
        ({ logits, present }) => {
          cache.write(present, 1, own.map(({ first }) => first), from)
          return logits
        }
      )
    })
    return { cache, logits: found.flatMap((own) => own) }
  }
)

/** Adds a token to a text, of whose tokens the first `prompted` are its prompt's. */
export const add = (
  { ids, prompted, row, text }: Pick<Writing, "ids" | "prompted" | "row" | "text">,
  id: number,
  options: GenerationOptions
): Token => {
  if (options.eos.has(id)) return { row, id, text: text.end().text, finish: "eos" }
  ids.push(id)
  const piece = text.add(id)
  if (piece.stopped) return { row, id, text: piece.text, finish: "stop" }
  if (ids.length - prompted < options.max_new_tokens) return { row, id, text: piece.text, finish: undefined }
  return { row, id, text: piece.text + text.end().text, finish: "length" }
}

/** Chooses the next token of a text; overwrites the logits. */
const write = (own: Writing, logits: Float32Array, options: GenerationOptions): Token => {
  const { ids, key, prompted } = own
  return add(own, choose(logits, ids, options, () => Key.uniform(key, ids.length - prompted)), options)
}

/** Fails with why no token can be chosen. */
export const unwritable = (g: Generator, cause: string): Effect.Effect<never, SessionError> => {
  const { name } = g.program({ rows: 1, length: 1, slots: 1, features: 1 }).graph
  return Effect.fail(new SessionError({ reason: new RunFailed({ program: name, cause }) }))
}

/** Applies the constraints to the logits; fails if a text has no token left. */
export const writable = (
  g: Generator,
  writings: ReadonlyArray<Writing>,
  logits: ReadonlyArray<Float32Array>,
  o: GenerationOptions
) =>
  Effect.forEach(writings, ({ ids, prompted }, r) => {
    const own = logits[r]!
    constrain(own, ids, prompted, o.eos, o)
    const wrong = unusable(own)
    if (wrong === undefined) return Effect.void
    return unwritable(g, `${wrong}, after ${ids.length - prompted} tokens of text ${r + 1}`)
  }, { discard: true })

/** The next state: drops texts that do not go on, and makes room in the cache for the last tokens. */
export const proceed = <W extends Writing>(
  writings: ReadonlyArray<W>,
  goesOn: (r: number) => boolean,
  cache: KeyValueCache
): State<W> => {
  const rows = [...writings.keys()].filter(goesOn)
  const left = rows.map((r) => writings[r]!)
  const slots = slotsFor(left)
  if (rows.length === cache.rows && slots <= cache.slots) return { writings: left, cache }
  const resized = cache.resized(rows, slots)
  cache.release()
  return { writings: left, cache: resized }
}

/** A text that begins with a prompt. */
export const begin =
  (g: Generator, { stop_strings }: GenerationOptions) =>
  ({ ids, key, pictures = [], places = [] }: Prompt, row: number): Writing => ({
    row,
    key,
    ids: [...ids],
    prompted: ids.length,
    text: new TextStream(g.decode, stop_strings),
    pictures,
    places
  })

/** The tokens of all prompts, one step of each text at a time; `row` is the index of the prompt. */
export const generate = (
  g: Generator,
  prompts: ReadonlyArray<Prompt>,
  options: GenerationOptions
): Stream.Stream<Token, SessionError | PromptError> =>
  Stream.suspend(() => {
    const start: State = { writings: prompts.map(begin(g, options)), cache: undefined }
    return Stream.paginate(
      start,
      Effect.fnUntraced(function*(state) {
        const { writings } = state
        if (writings.length === 0) {
          state.cache?.release()
          return [[], Option.none<State>()] as const
        }
        const { cache, logits } = yield* state.cache ? advance(g, writings, state.cache) : read(g, writings)
        yield* writable(g, writings, logits, options)
        const tokens = writings.map((writing, r) => write(writing, logits[r]!, options))
        return [tokens, Option.some(proceed(writings, (r) => tokens[r]!.finish === undefined, cache))] as const
      })
    )
  })
