/** Another model's judgement of answers, by a prompt with a scale or by comparison with the reference. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Figures } from "../../../domain/benchmarks/metrics.ts"
import type { ByJudge } from "../../../domain/benchmarks/outside.ts"
import { textOf } from "../../../domain/Content.ts"
import { shapeOf } from "../../../runtime/language/structured.ts"
import { ofOneRequest, Writer } from "../../../runtime/ports/Writer.ts"
import { asking, type Fields, type FormName, writeFields } from "../../synthesize/forms.ts"
import { load } from "../../writing/template.ts"
import type { Sample } from "./figures.ts"

const scoring: Fields<{ readonly score: number }> = {
  shape: shapeOf("score", Schema.Struct({ score: Schema.Literals([1, 2, 3, 4, 5]) })),
  labels: [{ name: "Score", key: "score", about: "1 to 5", number: true }]
}

type Choice = "A" | "B" | "tie"
const comparing: Fields<{ readonly better: Choice }> = {
  shape: shapeOf("comparison", Schema.Struct({ better: Schema.Literals(["A", "B", "tie"]) })),
  labels: [{ name: "Better", key: "better", about: "A, B or tie" }]
}

/** The prompt of a metric: the user's, or the one that comes with the package. */
export const promptOf = ({ pairs, prompt }: ByJudge) =>
  pairs
    ? load(prompt, "judge-answers", { question: "needed", first: "needed", second: "needed" })
    : load(prompt, "judge-answer", { question: "needed", reference: "possible", answer: "needed" })
type Prompt = Effect.Success<ReturnType<typeof promptOf>>

/** What a judge said: a value; or that it refused, or said nothing that could be read. */
type Said<A> = { readonly value: A } | "refused" | "unparsed"

/** Asks once; equal requests are answered from what is kept. Errors of one request count as unparsed. */
const asked = <A>(
  fields: Fields<A>,
  form: FormName,
  request: { readonly turns: ReturnType<Prompt["turns"]> },
  most: number
) =>
  writeFields(fields, form)(asking(fields, form)({ ...request, max_tokens: most })).pipe(
    Effect.map(({ answer, value }): Said<A> =>
      answer.end === "refused" ? "refused" : value === undefined ? "unparsed" : { value }
    ),
    Effect.catchIf((error) => ofOneRequest(error) !== undefined, () => Effect.succeed("unparsed" as Said<A>))
  )

const questionOf = ({ asked: { prompt } }: Sample): string => textOf(prompt.at(-1)!.content)
const answerOf = ({ filtered: [answer] }: Sample): string => answer === null || !answer?.trim() ? "(nothing)" : answer

const scored = (o: ByJudge, prompt: Prompt) =>
  Effect.fnUntraced(function*(sample: Sample) {
    const [reference] = sample.asked.references
    const turns = prompt.turns({ question: questionOf(sample), reference: reference!, answer: answerOf(sample) })
    const said = yield* asked(scoring, o.form, { turns }, o.maxTokens)
    return {
      judge_score: typeof said === "string" ? null : said.value.score,
      judge_unparsed: said === "unparsed" ? 1 : 0,
      judge_refused: said === "refused" ? 1 : 0
    } as Figures
  })

/** 1 if the answer is better, 0 if the reference is, ½ of a tie. */
const worth = (better: Choice, answer: Choice): number => better === "tie" ? 0.5 : better === answer ? 1 : 0

/** Both orders are asked: a judge that prefers a place, and not a text, comes to ½. */
const compared = (o: ByJudge, prompt: Prompt) =>
  Effect.fnUntraced(function*(sample: Sample) {
    const [answer, reference] = [answerOf(sample), sample.asked.references[0]!]
    const turns = (first: string, second: string) => prompt.turns({ question: questionOf(sample), first, second })
    const ahead = yield* asked(comparing, o.form, { turns: turns(answer, reference) }, o.maxTokens)
    const behind = yield* asked(comparing, o.form, { turns: turns(reference, answer) }, o.maxTokens)
    const both = new Set([ahead, behind])
    const counts = {
      judge_pair_unparsed: both.has("unparsed") ? 1 : 0,
      judge_pair_refused: both.has("refused") ? 1 : 0
    }
    if (typeof ahead === "string" || typeof behind === "string") {
      return { judge_preferred: null, judge_consistent: null, ...counts } as Figures
    }
    const [one, other] = [worth(ahead.value.better, "A"), worth(behind.value.better, "B")]
    return { judge_preferred: (one + other) / 2, judge_consistent: one === other ? 1 : 0, ...counts } as Figures
  })

/** The figures of samples by a judge; scores are of those that it judged. */
export const judgedBy = Effect.fnUntraced(function*(o: ByJudge, samples: ReadonlyArray<Sample>) {
  const prompt = yield* promptOf(o)
  const { concurrency } = yield* Writer
  return yield* Effect.forEach(samples, (o.pairs ? compared : scored)(o, prompt), { concurrency })
})

/** Scores from 1 to 5 of answers by the prompt that comes with the package; `null` where the judge refused or was not understood. */
export const judgedScores = Effect.fnUntraced(
  function*(all: ReadonlyArray<Readonly<Record<"question" | "reference" | "answer", string>>>) {
    const o: ByJudge = { _tag: "Judge", pairs: false, prompt: undefined, form: "auto", maxTokens: 256 }
    const prompt = yield* promptOf(o)
    const { concurrency } = yield* Writer
    const score = (texts: typeof all[number]) =>
      Effect.map(
        asked(scoring, o.form, { turns: prompt.turns(texts) }, o.maxTokens),
        (said) => typeof said === "string" ? null : said.value.score
      )
    return yield* Effect.forEach(all, score, { concurrency })
  }
)
