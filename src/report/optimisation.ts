/** What an optimisation of prompts came to, as text. */
import { columns } from "../domain/textTable.ts"
import type { OptimisePlan, OptimiseReport } from "../programs/optimise/optimisePrompt.ts"
import type { PoolReport } from "../programs/optimise/pool.ts"

const prompts = (texts: Readonly<Record<string, string>>): ReadonlyArray<string> =>
  Object.entries(texts).map(([name, text]) => `${name}: ${JSON.stringify(text)}`)

/** The best prompts, and how they were found. */
export const optimised = (r: OptimiseReport): string =>
  [
    columns([
      [`${r.metric} at first`, r.first.toFixed(4)],
      [`${r.metric} of the best`, r.best.toFixed(4)],
      ["questions for training, validation", `${r.train}, ${r.validation}`],
      ["metric calls", String(r.metric_calls)],
      ["  evaluated, found from before", `${r.evaluated}, ${r.kept}`],
      ["candidates kept", String(r.candidates)],
      ["proposals asked for", String(r.proposals.asked)],
      ["  without an answer", `-${r.proposals.unanswered}`],
      ["  malformed", `-${r.proposals.malformed}`],
      ["tokens of requests, of answers", `${r.spent.input_tokens}, ${r.spent.output_tokens}`]
    ]),
    ...prompts(r.prompts)
  ].join("\n")

/** What an optimisation would take. */
export const planned = (p: OptimisePlan): string =>
  [
    columns([
      ["questions for training, validation", `${p.train}, ${p.validation}`],
      ["minibatch", String(p.minibatch)],
      ["metric calls", String(p.metric_calls)],
      ["proposals at most", String(p.proposals)]
    ]),
    ...prompts(p.prompts),
    "--- how proposals are asked for",
    p.template
  ].join("\n")

/** The prompts of a pool, and what was lost on the way. */
export const pool = ({ funnel, prompts: own, spent, triples }: PoolReport): string =>
  [
    ...own.map(({ text }) => text),
    columns([
      ["prompts", String(own.length)],
      ["requests", String(funnel.requests)],
      ["triples with a prompt", String(triples)],
      ["tokens of requests, of answers", `${spent.input_tokens}, ${spent.output_tokens}`]
    ])
  ].join("\n")
