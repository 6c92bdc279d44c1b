/** Program: has a pool of generic retrieval prompts written, and gives each training triple one of them. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { resolve } from "node:path"
import { triplesOf } from "../../datasets/triples.ts"
import { promptOf, styles } from "../../domain/gepa/pool.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import { likeness, wordsOf } from "../../domain/texts/overlap.ts"
import { replace } from "../../runtime/files/disk.ts"
import * as LineFile from "../../runtime/files/lineFile.ts"
import { type Spent, Writer } from "../../runtime/ports/Writer.ts"
import { json } from "../run.ts"
import { each, type Funnel, type Provenance, synthesise, type Task, writeText } from "../synthesize/pipeline.ts"
import { load } from "../writing/template.ts"

/** What is written. */
export interface PoolOptions {
  /** Prompts wanted. */
  readonly count: number
  readonly output: string
  readonly prompt: string | undefined
  readonly maxTokens: number
  /** Triples that get a prompt each, and where they go; both or none. */
  readonly input: string | undefined
  readonly triples: string | undefined
}

/** A pool as its file has it. */
export interface Pool {
  readonly prompts: ReadonlyArray<{ readonly text: string } & Provenance>
}

/** What writing a pool came to. */
export interface PoolReport extends Pool {
  readonly funnel: Funnel
  /** Triples that got a prompt. */
  readonly triples: number
  readonly spent: Spent
}

/** Rounds of requests for what is still missing; most words of a prompt; when two prompts are the same. */
const [ROUNDS, WORDS, LIKE] = [4, 80, 0.8]

const taskOf = Effect.fnUntraced(function*({ maxTokens, prompt }: PoolOptions, texts: ReadonlyArray<string>) {
  const { sha256, turns } = yield* load(prompt, "retrieval-prompt", { style: "needed" })
  const seen = [...texts]
  const task: Task<number, string, never, never> = {
    name: "retrieval prompts",
    samples: 1,
    request: (own) => ({
      turns: turns({ style: styles[own % styles.length]! }),
      max_tokens: maxTokens,
      sample: Math.floor(own / styles.length)
    }),
    write: writeText,
    filters: [
      each(`longer than ${WORDS} words`, ({ value }) => wordsOf(value).length > WORDS),
      each("near-duplicate of another one", ({ value }) => {
        const again = seen.some((own) => own === value || likeness(own, value) > LIKE)
        if (!again) seen.push(value)
        return again
      })
    ]
  }
  return { task, prompt_sha: sha256 }
})

/** Gives each triple of a file the prompt of its query. */
const assign = Effect.fnUntraced(function*(input: string, output: string, texts: ReadonlyArray<string>, seed: number) {
  const file = yield* LineFile.make(output)
  let count = 0
  yield* Stream.runForEach(triplesOf(input), ({ fields, query }) => {
    count++
    return file.add([JSON.stringify({ ...fields, prompt: promptOf(texts, query, seed) })])
  })
  yield* file.finish
  return count
}, Effect.scoped)

const summed = (a: Funnel, b: Funnel): Funnel => {
  const add = (x: Funnel["lost"], y: Funnel["lost"]) =>
    Object.fromEntries(Object.keys(y).map((name) => [name, (x[name] ?? 0) + y[name]!]))
  return {
    items: a.items + b.items,
    requests: a.requests + b.requests,
    lost: add(a.lost, b.lost),
    dropped: add(a.dropped, b.dropped),
    kept: a.kept + b.kept,
    plain: a.plain + b.plain
  }
}

/** Writes the pool, and the triples with their prompts; fails if fewer prompts than wanted can be had. */
export const pool = Effect.fn("pool")(function*(o: PoolOptions) {
  if (o.input !== undefined && o.triples !== undefined && resolve(o.input) === resolve(o.triples)) {
    return yield* new ConfigError({ source: o.triples, problems: ["is the input, too; choose another file"] })
  }
  const { name, seed, spent } = yield* Writer
  const prompts: Array<Pool["prompts"][number]> = []
  let funnel: Funnel = { items: 0, requests: 0, lost: {}, dropped: {}, kept: 0, plain: 0 }
  for (let round = 0; round < ROUNDS && prompts.length < o.count; round++) {
    const { prompt_sha, task } = yield* taskOf(o, prompts.map(({ text }) => text))
    const items = Array.from({ length: o.count - prompts.length }, (_, i) => funnel.items + i)
    const own = yield* synthesise(task, Stream.fromIterable(items), items.length, (item, drafts) =>
      Effect.sync(() => {
        for (const { answer: { fingerprint, model, request_key }, value } of drafts) {
          const sample = Math.floor(item / styles.length)
          const from = { model, fingerprint, prompt_sha, seed, sample, sources: [], request_key }
          prompts.push({ text: value, ...from })
        }
      }))
    funnel = summed(funnel, own)
  }
  if (prompts.length < o.count) {
    const lost = JSON.stringify({ ...funnel.lost, ...funnel.dropped })
    const problem = `wrote ${prompts.length} different prompts of ${o.count} in ${funnel.requests} requests (${lost}); `
      + "ask for fewer, or raise the temperature"
    return yield* new ConfigError({ source: name, problems: [problem] })
  }
  const texts = prompts.map(({ text }) => text)
  const triples = o.input === undefined || o.triples === undefined ? 0 : yield* assign(o.input, o.triples, texts, seed)
  yield* replace(o.output, json({ prompts } satisfies Pool))
  return { prompts, funnel, triples, spent: yield* spent } satisfies PoolReport as PoolReport
})
