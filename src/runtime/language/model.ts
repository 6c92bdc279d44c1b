/** A decoder with its weights, prompts as tokens, and programs. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { type Chat, textOf } from "../../domain/Content.ts"
import type { Generation } from "../../domain/settings/generation.ts"
import type { ModelSettings } from "../../domain/settings/model.ts"
import { LEAST_SHIFTED, type Prompting } from "../../domain/settings/prompting.ts"
import type { Training } from "../../domain/settings/training.ts"
import { causalLm } from "../../kernels/nn/decoder.ts"
import * as Halving from "../engine/halving.ts"
import { cached, powerOfTwo } from "../engine/Programs.ts"
import * as ModelFolder from "../models/folder.ts"
import * as Model from "../models/load.ts"
import { loraOf } from "../models/lora.ts"
import { quantisationOf, tellWidened } from "../models/quantisation.ts"
import { optimizerOf, storedAs } from "../models/training.ts"
import { ContextOverflow, type Reduction, type WriteOptions } from "../ports/LanguageModel.ts"
import type { PromptError } from "./chatTokens.ts"
import * as Folder from "./folder.ts"
import * as Writing from "./generation/writing.ts"
import * as Graphs from "./graphs.ts"
import { pack } from "./pack.ts"
import * as Sequences from "./sequences.ts"

/** Approximate number of tokens per scoring run. */
const TOKENS = 4096

/** Consecutive groups of at most `size`. */
const groupsOf = <A>(items: ReadonlyArray<A>, size: number): ReadonlyArray<ReadonlyArray<A>> =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size))

/** Sum or mean of the tokens' negative log-likelihoods for each part of a sequence. */
export const byPart = (
  sequence: Sequences.Sequence,
  nll: (i: number) => number,
  parts: number,
  reduction: Reduction
): Float32Array => {
  const [sums, counts] = [new Float64Array(parts), new Float64Array(parts)]
  sequence.supervised.forEach(({ part }, i) => {
    if (part < 0) return
    sums[part]! += nll(i)
    counts[part]! += 1
  })
  return Float32Array.from(sums, (sum, part) => reduction === "sum" ? sum : sum / counts[part]!)
}

type Shape = [rows: number, length: number, supervised: number]
const shapeOf = ([rows, length, supervised]: Shape): Graphs.PackShape => ({ rows, length, supervised })

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
}

