/** What a language model answers to a task's records, in batches. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import * as Stream from "effect/Stream"
import type { GenerativeTask } from "../../../domain/benchmarks/generativeTask.ts"
import { textOf } from "../../../domain/Content.ts"
import { ConfigError } from "../../../domain/settings/configure.ts"
import type { Generation } from "../../../domain/settings/generation.ts"
import type { RunConfig } from "../../../domain/settings/RunConfig.ts"
import { averaged, type Ordered } from "../../../domain/verdicts/orders.ts"
import * as ReaderFolder from "../../../runtime/language/folder.ts"
import * as Sequences from "../../../runtime/language/sequences.ts"
import { LanguageModel } from "../../../runtime/ports/LanguageModel.ts"
import { Reporter } from "../../../runtime/ports/Reporter.ts"
import { evalBatch } from "../../costs/evalBatch.ts"
import type { Asked } from "./asked.ts"

/** What a record was answered: texts, or the log-likelihoods of its choices, in nats. */
export interface Answered {
  readonly texts: ReadonlyArray<string>
  readonly likelihoods: ReadonlyArray<number>
  /** What the orders of its options say together, if it was read in several. */
  readonly ordered?: Ordered
  /** Texts that ended at the greatest length. */
  readonly cut: number
}

/** Tokens of a written text where a task does not say, as in lm-evaluation-harness. */
const MOST = 256

const mostOf = ({ generation_kwargs, output_type }: GenerativeTask): number =>
  output_type === "multiple_choice" ? 0 : generation_kwargs?.max_gen_toks ?? MOST

/** How a task's texts are drawn: greedily, unless it says otherwise. */
const decodingOf = ({ generation_kwargs: own = {}, until }: GenerativeTask): Partial<Generation> => ({
  stop_strings: until,
  do_sample: own.do_sample ?? (own.temperature ?? 0) > 0,
  ...(own.temperature === undefined ? {} : { temperature: own.temperature }),
  ...(own.top_p === undefined ? {} : { top_p: own.top_p }),
  ...(own.top_k === undefined ? {} : { top_k: own.top_k })
})

const continuationsOf = ({ before, choices }: Pick<Asked, "before" | "choices">): ReadonlyArray<string> =>
  choices.map((own) => before + own)

const EXAMPLES = 3

/** The places of records whose prompts do not fit with their answers; fails if these are to be refused. */
export const overlong = Effect.fnUntraced(
  function*(c: RunConfig, task: GenerativeTask, all: ReadonlyArray<Asked>) {
    const { ends, tokenizer, wrap } = yield* ReaderFolder.open(c.reader_name_or_path, c)
    const sequences = Sequences.make({ tokenizer, wrap, max_length: c.max_length, end: ends.end })
    const long: Array<{ readonly at: number; readonly id: string; readonly tokens: number }> = []
    for (const asked of all) {
      const tails = continuationsOf(asked).reduce((sum, own) => sum + tokenizer.encode(own).length, 0)
      const tokens = (yield* sequences.least(asked.prompt)) + tails + mostOf(task)
      if (tokens > c.max_length) long.push({ at: asked.at, id: asked.id, tokens })
    }
    if (long.length === 0 || c.excess_length !== "raise") return new Set(long.map(({ at }) => at))
    const named = long.slice(0, EXAMPLES).map(({ id, tokens }) => `${id} (${tokens} tokens)`).join(", ")
    const problem =
      `${long.length} of ${all.length} records exceed max_length (${c.max_length}) with room for an answer: `
      + `${named}; raise max_length, or set excess_length: truncate or skip`
    return yield* new ConfigError({ source: `task ${task.task}`, problems: [problem] })
  },
  Effect.scoped,
  Effect.provideService(References.MinimumLogLevel, "Error")
)

/** The texts of a batch, `repeats` of each. */
const written = Effect.fnUntraced(function*(task: GenerativeTask, batch: ReadonlyArray<Asked>) {
  const { write } = yield* LanguageModel
  const found = batch.map(() => ({ texts: new Array<string>(), cut: 0 }))
  for (let repeat = 0; repeat < task.repeats; repeat++) {
    const texts = batch.map(() => "")
    const options = { max_new_tokens: mostOf(task), key: `${task.task}/${repeat}`, decoding: decodingOf(task) }
    yield* Stream.runForEach(
      write(batch.map(({ prompt }) => prompt), options),
      ({ finish, row, text }) =>
        Effect.sync(() => {
          texts[row] += text
          if (finish === "length") found[row]!.cut++
        })
    )
    texts.forEach((text, row) => found[row]!.texts.push(text))
  }
  return found.map(({ cut, texts }): Answered => ({ texts, cut, likelihoods: [] }))
})

/** The likelihoods of the choices of a batch, and of other orders of them; none of a record that is skipped. */
const ranked = Effect.fnUntraced(function*(batch: ReadonlyArray<Asked>) {
  const { rank } = yield* LanguageModel
  const all = batch.flatMap((own) => [own, ...own.orders ?? []])
  const losses = yield* rank(all.map(({ prompt }) => prompt), all.map(continuationsOf), "sum", "open")
  let at = 0
  return batch.map(({ choices, orders }): Answered => {
    const first = [...losses[at++]!]
    const others = (orders ?? []).map(({ order }) => ({ order, nll: [...losses[at++]!] }))
    const answered = { texts: [], likelihoods: first.map((loss) => -loss), cut: 0 }
    if (orders === undefined || first.length === 0) return answered
    const read = [{ order: [...choices.keys()], nll: first }, ...others].filter(({ nll }) => nll.length > 0)
    return { ...answered, ordered: averaged(read) }
  })
})

const charactersOf = ({ prompt }: Asked): number => prompt.reduce((sum, { content }) => sum + textOf(content).length, 0)

/** The answers to all records, in their order; those of similar length are asked together. */
export const answersTo = Effect.fnUntraced(function*(c: RunConfig, task: GenerativeTask, all: ReadonlyArray<Asked>) {
  const [reporter, began, size] = [yield* Reporter, yield* Clock.currentTimeMillis, yield* evalBatch(c)]
  const order = all.map((asked, i) => ({ i, asked, size: charactersOf(asked) })).toSorted((a, b) =>
    b.size - a.size || a.i - b.i
  )
  const answers: Array<Answered> = []
  for (let from = 0; from < order.length; from += size) {
    const batch = order.slice(from, from + size)
    const own = batch.map(({ asked }) => asked)
    const found = yield* task.output_type === "multiple_choice" ? ranked(own) : written(task, own)
    batch.forEach(({ i }, b) => answers[i] = found[b]!)
    const seconds = ((yield* Clock.currentTimeMillis) - began) / 1000
    const [done, total] = [from + batch.length, order.length]
    yield* reporter.report({ task: task.task, done, total, start: 0, seconds, unit: "records", each: 1, figures: {} })
  }
  return answers as ReadonlyArray<Answered>
})
