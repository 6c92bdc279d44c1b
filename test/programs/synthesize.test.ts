/** Synthetic hard negatives, from a server of ours and from the tiny reader. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { toTriple } from "../../src/datasets/triples.ts"
import { outside } from "../../src/programs/synthesize/filters.ts"
import {
  type HardNegativeOptions,
  hardNegatives,
  plan,
  recordOf,
  TASK
} from "../../src/programs/synthesize/hardNegatives.ts"
import { unfenced } from "../../src/programs/synthesize/pipeline.ts"
import { templateOf } from "../../src/programs/writing/template.ts"
import { reader, scorer } from "../../src/programs/writing/writers.ts"
import { sha256 } from "../../src/runtime/files/disk.ts"
import * as Batch from "../../src/runtime/language/endpoint/batch.ts"
import { defaults, layer } from "../../src/runtime/language/endpoint/endpoint.ts"
import type { Body } from "../../src/runtime/language/endpoint/wire.ts"
import * as Reporter from "../../src/runtime/ports/Reporter.ts"
import { jsonLines } from "../support/cli.ts"
import * as Server from "../support/endpoint.ts"
import { folderOf } from "../support/files.ts"
import * as Tiny from "../support/tiny.ts"
import { warned } from "../support/warnings.ts"

const POSITIVE = "Gaucher disease is caused by variants in the gene GBA1, which lies on the long arm of chromosome one."
const OTHER = "The enzyme glucocerebrosidase is made from this gene, and too little of it is at work in the cells."
const MINED = "Fabry disease is caused by variants in the gene GLA, and pain begins in the hands and the feet."
const GOOD = "Gaucher disease is found in all peoples, and a large spleen is often the first sign that a doctor sees."

/** A record whose query names what the model does. */
const triple = (query: string, own: object = {}) => ({ query, pos: [POSITIVE], neg: [MINED], ...own })

const queryOf = ({ body }: Server.Seen): string => /\nQuery:\n(.*)\n/.exec(body.messages[0]!.content)![1]!
const answers: Readonly<Record<string, string | Server.Fault>> = {
  copy: POSITIVE,
  "near copy": `${POSITIVE} `.replace("one", "1"),
  mined: MINED,
  short: "Gaucher disease.",
  long: Array(60).fill(GOOD.split(" ").toReversed().join(" ")).join(" "),
  tells: `${GOOD.slice(0, -1)} before GBA1 is tested.`,
  echo:
    "Return only the text of the new document: no title line, no explanation, no quotation marks around it. So be it.",
  reasons: `<think>What would be hard?</think>\n\`\`\`\n${GOOD}\n\`\`\``,
  refuses: { choice: { message: { content: null, refusal: "no" } } },
  filtered: { choice: { finish_reason: "content_filter" } },
  cut: { choice: { finish_reason: "length" } },
  empty: "",
  rejected: { status: 400, body: Server.error("too long") },
  broken: { status: 500, headers: { "x-should-retry": "false" }, body: "" }
}
const mind: Server.Mind = (seen) => {
  const own = queryOf(seen)
  if (seen.body.messages[0]!.content.startsWith("Decide")) return `{"relevant": "${own === "answers" ? "yes" : "no"}"}`
  return answers[own] ?? GOOD
}

const options = (folder: string, own: Partial<HardNegativeOptions> = {}): HardNegativeOptions => ({
  input: join(folder, "in.jsonl"),
  output: join(folder, "out.jsonl"),
  prompt: undefined,
  judgePrompt: undefined,
  judge: false,
  samples: 1,
  negatives: "replace",
  maxTokens: 256,
  task: TASK,
  skipBad: false,
  licence: undefined,
  ...own
})

/** A folder with records, a server, and runs against it. */
const setting = Effect.fnUntraced(function*(records: ReadonlyArray<object>) {
  const server = yield* Server.start(mind)
  const folder = yield* folderOf({ "in.jsonl": jsonLines(records) })
  const settings = { ...defaults, base_url: server.base, model: "small", cache: join(folder, "answers"), pause: 1 }
  const writer = layer(settings)
  const around = Layer.mergeAll(
    NodeFileSystem.layer,
    Reporter.silent,
    ConfigProvider.layer(ConfigProvider.fromEnv({ env: {} }))
  )
  const within = Layer.provideMerge(writer, around)
  return {
    server,
    folder,
    /** With files in place of calls. */
    batch: (files: Batch.BatchSettings, own: Partial<HardNegativeOptions> = {}) =>
      warned(hardNegatives<never, never>(options(folder, own), undefined)).pipe(
        Effect.provide(Layer.provideMerge(layer({ ...settings, batch: files }), around), { local: true })
      ),
    run: (own: Partial<HardNegativeOptions> = {}) =>
      warned(hardNegatives<never, never>(options(folder, own), undefined)).pipe(
        Effect.provide(within, { local: true })
      ),
    plan: (own: Partial<HardNegativeOptions> = {}) =>
      warned(plan(options(folder, own))).pipe(Effect.provide(within, { local: true })),
    lines: () =>
      readFileSync(join(folder, "out.jsonl"), "utf8").trimEnd().split("\n").map((line) =>
        JSON.parse(line) as Readonly<Record<string, any>>
      )
  }
})
type Setting = Effect.Success<ReturnType<typeof setting>>

