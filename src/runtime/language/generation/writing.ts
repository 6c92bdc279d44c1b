/** A decoder that writes: prompts in, tokens out as they come. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Key from "../../../domain/Key.ts"
import type { Generation } from "../../../domain/settings/generation.ts"
import { cacheShape } from "../../../kernels/nn/cache.ts"
import type { Decoder, DecoderConfig } from "../../../kernels/nn/decoder.ts"
import { lazily } from "../../engine/Programs.ts"
import { Session, type SessionError } from "../../engine/Session.ts"
import type { Weights } from "../../engine/Weights.ts"
import type { GenerationConfig } from "../../files/config/generation.ts"
import { ModelRefused, type Token } from "../../ports/LanguageModel.ts"
import type { Tokenizer } from "../../tokenizers/tokenizer.ts"
import type { Ends } from "../folder.ts"
import * as Decoding from "./decoding.ts"
import { generate } from "./generate.ts"
import { generation } from "./graphs.ts"

/** A prompt as tokens, and the texts under which its continuation is drawn. */
export interface Asked {
  readonly ids: ReadonlyArray<number>
  readonly about: ReadonlyArray<string>
}

/** What a decoder writes with. */
export interface WritingOptions {
  /** What the model is called. */
  readonly model: string
  readonly settings: Generation
  readonly seed: number
  readonly config: DecoderConfig
  readonly decoder: Decoder
  readonly ends: Ends
  readonly generation: GenerationConfig
  readonly tokenizer: Pick<Tokenizer, "decode">
  readonly weights: Weights
  /** Weights that move are fed to the program; others become part of it, when it is first needed. */
  readonly learns: boolean
}

/** Why nothing is written: the folder asks for a way to write that is none of ours. */
export const refusal = (
  settings: Generation,
  generation: GenerationConfig
): ModelRefused | undefined => {
  const foreign = Decoding.foreign(settings, generation)
  if (foreign.length === 0) return undefined
  const others = Object.keys(generation.known).filter((key) => key !== "eos_token_id")
  const beside = others.length > 0 ? ` (${others.join(", ")} ${others.length === 1 ? "is" : "are"})` : ""
  const reason = `${foreign.join(", ")}: how tokens are chosen so is not known here${beside}; take it out of the file`
  return new ModelRefused({ path: generation.path, place: "", reason })
}

/** The writer of a decoder; its program is opened when the first text is asked for. */
export const make = Effect.fnUntraced(function*(o: WritingOptions) {
  const { config, decoder, ends, learns, seed, settings, tokenizer, weights } = o
  const session = yield* Session
  const options = { ...Decoding.resolve(settings, o.generation), eos: ends.stops }
  const refused = refusal(settings, o.generation)
  const program = yield* lazily(
    Effect.suspend(() =>
      session.open(generation(config, decoder, o.model), learns ? {} : weights.values(), weights.frozen())
    )
  )
  const key = Key.fold(Key.make(seed), "write")
  const generator = {
    cache: cacheShape(config),
    weights: () => learns ? weights.values() : {},
    padding: ends.padding,
    decode: tokenizer.decode
  }
  return (asked: ReadonlyArray<Asked>, max_new_tokens: number): Stream.Stream<Token, SessionError | ModelRefused> => {
    if (asked.length === 0) return Stream.empty
    if (refused) return Stream.fail(refused)
    const prompts = asked.map(({ about, ids }) => ({ ids, key: Key.fold(key, ...about) }))
    return Stream.unwrap(
      Effect.map(program, (open) => generate({ ...generator, program: open }, prompts, { ...options, max_new_tokens }))
    )
  }
})
