/** A decoder that reads: its weights, its prompts and the programs over them. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Generation } from "../../domain/settings/generation.ts"
import type { ModelSettings } from "../../domain/settings/model.ts"
import { LEAST_SHIFTED, type Prompting } from "../../domain/settings/prompting.ts"
import type { Training } from "../../domain/settings/training.ts"
import { causalLm } from "../../kernels/nn/decoder.ts"
import { cached, powerOfTwo } from "../engine/Programs.ts"
import * as ModelFolder from "../models/folder.ts"
import * as Model from "../models/load.ts"
import { loraOf } from "../models/lora.ts"
import { optimizerOf, storedAs } from "../models/training.ts"
import { Passages } from "../ports/Passages.ts"
import { type Asked, ContextOverflow, type ToWrite } from "../ports/Reader.ts"
import { answering, contextOf } from "./answering.ts"
import * as ReaderFolder from "./folder.ts"
import * as Writing from "./generation/writing.ts"
import * as Graphs from "./graphs.ts"
import { pack } from "./pack.ts"
import * as Prompt from "./prompt.ts"

/** Tokens a scoring program takes at once, about. */
const TOKENS = 4096

/** Consecutive groups of at most `size`. */
const groupsOf = <A>(items: ReadonlyArray<A>, size: number): ReadonlyArray<ReadonlyArray<A>> =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size))

/** Sums or means of token likelihoods by the part each token belongs to. */
export const byPart = (
  sequence: Prompt.Sequence,
  nll: (i: number) => number,
  parts: number,
  how: Generation["option_score"]
): Float32Array => {
  const [sums, counts] = [new Float64Array(parts), new Float64Array(parts)]
  sequence.supervised.forEach(({ part }, i) => {
    if (part < 0) return
    sums[part]! += nll(i)
    counts[part]! += 1
  })
  return Float32Array.from(sums, (sum, part) => how === "sum" ? sum : sum / counts[part]!)
}

type Shape = [rows: number, length: number, supervised: number]
const shapeOf = ([rows, length, supervised]: Shape): Graphs.PackShape => ({ rows, length, supervised })

/** A reader's share of the settings. */
export interface ReaderSettings {
  readonly model: ModelSettings
  readonly training: Training
  readonly prompting: Prompting
  readonly generation: Generation
}