const live = (
  name: string,
  records: ReadonlyArray<object>,
  test: (s: Setting) => Effect.Effect<void, unknown>
) =>
  it.live(name, () => Effect.flatMap(setting(records), test).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)))

describe("synthetic hard negatives", () => {
  const all = Object.keys(answers)
  live(
    "are counted at every filter, and a record without one is as it was",
    ["good", ...all].map((query) => triple(query, { answers: ["GBA1", "yes"], id: `r-${query}` })),
    ({ folder, lines, run, server }) =>
      Effect.gen(function*() {
        const { value: report } = yield* run()
        assert.deepInclude(report, {
          items: 15,
          requests: 15,
          lost: { failed: 1, rejected: 1, waiting: 0, truncated: 1, refused: 2, empty: 1, invalid: 0 },
          dropped: {
            "near-duplicate of a positive": 2,
            "near-duplicate of a negative": 1,
            "length below 0.3 or above 3 of the positive's": 2,
            "contains an answer": 1,
            "repeats the prompt": 1,
            "near-duplicate of another new one": 0
          },
          kept: 2
        })
        assert.deepStrictEqual(JSON.parse(readFileSync(join(folder, "out.jsonl.report.json"), "utf8")), report)
        const out = lines()
        assert.deepStrictEqual(out.map(({ query }) => query), ["good", ...all])
        const changed = out.filter(({ synthetic }) => synthetic)
        assert.deepStrictEqual(changed.map(({ neg, query }) => [query, neg]), [["good", [GOOD]], ["reasons", [GOOD]]])
        const { request_key, ...own } = changed[0]!["synthetic"][0]
        assert.deepStrictEqual(own, {
          index: 0,
          model: "small-0125",
          fingerprint: "fp_ours",
          prompt_sha: sha256(readFileSync("prompts/hard-negative.md", "utf8").trim()),
          seed: 0,
          sample: 0,
          sources: ["r-good"]
        })
        assert.isTrue(existsSync(join(folder, "answers", request_key.slice(0, 2), `${request_key}.json`)))
        for (const record of out.filter(({ synthetic }) => !synthetic)) {
          assert.deepStrictEqual(record, { ...triple(record["query"]), answers: ["GBA1", "yes"], id: record["id"] })
        }
        const calls = server.seen.length
        const before = readFileSync(join(folder, "out.jsonl"), "utf8")
        yield* run()
        /** Only what had no answer is asked for again. */
        assert.strictEqual(server.seen.length, calls + 2)
        assert.strictEqual(readFileSync(join(folder, "out.jsonl"), "utf8"), before)
      })
  )
  live(
    "are judged by the writer, if asked to",
    [triple("good"), triple("answers")],
    ({ lines, run }) =>
      Effect.gen(function*() {
        const { value: { dropped, kept } } = yield* run({ judge: true })
        assert.strictEqual(dropped["judged relevant, or not judged"], 1)
        assert.strictEqual(kept, 1)
        assert.deepStrictEqual(lines().map(({ synthetic }) => synthetic !== undefined), [true, false])
      })
  )
  live(
    "join the others, several of a record",
    [triple("good", { prompt: "Find genes", pos: [POSITIVE, OTHER] })],
    (s) =>
      Effect.gen(function*() {
        const { value } = yield* s.run({ negatives: "join", samples: 2 })
        /** Both say the same, which counts once. */
        assert.deepInclude(value, { requests: 2, kept: 1 })
        assert.strictEqual(value.dropped["near-duplicate of another new one"], 1)
        const [first, second] = s.server.seen.map(({ body }) => body).toSorted((a, b) => a["seed"] - b["seed"])
        assert.include(first!.messages[0]!.content, "Search task: Find genes")
        assert.include(first!.messages[0]!.content, `answers the query:\n${POSITIVE}`)
        assert.include(second!.messages[0]!.content, `answers the query:\n${OTHER}`)
        assert.deepStrictEqual([first!["seed"], second!["seed"]], [0, 1])
        assert.deepStrictEqual(s.lines()[0]!["neg"], [MINED, GOOD])
      })
  )
  live(
    "may be asked for in batch files, whose answers come in any order, with failures",
    ["good", "broken", "copy", "rejected", "cut", "last"].map((query) => triple(query)),
    ({ batch, folder, lines, run, server }) =>
      Effect.gen(function*() {
        const path = (name: string) => join(folder, name)
        const asked = (name: string) =>
          readFileSync(path(name), "utf8").trimEnd().split("\n").map((line) => JSON.parse(line) as Record<string, any>)
        const first = yield* batch({ requests: path("requests.jsonl"), answers: [] }, { judge: true })
        assert.deepInclude(first.value.batch, { files: [path("requests.jsonl")], waiting: 6 })
        assert.strictEqual(first.value.lost["waiting"], 6)
        assert.deepStrictEqual([server.seen.length, existsSync(path("out.jsonl"))], [0, false])
        const requests = asked("requests.jsonl")
        for (const { body, custom_id, method, url } of requests) {
          assert.match(custom_id, /^[0-9a-f]{64}$/)
          assert.deepStrictEqual([method, url, body.model, body.max_tokens], [
            "POST",
            "/v1/chat/completions",
            "small",
            256
          ])
        }

        /** The answers as a service gives them: failures in a file of their own. */
        const answerTo = ({ body, custom_id }: Record<string, any>) => {
          const said = mind({ path: "", key: undefined, body: body as Server.Seen["body"] })
          const choice = {
            index: 0,
            finish_reason: "stop",
            message: { role: "assistant", content: said, refusal: null }
          }
          const chat = { object: "chat.completion", model: "small-0125", choices: [choice], usage: {} }
          if (typeof said === "string") {
            return { id: "b", custom_id, response: { status_code: 200, body: chat }, error: null }
          }
          if (said.choice) {
            const cut = {
              ...chat,
              choices: [{ ...choice, message: { ...choice.message, content: "" }, ...said.choice }]
            }
            return { id: "b", custom_id, response: { status_code: 200, body: cut }, error: null }
          }
          return said.status === 400
            ? { id: "b", custom_id, response: { status_code: 400, body: said.body }, error: null }
            : { id: "b", custom_id, response: null, error: { code: "batch_expired", message: "not done in time" } }
        }
        const [last, ...rest] = requests.toReversed()
        writeFileSync(
          path("answers.jsonl"),
          jsonLines([...rest.map(answerTo), { ...answerTo(last!), custom_id: "other" }])
        )
        const second = yield* batch(
          { requests: path("more.jsonl"), answers: [path("answers.jsonl")] },
          { judge: true }
        )
        assert.deepInclude(second.value.batch, { answers: { lines: 6, used: 5, failed: 2, unknown: 1 } })
        assert.deepInclude(second.value.lost, { failed: 2, truncated: 1, waiting: 1 })
        /** The draft without an answer, and the judgement of the one that is left. */
        assert.strictEqual(second.value.batch!.waiting, 2)
        assert.isFalse(existsSync(path("out.jsonl")))

        const more = asked("more.jsonl")
        writeFileSync(path("answers-2.jsonl"), jsonLines(more.map(answerTo)))
        const files = [path("answers-2.jsonl"), path("answers.jsonl")]
        const third = yield* batch({ requests: path("judge.jsonl"), answers: files }, { judge: true })
        /** Each judgement follows from its draft. */
        writeFileSync(path("answers-3.jsonl"), jsonLines(asked("judge.jsonl").map(answerTo)))
        const fourth = yield* batch({
          requests: path("none.jsonl"),
          answers: [...files, path("answers-3.jsonl")]
        }, { judge: true })
        assert.deepStrictEqual([third.value.batch!.waiting, fourth.value.batch!.waiting], [1, 0])
        assert.deepStrictEqual(fourth.value.batch!.files, [])
        assert.deepInclude(fourth.value, { kept: 2 })
        assert.deepStrictEqual(
          lines().filter(({ synthetic }) => synthetic).map(({ query }) => query),
          ["good", "last"]
        )
        assert.strictEqual(server.seen.length, 0)

        /** What is kept is kept: only the two failures are made as calls. */
        const { value } = yield* run({ judge: true })
        assert.deepInclude(value.lost, { failed: 1, rejected: 1, truncated: 1 })
        assert.strictEqual(server.seen.length, 2)
      })
  )
  live(
    "are refused answers that are no lines of a batch",
    [triple("good")],
    ({ batch, folder }) =>
      Effect.gen(function*() {
        const path = join(folder, "wrong.jsonl")
        writeFileSync(path, "{\"custom_id\": \"a\", \"error\": null}\n{\"id\": \"b\"}\n")
        const error = yield* Effect.flip(batch({ requests: undefined, answers: [path] }))
        assert.match(String((error as Error).message), /wrong\.jsonl, line 2: is no line of a batch's answers/)
      })
  )
  it.live("are asked for in several files where one would be too large", () =>
    Effect.gen(function*() {
      const folder = yield* folderOf({})
      const path = join(folder, "r.jsonl")
      const own = yield* Batch.make({ requests: path, answers: [] }, "here", "small", { lines: 2, bytes: 400 })
      const body = (text: string) => ({ model: "small", messages: [{ content: text }] }) as unknown as Body
      for (const [i, text] of ["a", "b", "c", "x".repeat(300), "d", "a"].entries()) {
        yield* Effect.flip(own.ask(String(i % 5), body(text)))
      }
      const { files, waiting } = yield* own.finish
      assert.strictEqual(waiting, 5)
      assert.deepStrictEqual(
        files.map((file) => readFileSync(file, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line).custom_id)),
        [["0", "1"], ["2"], ["3"], ["4"]]
      )
      assert.deepStrictEqual(files.map((file) => file.slice(folder.length + 1)), [
        "r.jsonl",
        "r-2.jsonl",
        "r-3.jsonl",
        "r-4.jsonl"
      ])
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)))
  live(
    "are planned without a request",
    [triple("good"), triple("better", { neg: [] })],
    ({ plan, run, server }) =>
      Effect.gen(function*() {
        const { lines, value } = yield* plan()
        assert.strictEqual(server.seen.length, 0)
        assert.deepInclude(value, { items: 2, requests: 2, kept: 0 })
        assert.isAbove(value.tokens, 512)
        assert.match(lines.join(), /1 of 2 records have no negative/)
        assert.include(value.prompts[1]!, "(none)")
        yield* run()
        assert.deepInclude((yield* plan()).value, { kept: 2, tokens: 0 })
      })
  )
  live(
    "end when nothing is answered any more, and go on from there",
    Array.from({ length: 30 }, (_, i) => triple(i < 12 ? `fine ${i}` : "broken", { pos: [`${POSITIVE} ${i}`] })),
    ({ folder, run, server }) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(run())
        assert.match(String((error as Error).message), /10 requests in a row got no answer; the last: .*500/)
        assert.isFalse(existsSync(join(folder, "out.jsonl")))
        assert.deepStrictEqual(readdirSync(folder).toSorted(), ["answers", "in.jsonl"])
        const before = server.seen.length
        yield* Effect.flip(run())
        assert.isTrue(server.seen.slice(before).every((seen) => queryOf(seen) === "broken"))
      })
  )
  live(
    "do not overwrite their input, nor begin with a bad record",
    [triple("good"), { query: "x", positive: "y" }],
    (s) =>
      Effect.gen(function*() {
        const twice = yield* Effect.flip(s.run({ output: options(s.folder).input }))
        assert.match(String((twice as Error).message), /is the input/)
        const bad = yield* Effect.flip(s.run())
        assert.match(
          String((bad as Error).message),
          /line 2, field "pos": is missing or blank.*it has positive: rename/
        )
        assert.strictEqual(s.server.seen.length, 0)
        const { lines, value } = yield* s.run({ skipBad: true })
        assert.strictEqual(value.kept, 1)
        assert.match(lines.join(), /1 malformed records are left out \(first: line 2/)
      })
  )
})

