/** Text generation with a decoder: prompts in, a stream of tokens out. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Key from "../../../domain/Key.ts"
import type { Generation } from "../../../domain/settings/generation.ts"
import { cacheShape } from "../../../kernels/nn/cache.ts"
import type { Decoder, DecoderConfig } from "../../../kernels/nn/decoder.ts"
import { lazily } from "../../engine/Programs.ts"
import { Session, type SessionError } from "../../engine/Session.ts"
import { isQuantised, type Weights } from "../../engine/Weights.ts"
import type { GenerationConfig } from "../../files/config/generation.ts"
import { type Fusion, ModelRefused, type Token } from "../../ports/LanguageModel.ts"
import type { Tokenizer } from "../../tokenizers/tokenizer.ts"
import type { PromptError } from "../chatTokens.ts"
import type { Ends } from "../folder.ts"
import * as Decoding from "./decoding.ts"
import { generateFused } from "./fused.ts"
import { batches, generate, type Generator, type Prompt } from "./generate.ts"
import { generation } from "./graphs.ts"

/** A tokenised prompt, and the texts that form its sampling key. */
export interface Asked extends Partial<Pick<Prompt, "pictures" | "places">> {
  readonly ids: ReadonlyArray<number>
  readonly about: ReadonlyArray<string>
}

/** What a decoder needs to generate. */
export interface WritingOptions {
  /** The model's name. */
  readonly model: string
  readonly settings: Generation
  readonly seed: number
  readonly config: DecoderConfig
  readonly decoder: Decoder
  readonly ends: Ends
  readonly generation: GenerationConfig
  readonly tokenizer: Pick<Tokenizer, "decode">
  readonly weights: Weights
  /** Trainable weights are fed to the program; frozen ones become part of it on first use. */
  readonly learns: boolean
  /** Size of a row of pictures' features, 0 for a model that reads none; and how those of pictures are had. */
  readonly width: number
  readonly look: NonNullable<Generator["look"]> | undefined
  /** Whether operands of quantised matrices are rounded (see `Graph`). */
  readonly rounds: boolean
}

/**
 * What is part of a program while the model learns: quantised weights with all else that is frozen. Packed once, they
 * are small, and not widened anew for every token.
 */
const within = (weights: Weights): ReturnType<Weights["frozen"]> => isQuantised(weights) ? weights.frozen() : {}

/** The error for a folder that requires unsupported decoding; `undefined` if it does not. */
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

/** A generator of text for a decoder; its program is compiled on first use. */
export const make = Effect.fnUntraced(function*(o: WritingOptions) {
  const { config, decoder, ends, learns, seed, settings, tokenizer, weights } = o
  const session = yield* Session
  /** How tokens are chosen under the settings, or the reason why it is not known here. */
  const decoded = (decoding: Partial<Generation>) => {
    const own = { ...settings, ...decoding }
    return refusal(own, o.generation) ?? { ...Decoding.resolve(own, o.generation), eos: ends.stops }
  }
  const usual = decoded({})
  const program = yield* lazily(
    Effect.suspend(() =>
      session.open(
        generation(config, decoder, o.model, o.rounds, o.width),
        learns ? within(weights) : weights.values(),
        weights.frozen()
      )
    )
  )
  const key = Key.fold(Key.make(seed), "write")
  const generator = {
    cache: cacheShape(config),
    kept: session.kept,
    weights: () => learns ? weights.values() : {},
    padding: ends.padding,
    decode: tokenizer.decode,
    ...(o.look ? { look: o.look } : {}),
    ...batches(o.model)
  }
  return (
    asked: ReadonlyArray<Asked>,
    max_new_tokens: number,
    decoding?: Partial<Generation>,
    fusion?: Fusion
  ): Stream.Stream<Token, SessionError | PromptError> => {
    if (asked.length === 0) return Stream.empty
    const options = decoding === undefined ? usual : decoded(decoding)
    if (options instanceof ModelRefused) return Stream.fail(options)
    const prompts = asked.map(({ about, ...own }) => ({ ...own, key: Key.fold(key, ...about) }))
    return Stream.unwrap(
      Effect.map(program, (open) => {
        const own = { ...generator, program: open }
        const all = { ...options, max_new_tokens }
        return fusion ? generateFused(own, prompts, fusion, all) : generate(own, prompts, all)
      })
    )
  }
})
