/** Texts that several prompts write together: each next token is that of the greatest weighted sum of logits (JOMED's fusion). */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Key from "../../../domain/Key.ts"
import type { SessionError } from "../../engine/Session.ts"
import type { Fusion, Token } from "../../ports/LanguageModel.ts"
import type { PromptError } from "../chatTokens.ts"
import {
  add,
  advance,
  begin,
  type GenerationOptions,
  type Generator,
  proceed,
  type Prompt,
  read,
  type State,
  unwritable,
  writable,
  type Writing
} from "./generate.ts"
import { choose, greatest, unusable } from "./sampling.ts"
import { TextStream } from "./textStream.ts"

/** Σ weight · logits by token; prompts of weight 0 count for nothing, and a token that one prompt may not write is out of the question. */
export const fusedLogits = (
  logits: ReadonlyArray<Float32Array>,
  weights: ArrayLike<number>
): Float32Array => {
  const sums = new Float32Array(logits[0]!.length)
  logits.forEach((own, k) => {
    const weight = weights[k]!
    if (weight > 0) own.forEach((logit, id) => sums[id]! += weight * logit)
  })
  return sums
}

/** A text that prompts write together: its own tokens. */
interface Shared {
  readonly key: Key.Key
  readonly ids: Array<number>
  readonly text: TextStream
}

/** A prompt of a text, with what was written after it. */
interface Member extends Writing {
  readonly weight: number
}

/** The texts, of which none is generated whose prompts have no weight. */
const textsOf = (
  g: Generator,
  prompts: ReadonlyArray<Prompt>,
  { texts, weights }: Fusion,
  options: GenerationOptions
) => {
  const members = prompts.map((prompt, p): Member => ({ ...begin(g, options)(prompt, texts[p]!), weight: weights[p]! }))
    .filter(({ weight }) => weight > 0)
  const shared = new Map<number, Shared>()
  for (const { key, row } of members) {
    if (!shared.has(row)) shared.set(row, { key, ids: [], text: new TextStream(g.decode, options.stop_strings) })
  }
  return { members, shared }
}

/** The next token of a text whose prompts stand at `rows`; of `positions`, each prompt's own is added as well. */
const next = Effect.fnUntraced(function*(
  g: Generator,
  members: ReadonlyArray<Member>,
  rows: ReadonlyArray<number>,
  logits: ReadonlyArray<Float32Array>,
  own: Shared,
  by: Fusion["by"],
  options: GenerationOptions
) {
  const { row } = members[rows[0]!]!
  const sums = fusedLogits(rows.map((r) => logits[r]!), rows.map((r) => members[r]!.weight))
  const wrong = unusable(sums)
  if (wrong !== undefined) return yield* unwritable(g, `${wrong}, where readings of text ${row + 1} are fused`)
  const before = own.ids.length
  const known = rows.flatMap((r) => members[r]!.ids)
  const id = choose(sums, known, options, () => Key.uniform(own.key, before))
  const token = add({ ...own, prompted: 0, row }, id, options)
  for (const r of rows) members[r]!.ids.push(by === "lockstep" ? token.id : greatest(logits[r]!))
  return token
})

/**
 * The tokens of all texts, one step of each at a time. Constraints hold for each prompt's logits; a repetition penalty for their sum,
 * by the tokens of all prompts. With `positions` a prompt whose own text has ended is no longer summed, and a text ends, at the
 * latest, with the last of its prompts.
 */
export const generateFused = (
  g: Generator,
  prompts: ReadonlyArray<Prompt>,
  fusion: Fusion,
  options: GenerationOptions
): Stream.Stream<Token, SessionError | PromptError> =>
  Stream.suspend(() => {
    const { members, shared } = textsOf(g, prompts, fusion, options)
    const start: State<Member> = { writings: members, cache: undefined }
    return Stream.paginate(
      start,
      Effect.fnUntraced(function*(state) {
        const { writings } = state
        if (writings.length === 0) {
          state.cache?.release()
          return [[], Option.none<State<Member>>()] as const
        }
        const { cache, logits } = yield* state.cache ? advance(g, writings, state.cache) : read(g, writings)
        yield* writable(g, writings, logits, options)
        const byText = [...Map.groupBy(writings.keys(), (r) => writings[r]!.row)]
        const tokens = yield* Effect.forEach(byText, ([row, rows]) =>
          next(g, writings, rows, logits, shared.get(row)!, fusion.by, options))
        const ended = new Set(tokens.flatMap(({ finish, row }) =>
          finish === undefined ? [] : [row]
        ))
        const goesOn = (r: number) => !ended.has(writings[r]!.row) && !options.eos.has(writings[r]!.ids.at(-1)!)
        const left = proceed(writings, goesOn, cache)
        const going = new Set(left.writings.map(({ row }) => row))
        const last = ({ id, row, text }: Token): Token => {
          const rest = shared.get(row)!.text.end().text
          return { row, id, text: text + rest, finish: "eos" }
        }
        const told = tokens.map((own) => own.finish !== undefined || going.has(own.row) ? own : last(own))
        return [told, Option.some(left)] as const
      })
    )
  })