/** `learns` tells whether the parameters may move. */
export const make = Effect.fnUntraced(function*(settings: ReaderSettings, learns: boolean) {
  const { generation, model: own, prompting, training } = settings
  const { texts } = yield* Passages
  const opened = yield* ReaderFolder.open(own.name_or_path, prompting)
  const { ends, folder, tokenizer, wrap } = opened
  /** A multiple of 8, as shifted attention takes it. */
  const most = Math.ceil(prompting.max_length / 8) * 8
  const shifted = learns && !prompting.use_full_attn && most >= LEAST_SHIFTED
  if (shifted) yield* ModelFolder.shifts(folder, opened.config)
  const { based, config, module: decoder, weights } = yield* Model.load(opened, causalLm, {
    seed: training.seed,
    lora: learns ? loraOf(own) : undefined,
    learns: () => learns,
    stored: learns ? storedAs(own) : undefined,
    slots: optimizerOf(training).slots,
    draws: learns,
    task: "CAUSAL_LM"
  })
  const prompts = Prompt.make({ config: prompting, generation, tokenizer, texts, wrap, end: ends.end })
  const score = yield* cached((shape: Shape) => Graphs.score(decoder, shapeOf(shape)))
  const continued = yield* Writing.make({
    ...opened,
    settings: generation,
    seed: training.seed,
    config,
    decoder,
    weights,
    learns
  })
  const padded = { padding: ends.padding, most }

  /** For each sequence, the likelihood of each of its parts; longest sequences first, so that like meets like. */
  const likelihoods = Effect.fnUntraced(function*(
    sequences: ReadonlyArray<Prompt.Sequence>,
    parts: ReadonlyArray<number>,
    how: Generation["option_score"]
  ) {
    const results: Array<Float32Array> = []
    const order = [...sequences.keys()].toSorted((a, b) => sequences[b]!.ids.length - sequences[a]!.ids.length || a - b)
    const most = Math.max(1, Math.floor(TOKENS / (sequences[order[0]!]?.ids.length ?? 1)))
    for (const group of groupsOf(order, 2 ** Math.floor(Math.log2(most)))) {
      const own = group.map((i) => sequences[i]!)
      const { data, places, shape } = pack(own, { rows: powerOfTwo(group.length), all: false, ...padded })
      const { nll } = yield* score([shape.rows, shape.length, shape.supervised], { ...weights.values(), ...data })
      group.forEach((i, r) => results[i] = byPart(own[r]!, (t) => nll![places[r]![t]!]!, parts[i]!, how))
    }
    return results
  })

  type Contextual = Asked & { readonly context: Int32Array }
  /** A prompt for each question, as `prompt` makes it of its passages; none for one that is too long to be asked. */
  const each = <A, E>(
    asked: Contextual,
    prompt: (docs: Int32Array, question: string, options: ReadonlyArray<string>, q: number) => Effect.Effect<A, E>
  ) =>
    Effect.map(
      Effect.forEach(asked.questions, (question, q) =>
        prompt(contextOf(asked, q), question, asked.options[q]!, q).pipe(
          Effect.map((made) => [{ q, made }]),
          Effect.catchIf(
            (error) => prompting.excess_length === "skip" && error instanceof ContextOverflow,
            () => Effect.succeed([])
          )
        )),
      (prompts) => prompts.flat()
    )

  const likeliest = Effect.fnUntraced(function*(asked: Contextual) {
    const prompted = yield* each(asked, prompts.choices)
    const counts = prompted.map(({ q }) => asked.options[q]!.length)
    const scores = yield* likelihoods(prompted.map(({ made }) => made), counts, generation.option_score)
    const found = new Map(prompted.map(({ q }, i) => [q, scores[i]!.indexOf(Math.min(...scores[i]!))]))
    return asked.questions.map((_, q) => found.get(q) ?? -1)
  })
  const write = (asked: ToWrite) =>
    Stream.unwrap(Effect.gen(function*() {
      const { explain, questions } = asked
      const all = yield* (explain
        ? each(asked, (docs, question, options, q) => prompts.explain(docs, question, options, explain[q]!))
        : each(asked, prompts.open))
      /** What was not answered is not explained. */
      const prompted = all.filter(({ q }) => explain?.[q] !== "")
      const most = explain ? generation.rationale_max_new_tokens : generation.max_new_tokens
      const tokens = continued(prompted.map(({ made, q }) => ({ ids: made, about: questions[q]! })), most)
      return Stream.map(tokens, (token) => ({ ...token, row: prompted[token.row]!.q }))
    }))

  return {
    decoder,
    weights,
    based,
    prompts,
    padded,
    files: yield* ModelFolder.companions(folder),
    nll: Effect.fnUntraced(function*(
      { answers, docs, options, questions }: Asked & {
        readonly answers: ReadonlyArray<string>
        readonly docs: Int32Array
      }
    ) {
      const m = docs.length / questions.length
      const asked = Array.from(docs, (doc, i) => ({ q: Math.floor(i / m), doc }))
      const distinct = new Map(asked.map((one) => [`${one.q},${one.doc}`, one]))
      const sequences = yield* Effect.forEach(
        distinct.values(),
        ({ doc, q }) => prompts.lesson([doc], questions[q]!, options[q]!, answers[q]!, 0)
      )
      const nll = yield* likelihoods(sequences, sequences.map(() => 1), "mean")
      const found = new Map([...distinct.keys()].map((name, i) => [name, nll[i]![0]!]))
      return Float32Array.from(asked, ({ doc, q }) => found.get(`${q},${doc}`)!)
    }),
    write,
    answer: answering({ likeliest, write }, { ...prompting, ...generation })
  }
})
/** A reader with its weights, prompts and programs. */
export type ReaderModel = Effect.Success<ReturnType<typeof make>>
