/** Optimised prompts of the tiny system: scored by its own reader, rewritten by a server of ours. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Event } from "../../src/domain/gepa/gepa.ts"
import { promptOf } from "../../src/domain/gepa/pool.ts"
import type { Raw } from "../../src/domain/settings/RunConfig.ts"
import { type OptimiseOptions, optimisePrompt, planOptimisation } from "../../src/programs/optimise/optimisePrompt.ts"
import { type Pool, pool, type PoolOptions } from "../../src/programs/optimise/pool.ts"
import { proposed } from "../../src/programs/optimise/reflecting.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { defaults, layer } from "../../src/runtime/language/endpoint/endpoint.ts"
import * as Reporter from "../../src/runtime/ports/Reporter.ts"
import { decode } from "../../src/systems/all.ts"
import { jsonLines, prepare } from "../support/cli.ts"
import * as Server from "../support/endpoint.ts"
import { folderOf } from "../support/files.ts"
import * as Tiny from "../support/tiny.ts"
import { warned } from "../support/warnings.ts"

/** Proposals by the seed of the request: one in four lacks its place, one in four is refused. */
const mind: Server.Mind = ({ body }) => {
  const seed = Number(body["seed"])
  if (seed % 4 === 1) return "```\nno place\n```"
  if (seed % 4 === 3) return { choice: { message: { content: null, refusal: "no" } } }
  return `<think>Hm.</think>Better:\n\`\`\`text\n${"Gene? ".repeat(seed % 5)}{question}${
    seed % 3 === 0 ? " ->" : ""
  }\n\`\`\``
}

/** Prompts of queries; the seed makes each another one. */
const forQueries: Server.Mind = ({ body }) => `\`\`\`\n${"find gene ".repeat(1 + Number(body["seed"]) % 5)}: \n\`\`\``

const setting = Effect.gen(function*() {
  const server = yield* Server.start((seen) =>
    seen.body.messages[0]!.content.includes("search engine") ? forQueries(seen) : mind(seen)
  )
  const folder = yield* Effect.acquireRelease(
    Effect.promise(prepare),
    (path) => Effect.sync(() => rmSync(path, { recursive: true }))
  )
  const path = (name: string) => join(folder, name)
  const config = (own: Raw = {}) =>
    decode("test", {
      output_dir: path("run"),
      passages_file: path("passages.jsonl"),
      train_file: path("questions.jsonl"),
      validation_file: path("questions.jsonl"),
      retriever_name_or_path: path("retriever"),
      reader_name_or_path: path("reader"),
      max_steps: 1,
      n_candidates: 5,
      retriever_n_context: 3,
      n_context: 2,
      query_max_len: 24,
      passage_max_len: 64,
      max_length: 160,
      ...own
    })
  const options: OptimiseOptions = {
    settings: ["question_prompt"],
    output: path("optimised"),
    size: "light",
    max_metric_calls: 60,
    prompt: undefined,
    maxTokens: 100,
    seed: 3
  }
  const writer = layer({ ...defaults, base_url: server.base, model: "small", cache: path("answers"), pause: 1 })
  const env = ConfigProvider.layer(ConfigProvider.fromEnv({ env: {} }))
  const around = Layer.mergeAll(NodeFileSystem.layer, Reporter.silent, env, cpu({ threads: 1 }))
  const within = Layer.provideMerge(writer, around)
  const run = (own: Raw = {}, o: Partial<OptimiseOptions> = {}) =>
    warned(Effect.flatMap(config(own), (c) => optimisePrompt(c, { ...options, ...o }))).pipe(
      Effect.provide(within, { local: true })
    )
  const plan = (o: Partial<OptimiseOptions> = {}) =>
    warned(Effect.flatMap(config(), (c) => planOptimisation(c, { ...options, ...o }))).pipe(
      Effect.provide(around, { local: true })
    )
  return { server, path, run, plan }
})
type Setting = Effect.Success<typeof setting>

const live = (name: string, test: (s: Setting) => Effect.Effect<void, unknown>) =>
  it.live(name, () => Effect.flatMap(setting, test).pipe(Effect.scoped), 60_000)

const linesOf = <A>(path: string): ReadonlyArray<A> =>
  readFileSync(path, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line) as A)