describe("a record", () => {
  const from = () => ({
    model: "m",
    fingerprint: null,
    prompt_sha: "p",
    seed: 0,
    sample: 0,
    sources: [],
    request_key: "k"
  })
  const draft = (sample: number) => ({ sample, value: `new ${sample}` }) as Parameters<typeof recordOf>[1][number]
  it("loses scores of passages that changed, and keeps where earlier negatives are from", () => {
    const scored = triple("q", { neg: ["a", "b"], neg_scores: [1, 2], pos_scores: [3], type: "x" })
    const item = toTriple(scored, "line 1")
    assert.deepStrictEqual(recordOf(item, [], "replace", from), scored)
    const once = recordOf(item, [draft(1)], "replace", from)
    assert.deepStrictEqual(Object.keys(once).toSorted(), ["neg", "pos", "query", "synthetic", "type"])
    assert.deepStrictEqual(once["neg"], ["a", "new 1"])
    const joined = recordOf(toTriple(once, "line 1"), [draft(0)], "join", from)
    assert.deepStrictEqual(joined["neg"], ["a", "new 1", "new 0"])
    assert.deepStrictEqual((joined["synthetic"] as ReadonlyArray<{ index: number }>).map(({ index }) => index), [1, 2])
    const again = recordOf(toTriple(joined, "line 1"), [draft(1)], "replace", from)
    assert.deepStrictEqual((again["synthetic"] as ReadonlyArray<{ index: number }>).map(({ index }) => index), [2, 1])
  })
  it("takes single texts, and refuses what it cannot read", () => {
    const { answers, neg, pos } = toTriple({ query: "q", pos: "p", neg: "n", answer: "a" }, "line 1")
    assert.deepStrictEqual([pos, neg, answers], [["p"], ["n"], ["a"]])
    for (
      const [line, why] of [
        [{ query: " ", pos: ["p"] }, /blank/],
        [{ query: "q", pos: [""] }, /blank/],
        [{ query: "q", pos: [3] }, /expected|got/i],
        [["q"], /object/]
      ] as const
    ) assert.throws(() => toTriple(line, "line 1"), why)
  })
})

