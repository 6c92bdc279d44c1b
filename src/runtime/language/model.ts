/** A decoder with its weights, prompts as tokens, and programs. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { type Chat, textOf } from "../../domain/Content.ts"
import type { Generation } from "../../domain/settings/generation.ts"
import type { ModelSettings } from "../../domain/settings/model.ts"
import type { Pictures } from "../../domain/settings/pictures.ts"
import { LEAST_SHIFTED, type Prompting } from "../../domain/settings/prompting.ts"
import type { Training } from "../../domain/settings/training.ts"
import { onPatches } from "../../kernels/nn/pictures/reader.ts"
import type { SessionError } from "../engine/Session.ts"
import type { Weights } from "../engine/Weights.ts"
import * as ModelFolder from "../models/folder.ts"
import * as Model from "../models/load.ts"
import { quantisationOf, tellWidened } from "../models/quantisation.ts"
import { optimizerOf, storedAs } from "../models/training.ts"
import * as Features from "../pictures/features.ts"
import type { Shown } from "../pictures/reading.ts"
import {
  ContextOverflow,
  type Described,
  type Reduction,
  type TokenRow,
  type Verdicts,
  type WriteOptions,
  yielding
} from "../ports/LanguageModel.ts"
import * as Attention from "./attention.ts"
import type { PromptError } from "./chatTokens.ts"
import type { Look } from "./features.ts"
import * as Folder from "./folder.ts"
import * as Writing from "./generation/writing.ts"
import type { PreferenceTerms } from "./graphs.ts"
import * as Parts from "./ownParts.ts"
import * as Scoring from "./scoring.ts"
import * as Sequences from "./sequences.ts"

/** MiB of features that are kept where the settings do not say. */
const FEATURES = 512

/** How the features of pictures are had, from where they are computed. */
const lookOf = ({ features, inputs, unit, width }: Features.Seeing) => (pictures: ReadonlyArray<Shown>) =>
  Effect.map(features(pictures), (found): Look => ({ width, unit, inputs, of: ({ hash }) => found.get(hash)! }))

/** Has the features of sequences' pictures at hand; nothing for a model that reads none. */
const lookAtBy = (seeing: Features.Seeing | undefined) => {
  const look = seeing && lookOf(seeing)
  return (all: ReadonlyArray<Pick<Sequences.Sequence, "pictures">>) =>
    look ? look(all.flatMap(({ pictures = [] }) => pictures)) : Effect.succeed(undefined)
}

/** The settings of a language model. */
export interface LanguageModelSettings {
  /** Its name in checkpoints, tables and errors: "reader". */
  readonly name: string
  readonly model: ModelSettings
  readonly training: Training
  readonly prompting: Pick<
    Prompting,
    "apply_chat_template" | "excess_length" | "lm_loss_weight" | "max_length" | "use_full_attn"
  >
  readonly generation: Generation
  /** How pictures are read, by a model that does; by default the projector is not trained. */
  readonly pictures?: Partial<Pictures>
  /** How preferences are learned from; needed for `prefer`. */
  readonly preference?: PreferenceTerms
  /** How many updates old the weights of `earlier` may be; without it there are none. */
  readonly lag?: number
  /** Whether updates on tokens and preferences tell of tokens more than their likelihoods; not by default. */
  readonly told?: boolean
}

type Failed = SessionError | PromptError