/** `learns`: whether the parameters are trainable. */
export const make = Effect.fnUntraced(function*(settings: LanguageModelSettings, learns: boolean) {
  const { generation, model: own, prompting, training } = settings
  const opened = yield* Folder.open(own.name_or_path, prompting)
  const { ends, folder, tokenizer, wrap } = opened
  /** Rounded up to a multiple of 8, as required by shifted sparse attention. */
  const most = Math.ceil(prompting.max_length / 8) * 8
  const shifted = learns && !prompting.use_full_attn && most >= LEAST_SHIFTED
  if (shifted) yield* ModelFolder.shifts(folder, opened.config)
  const { based, config, module: decoder, weights } = yield* Model.load(opened, causalLm, {
    seed: training.seed,
    lora: learns ? loraOf(own) : undefined,
    learns: () => learns,
    stored: learns ? storedAs(own) : undefined,
    quantisation: quantisationOf(own),
    slots: optimizerOf(training).slots,
    draws: learns,
    task: "CAUSAL_LM"
  })
  if (own.quantization === "none" && (based || !learns)) yield* tellWidened(opened, `${own.prefix}quantization`)
  const sequences = Sequences.make({ tokenizer, wrap, max_length: prompting.max_length, end: ends.end })
  const score = yield* cached((shape: Shape) => Graphs.score(decoder, shapeOf(shape), settings.name), {
    fixed: weights.frozen
  })
  const continued = yield* Writing.make({
    ...opened,
    model: settings.name,
    settings: generation,
    seed: training.seed,
    config,
    decoder,
    weights,
    learns,
    rounds: own.quantization_activations === "int8"
  })
  const padded = { padding: ends.padding, most }
  const scoring = Halving.make(`${settings.name}.score`, "tokens")

  /** For each sequence, the negative log-likelihood of its i-th supervised token; in one run. */
  const scored = Effect.fnUntraced(function*(own: ReadonlyArray<Sequences.Sequence>) {
    const { data, places, shape } = pack(own, { rows: powerOfTwo(own.length), all: false, ...padded })
    const { nll } = yield* score([shape.rows, shape.length, shape.supervised], { ...weights.values(), ...data })
    return places.map((place) => (i: number) => nll![place[i]!]!)
  })

  /**
   * The negative log-likelihoods of each sequence's parts. Sequences are sorted by descending length, so that those in
   * a batch have similar lengths.
   */
  const likelihoods = Effect.fnUntraced(function*(
    all: ReadonlyArray<Sequences.Sequence>,
    parts: ReadonlyArray<number>,
    reduction: Reduction
  ) {
    const results: Array<Float32Array> = []
    const order = [...all.keys()].toSorted((a, b) => all[b]!.ids.length - all[a]!.ids.length || a - b)
    const most = Math.max(1, Math.floor(TOKENS / (all[order[0]!]?.ids.length ?? 1)))
    for (const group of groupsOf(order, 2 ** Math.floor(Math.log2(most)))) {
      const own = group.map((i) => all[i]!)
      const tokens = ([from, to]: Halving.Range) => powerOfTwo(to - from) * own[from]!.ids.length
      const found = yield* scoring.each(own.length, tokens, (range) => scored(own.slice(...range)))
      const nlls = found.flatMap((rows) => rows)
      group.forEach((i, r) => results[i] = byPart(own[r]!, nlls[r]!, parts[i]!, reduction))
    }
    return results
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
    files: yield* ModelFolder.companions(folder),
    /** Identical sequences are scored once. */
    nll: Effect.fnUntraced(function*(prompts: ReadonlyArray<Chat>, continuations: ReadonlyArray<string>) {
      const all = yield* Effect.forEach(prompts, (prompt, p) => sequences.one(prompt, continuations[p]!, 0))
      const keys = all.map(({ ids, supervised }) => `${supervised.length} ${ids.join(" ")}`)
      const distinct = new Map(keys.map((key, i) => [key, all[i]!]))
      const found = yield* likelihoods([...distinct.values()], Array<number>(distinct.size).fill(1), "mean")
      const places = new Map([...distinct.keys()].map((key, i) => [key, i]))
      return Float32Array.from(keys, (key) => found[places.get(key)!]![0]!)
    }),
    rank: Effect.fnUntraced(function*(
      prompts: ReadonlyArray<Chat>,
      continuations: ReadonlyArray<ReadonlyArray<string>>,
      reduction: Reduction
    ) {
      const asked = yield* each(prompts, (prompt, p) => sequences.several(prompt, continuations[p]!))
      const parts = asked.map(({ p }) => continuations[p]!.length)
      const found = yield* likelihoods(asked.map(({ made }) => made), parts, reduction)
      const scores: Array<Float32Array> = prompts.map(() => new Float32Array(0))
      asked.forEach(({ p }, i) => scores[p] = found[i]!)
      return scores
    }),
    write: (prompts: ReadonlyArray<Chat>, { key = "", max_new_tokens }: WriteOptions) =>
      Stream.unwrap(Effect.gen(function*() {
        const asked = yield* each(prompts, (prompt) => sequences.open(prompt, max_new_tokens))
        const about = (p: number) => [key, ...prompts[p]!.map(({ content }) => textOf(content))]
        const tokens = continued(asked.map(({ made, p }) => ({ ids: made, about: about(p) })), max_new_tokens)
        return Stream.map(tokens, (token) => ({ ...token, row: asked[token.row]!.p }))
      }))
  }
})
/** A decoder with its weights and programs. */
export type Decoding = Effect.Success<ReturnType<typeof make>>