describe("a prompt", () => {
  it.effect("fills places once, and refuses those it does not know", () =>
    Effect.gen(function*() {
      const places = { query: "needed", task: "possible" } as const
      const { fill, pieces } = yield* templateOf("p.md", "A {query} b {query}{task}.", places)
      assert.strictEqual(fill({ query: "{task}", task: "$&" }), "A {task} b {task}$&.")
      assert.deepStrictEqual(pieces, ["A ", " b ", "", "."])
      const examples = "A {task}\n--- assistant\nB\n--- user\n{query}"
      const dialogue = yield* templateOf("p.md", examples, places)
      assert.deepStrictEqual(dialogue.turns({ query: "--- user", task: "t" }), [
        { role: "user", text: "A t" },
        { role: "assistant", text: "B" },
        { role: "user", text: "--- user" }
      ])
      for (const text of ["{query}\n--- assistant\nB", "{query}\n--- user\nA", "--- user\n{query}"]) {
        assert.match((yield* Effect.flip(templateOf("p.md", text, places))).message, /have to take turns/)
      }
      const wrong = yield* Effect.flip(templateOf("p.md", "only {question}", places))
      assert.match(wrong.message, /nothing is put into \{question\}; the places are \{query\}, \{task\}/)
      assert.match(wrong.message, /has no \{query\}/)
    }))
  it("has answers without a fence", () => {
    assert.strictEqual(unfenced("```text\nA\nB\n```"), "A\nB")
    assert.strictEqual(unfenced("A ```B``` "), "A ```B```")
  })
  it("keeps scores within the band", () => {
    const found = ([[10, 4], [10, 3.9], [10, 9.5], [10, 9.6], [10, Number.NaN]] as const).map(([p, s]) => outside(p, s))
    assert.deepStrictEqual(found, [false, true, false, true, true])
  })
})