describe("an optimised prompt", () => {
  live(
    "is the best of those that were tried, which are logged, and found again without a call",
    ({ path, run, server }) =>
      Effect.gen(function*() {
        const { value: report } = yield* run()
        const events = linesOf<Event>(path("optimised/candidates.jsonl"))
        const kept = events.filter(({ outcome }) => outcome === "kept")
        assert.strictEqual(kept.length, report.candidates)
        const means = kept.map(({ scores }) => scores!.reduce((sum, own) => sum + own, 0) / scores!.length)
        assert.strictEqual(report.best, Math.max(...means))
        assert.strictEqual(report.first, means[0])
        assert.isAtLeast(report.metric_calls, 60)
        assert.strictEqual(report.evaluated + report.kept <= report.metric_calls, true)
        const best = JSON.parse(readFileSync(path("optimised/best.json"), "utf8")) as Record<string, string>
        assert.deepStrictEqual(best, report.prompts)
        assert.include(best["question_prompt"]!, "{question}")
        assert.deepStrictEqual(JSON.parse(readFileSync(path("optimised/report.json"), "utf8")), report)

        const [first] = server.seen
        const text = first!.body.messages[0]!.content
        for (const word of ["My Question:", "Right answer:", "Found at rank 1: [p", "must contain {question}"]) {
          assert.include(text, word)
        }
        const { asked, malformed, unanswered } = report.proposals
        assert.strictEqual(asked, server.seen.length)
        const unusable = events.filter(({ outcome }) => outcome === "unusable").length
        assert.isAtLeast(unusable, malformed + unanswered)
        assert.isAbove(malformed + unanswered, 0)

        const before = [server.seen.length, readFileSync(path("optimised/candidates.jsonl"), "utf8")]
        const { value: again } = yield* run()
        assert.deepStrictEqual([server.seen.length, readFileSync(path("optimised/candidates.jsonl"), "utf8")], before)
        assert.deepInclude(again, { evaluated: 0, best: report.best, prompts: report.prompts })
        /** A larger budget goes on from there. */
        const { value: more } = yield* run({}, { max_metric_calls: 90 })
        assert.isAtLeast(more.metric_calls, 90)
        assert.include(readFileSync(path("optimised/candidates.jsonl"), "utf8"), before[1] as string)
      })
  )
  live(
    "may be that of a retriever's queries, scored by the ranking of gold passages",
    ({ path, run, server }) =>
      Effect.gen(function*() {
        const retriever = {
          retriever_name_or_path: join(import.meta.dirname, "..", "golden", "sentences", "llama-last"),
          query_prompt: "which gene : ",
          passage_max_len: 24
        }
        const { value: report } = yield* run(retriever, { settings: ["query_prompt"], max_metric_calls: 30 })
        assert.deepInclude(report, { metric: "ndcg", train: 6, validation: 6 })
        assert.deepStrictEqual(Object.keys(report.prompts), ["query_prompt"])
        const events = linesOf<Event>(path("optimised/candidates.jsonl"))
        const kept = events.filter(({ outcome }) => outcome === "kept")
        /** Means of nDCG at 10 over the six questions, which differ with the prompt. */
        const scores = new Set(events.map(({ scores }) => JSON.stringify(scores)).filter((own) => own !== "null"))
        assert.isAbove(scores.size, 0)
        assert.isTrue(kept.every((event) => event.scores!.every((own) => own >= 0 && own <= 1)))
        assert.isTrue(kept[0]!.scores!.some((own) => own > 0 && own < 1))
        const { messages } = server.seen[0]!.body
        for (const word of ["which gene : ", "search engine", "Found at rank"]) {
          assert.include(messages[0]!.content, word)
        }
        /** Another prompt is another score of the same question. */
        const other = yield* run({ ...retriever, query_prompt: "copper : " }, {
          settings: ["query_prompt"],
          max_metric_calls: 6
        })
        assert.strictEqual(other.value.evaluated, 6)
        assert.notStrictEqual(other.value.first, report.first)
      })
  )
  live("is scored anew under other settings, and with another model", ({ path, run }) =>
    Effect.gen(function*() {
      yield* run({}, { max_metric_calls: 6 })
      assert.strictEqual((yield* run({}, { max_metric_calls: 6 })).value.evaluated, 0)
      assert.strictEqual(
        (yield* run({ options_in_prompt: true, n_context: 1 }, { max_metric_calls: 6 })).value.evaluated,
        6
      )
      const config = JSON.parse(readFileSync(path("reader/config.json"), "utf8")) as object
      writeFileSync(path("reader/config.json"), JSON.stringify({ ...config, rms_norm_eps: 1e-3 }))
      assert.strictEqual((yield* run({}, { max_metric_calls: 6 })).value.evaluated, 6)
    }))
  live("is planned without a call", ({ plan, server }) =>
    Effect.gen(function*() {
      const { value } = yield* plan({ max_metric_calls: undefined })
      assert.deepInclude(value, { train: 6, validation: 6, minibatch: 3, metric_calls: 780 - 100 - 300 + 6 + 18 })
      assert.include(value.template, "{instruction}")
      assert.strictEqual(server.seen.length, 0)
    }))
  live("is one of a setting that can be optimised, and that has an effect", ({ run }) =>
    Effect.gen(function*() {
      for (
        const [own, o, why] of [
          [
            {},
            { settings: ["answer_format"] },
            /answer_format is no prompt that is optimised here; these are: question_/
          ],
          [{}, { settings: ["query_prompts"] }, /query_prompts is no prompt/],
          [{}, { settings: ["question_prompt", "question_prompt"] }, /named twice/],
          [{ mode: "no_retrieval" }, { settings: ["document_prompt"] }, /without effect: document_prompt/],
          [{ validation_file: "" }, {}, /validation_file is not given/]
        ] as const
      ) assert.match(String(((yield* Effect.flip(run(own, o))) as Error).message), why)
    }))
  it("is what a fence holds", () => {
    assert.strictEqual(proposed("A\n```\nB\n```\nC"), "B")
    assert.strictEqual(proposed("```text\nB ```x``` C\n```"), "B ```x``` C")
    assert.strictEqual(proposed("```\nB"), "B")
    assert.strictEqual(proposed("<think>```\nA\n```</think> B "), "B")
    assert.strictEqual(proposed(""), "")
  })
})

