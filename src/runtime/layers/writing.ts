/** A decoder that writes: prompts in, tokens out as they come. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Key from "../../domain/Key.ts"
import { Settings } from "../../domain/RunConfig.ts"
import type { Decoder, DecoderConfig } from "../../kernels/nn/decoder.ts"
import { lazily } from "../engine/Programs.ts"
import { Session, type SessionError } from "../engine/Session.ts"
import type { Weights } from "../engine/Weights.ts"
import type { Token } from "../ports/Reader.ts"
import { generate } from "./generation.ts"
import * as GenerationConfig from "./generationConfig.ts"
import { cacheShape, generation } from "./generationGraphs.ts"
import type { Ends } from "./readerFolder.ts"
import type { Tokenizer } from "./tokenizer.ts"

/** A prompt and the question that it is about, under which its tokens are drawn. */
export interface Asked {
  readonly ids: ReadonlyArray<number>
  readonly about: string
}

export interface WritingOptions {
  readonly config: DecoderConfig
  readonly decoder: Decoder
  readonly ends: Ends
  readonly generation: GenerationConfig.GenerationConfig
  readonly tokenizer: Pick<Tokenizer, "decode">
  readonly weights: Weights
  /** Weights that move are fed to the program; others become part of it, when it is first needed. */
  readonly learns: boolean
}

export const make = Effect.fnUntraced(function*(o: WritingOptions) {
  const { config, decoder, ends, learns, tokenizer, weights } = o
  const settings = yield* Settings
  const session = yield* Session
  const options = { ...GenerationConfig.resolve(settings, o.generation), eos: ends.stops }
  const program = yield* lazily(
    Effect.suspend(() => session.open(generation(config, decoder), learns ? {} : weights.values()))
  )
  const key = Key.fold(Key.make(settings.seed), "write")
  const generator = {
    cache: cacheShape(config),
    weights: () => learns ? weights.values() : {},
    padding: ends.padding,
    decode: tokenizer.decode
  }
  return (asked: ReadonlyArray<Asked>, max_new_tokens: number): Stream.Stream<Token, SessionError> => {
    const prompts = asked.map(({ about, ids }) => ({ ids, key: Key.fold(key, about) }))
    return Stream.unwrap(
      Effect.map(program, (open) => generate({ ...generator, program: open }, prompts, { ...options, max_new_tokens }))
    )
  }
})