describe("our own reader and retriever", () => {
  it.live("write and score without a network", () =>
    Effect.gen(function*() {
      const folder = yield* Tiny.weighted
      const path = join(folder, "reader", "config.json")
      const config = JSON.parse(readFileSync(path, "utf8")) as object
      writeFileSync(path, JSON.stringify({ ...config, max_position_embeddings: 4096 }))
      writeFileSync(join(folder, "in.jsonl"), jsonLines([triple("a"), triple("b")]))
      const settings = yield* Tiny.settings(folder, { max_length: 4096 })
      const common = { seed: 1, temperature: 1, cache: join(folder, "answers"), token_budget: 0 }
      const run = Effect.gen(function*() {
        const scored = yield* scorer(settings)
        return yield* hardNegatives(options(folder, { maxTokens: 24 }), scored)
      }).pipe(Effect.provide(reader(settings, common), { local: true }), Effect.provide(Tiny.surroundings))
      const first = yield* run
      assert.strictEqual(first.requests, 2)
      assert.strictEqual(first.spent.calls, 2)
      const { spent: { calls, cached }, ...again } = yield* run
      assert.deepStrictEqual([calls, cached], [0, 2])
      assert.deepInclude(again, { lost: first.lost, dropped: first.dropped, kept: first.kept })
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)), 60_000)
})