describe("a pool of prompts", () => {
  const setting = Effect.fnUntraced(function*(mind: Server.Mind) {
    const server = yield* Server.start(mind)
    const triples = Tiny.questions.map(({ question }) => ({ query: question, pos: ["p"], neg: ["n"] }))
    const folder = yield* folderOf({ "in.jsonl": jsonLines(triples) })
    const options: PoolOptions = {
      count: 10,
      output: join(folder, "pool.json"),
      prompt: undefined,
      maxTokens: 100,
      input: join(folder, "in.jsonl"),
      triples: join(folder, "out.jsonl")
    }
    const writer = layer({
      ...defaults,
      base_url: server.base,
      model: "small",
      cache: join(folder, "answers"),
      pause: 1
    })
    const env = ConfigProvider.layer(ConfigProvider.fromEnv({ env: {} }))
    const within = Layer.provideMerge(writer, Layer.mergeAll(NodeFileSystem.layer, Reporter.silent, env))
    return { folder, server, run: pool(options).pipe(Effect.provide(within, { local: true })) }
  })
  const live = (
    name: string,
    mind: Server.Mind,
    test: (s: Effect.Success<ReturnType<typeof setting>>) => Effect.Effect<void, unknown>
  ) =>
    it.live(name, () => Effect.flatMap(setting(mind), test).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)))

  const words = "find rank score match seek weigh choose look".split(" ")
  const styled: Server.Mind = ({ body }) => {
    const style = /manner: (.*)\./.exec(body.messages[0]!.content)![1]!
    return `${words[style.length % 8]} documents for ${style}, time ${String(body["seed"])}`
  }
  live(
    "is written in all manners, and gives each query one of its own",
    styled,
    ({ folder, run, server }) =>
      Effect.gen(function*() {
        const report = yield* run
        const { prompts } = JSON.parse(readFileSync(join(folder, "pool.json"), "utf8")) as Pool
        assert.deepStrictEqual(prompts, report.prompts)
        assert.strictEqual(new Set(prompts.map(({ text }) => text)).size, 10)
        assert.strictEqual(report.triples, Tiny.questions.length)
        const texts = prompts.map(({ text }) => text)
        for (
          const { prompt, query } of linesOf<{ readonly prompt: string; readonly query: string }>(
            join(folder, "out.jsonl")
          )
        ) {
          assert.strictEqual(prompt, promptOf(texts, query, 0))
        }
        const calls = server.seen.length
        assert.deepStrictEqual((yield* run).prompts, prompts)
        assert.strictEqual(server.seen.length, calls)
      })
  )
  live("is refused where the model says one thing only", () => "Find it.", ({ run }) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(run)
      assert.match(error.message, /wrote 1 different prompts of 10 in 37 requests/)
    }))
})