/** `learns`: whether the parameters are trainable. */
export const make = Effect.fnUntraced(function*(settings: LanguageModelSettings, learns: boolean) {
  const { generation, model: own, prompting, training } = settings
  const opened = yield* Folder.open(own.name_or_path, prompting)
  const { ends, folder, tokenizer, wrap } = opened
  /** Rounded up to a multiple of 8, as required by shifted sparse attention. */
  const most = Math.ceil(prompting.max_length / 8) * 8
  const shifted = learns && !prompting.use_full_attn && most >= LEAST_SHIFTED
  if (shifted) yield* ModelFolder.shifts(folder, opened.config)
  const parts = yield* Parts.ownParts(opened, settings, learns)
  const loading = Parts.loadingOf(opened.config, opened.pictures, parts.own)
  const { based, config, module: decoder, weights } = yield* Model.load(
    { ...opened, loading },
    Parts.building(opened.pictures, parts.own),
    {
      seed: training.seed,
      lora: learns ? parts.lora : undefined,
      learns: (path) => learns && parts.trained.includes(parts.part(path)),
      stored: learns ? storedAs(own) : undefined,
      quantisation: quantisationOf(own),
      slots: optimizerOf(training).slots,
      draws: learns,
      task: "CAUSAL_LM"
    }
  )
  if (learns) yield* Parts.towerLearns(opened, settings, parts, weights.trainable)
  const features = opened.pictures && (yield* Features.open(opened.pictures, {
    memory: settings.pictures?.features_in_memory ?? FEATURES,
    seed: training.seed,
    learns,
    own: parts.own,
    projects: parts.trained.includes("connector")
  }))
  /** What of pictures the decoder is fed under weights of the model. */
  const under = (weights: Weights) => features ? features.under(decoder, weights) : Effect.succeed(undefined)
  const seeing = yield* under(weights)
  const look = seeing && lookOf(seeing)
  if (own.quantization === "none" && (based || !learns)) yield* tellWidened(opened, `${own.prefix}quantization`)
  const { max_length } = prompting
  const sequences = Sequences.make({ tokenizer, wrap, max_length, end: ends.end, sight: features?.sight, folder })
  const continued = yield* Writing.make({
    ...opened,
    model: settings.name,
    settings: generation,
    seed: training.seed,
    config,
    decoder,
    weights,
    learns,
    width: seeing?.width ?? 0,
    look,
    rounds: own.quantization_activations === "int8"
  })
  const padded = { padding: ends.padding, most }
  const judged = {
    model: settings.name,
    decoder,
    config,
    weights,
    look: lookAtBy(seeing),
    width: seeing?.width ?? 0,
    ...padded
  }
  const { described, likelihoods } = yield* Scoring.make(judged)
  /** Rows of tokens as sequences. */
  const rowsOf = (texts: ReadonlyArray<TokenRow>) => Effect.forEach(texts, (row) => sequences.row(row, () => 1))

  /** What is said of answers to prompts; identical sequences are scored once. */
  const verdictsOf = (
    likelihoods: Scoring.Scoring["likelihoods"],
    attended: Attention.Attending
  ): Verdicts<Failed> => ({
    nll: Effect.fnUntraced(function*(prompts: ReadonlyArray<Chat>, continuations: ReadonlyArray<string>) {
      const all = yield* Effect.forEach(prompts, (prompt, p) => sequences.one(prompt, continuations[p]!, 0))
      const keys = all.map(({ ids, pictures = [], supervised }) =>
        [supervised.length, ...ids, ...pictures.map(({ hash }) => hash)].join(" ")
      )
      const distinct = new Map(keys.map((key, i) => [key, all[i]!]))
      const found = yield* likelihoods([...distinct.values()], Array<number>(distinct.size).fill(1), "mean")
      const places = new Map([...distinct.keys()].map((key, i) => [key, i]))
      return Float32Array.from(keys, (key) => found[places.get(key)!]![0]!)
    }),
    attention: Effect.fnUntraced(function*(prompts: ReadonlyArray<Chat>, continuations: ReadonlyArray<string>) {
      const all = yield* Effect.forEach(prompts, (prompt, p) => sequences.parted(prompt, continuations[p]!))
      return yield* attended(all, prompts.map(yielding))
    })
  })

  /** Applies `make` to each prompt; overlong prompts are dropped if the settings say "skip". */
  const each = <A>(
    prompts: ReadonlyArray<Chat>,
    make: (prompt: Chat, p: number) => Effect.Effect<A, PromptError>
  ): Effect.Effect<ReadonlyArray<{ readonly p: number; readonly made: A }>, PromptError> =>
    Effect.map(
      Effect.forEach(prompts, (prompt, p) =>
        make(prompt, p).pipe(
          Effect.map((made) => [{ p, made }]),
          Effect.catchIf(
            (error) => prompting.excess_length === "skip" && error instanceof ContextOverflow,
            () => Effect.succeed([])
          )
        )),
      (made) => made.flat()
    )

  return {
    decoder,
    weights,
    based,
    sequences,
    padded,
    /** The decoder of training steps, and what of pictures these are fed. */
    taught: {
      decoder: parts.own.includes("tower") ? onPatches(decoder) : decoder,
      look: lookAtBy(features?.taught),
      width: features?.taught.width ?? 0
    },
    files: yield* ModelFolder.companions(folder),
    /** The folder's tensors that are none of the decoder's. */
    beside: features?.stored ?? (new Map() as Features.Features["stored"]),
    ...verdictsOf(likelihoods, yield* Attention.make(judged)),
    /** The same under other weights of the model. */
    verdicts: Effect.fnUntraced(function*(weights: Weights) {
      const others = { ...judged, weights, look: lookAtBy(yield* under(weights)) }
      return verdictsOf((yield* Scoring.make(others)).likelihoods, yield* Attention.make(others))
    }),
    rank: Effect.fnUntraced(function*(
      prompts: ReadonlyArray<Chat>,
      continuations: ReadonlyArray<ReadonlyArray<string>>,
      reduction: Reduction,
      end: "eos" | "open" = "eos"
    ) {
      const asked = yield* each(prompts, (prompt, p) => sequences.several(prompt, continuations[p]!, end))
      const parts = asked.map(({ p }) => continuations[p]!.length)
      const found = yield* likelihoods(asked.map(({ made }) => made), parts, reduction)
      const scores: Array<Float32Array> = prompts.map(() => new Float32Array(0))
      asked.forEach(({ p }, i) => scores[p] = found[i]!)
      return scores
    }),
    logLikelihood: Effect.fnUntraced(function*(texts: ReadonlyArray<TokenRow>) {
      const all = yield* rowsOf(texts)
      const found = yield* likelihoods(all, all.map(() => 1), "sum")
      return Float32Array.from(found, ([nll]) => -nll!)
    }),
    describe: (texts: ReadonlyArray<TokenRow>) =>
      Effect.map(
        Effect.flatMap(rowsOf(texts), described),
        ({ nll, ...sums }): Described => ({ logLikelihood: nll.map((own) => -own), ...sums })
      ),
    write: (prompts: ReadonlyArray<Chat>, { decoding, fusion, key = "", max_new_tokens }: WriteOptions) =>
      Stream.unwrap(Effect.gen(function*() {
        const asked = yield* each(prompts, (prompt) => sequences.open(prompt, max_new_tokens))
        const about = (p: number, pictures: ReadonlyArray<Shown>) => [
          key,
          ...prompts[p]!.map(({ content }) => textOf(content)),
          ...pictures.map(({ hash }) => hash)
        ]
        const texts = asked.map(({ made, p }) => ({ ...made, about: about(p, made.pictures) }))
        if (!fusion) {
          const tokens = continued(texts, max_new_tokens, decoding)
          return Stream.map(tokens, (token) => ({ ...token, row: asked[token.row]!.p }))
        }
        return continued(texts, max_new_tokens, decoding, {
          texts: asked.map(({ p }) => fusion.texts[p]!),
          weights: asked.map(({ p }) => fusion.weights[p]!),
          by: fusion.by
        })
      }))
  }
})
/** A decoder with its weights and programs. */
export type Decoding = Effect.Success<ReturnType<typeof make>>
