/** The endpoint's faults, from a server of ours: each is tried again or told, and none is used as an answer. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { defaults, type EndpointSettings, layer } from "../../../src/runtime/language/endpoint/endpoint.ts"
import { durationOf, usedUp } from "../../../src/runtime/language/endpoint/gate.ts"
import { jsonIn, shapeOf, writeValue } from "../../../src/runtime/language/structured.ts"
import {
  mostTokens,
  ofOneRequest,
  Writer,
  type WriteRequest,
  type WriterError
} from "../../../src/runtime/ports/Writer.ts"
import * as Server from "../../support/endpoint.ts"
import { folderOf } from "../../support/files.ts"
import { warned } from "../../support/warnings.ts"

const SECRET = "sk-ours-0123456789"
const request = (text = "Long fingers?"): WriteRequest => ({ turns: [{ role: "user", text }], max_tokens: 20 })
const write = (own: WriteRequest = request()) => Effect.flatMap(Writer, ({ write }) => write(own))
const spent = Effect.flatMap(Writer, ({ spent }) => spent)

/** A server, a folder of answers, and runs of a process each. */
const setting = Effect.fnUntraced(function*(mind?: Server.Mind) {
  const server = yield* Server.start(mind)
  const cache = yield* folderOf({})
  const run = <A, E>(
    effect: Effect.Effect<A, E, Writer>,
    own: Partial<EndpointSettings> = {},
    env: Readonly<Record<string, string>> = { ENDPOINT_API_KEY: SECRET }
  ) => {
    const settings = { ...defaults, base_url: server.base, model: "small", cache, pause: 1, timeout: 5, ...own }
    const around = Layer.merge(NodeFileSystem.layer, ConfigProvider.layer(ConfigProvider.fromEnv({ env })))
    return warned(Effect.provide(effect, layer(settings).pipe(Layer.provide(around)), { local: true }))
  }
  return { server, cache, run }
})
type Setting = Effect.Success<ReturnType<typeof setting>>

const live = (name: string, test: (s: Setting) => Effect.Effect<void, unknown>, mind?: Server.Mind) =>
  it.live(
    name,
    () => Effect.flatMap(setting(mind), test).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)),
    20_000
  )

const filesUnder = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile())
    .map((one) => readFileSync(join(one.parentPath, one.name), "utf8"))

/** The error of a run, which never has the key. */
const failed = Effect.fnUntraced(function*(run: ReturnType<Setting["run"]>) {
  const error = (yield* Effect.flip(run)) as WriterError
  assert.notInclude(error.message + JSON.stringify(error), SECRET)
  return error
})

describe("a request", () => {
  live(
    "goes out as the interface has it, and comes back with where it is from",
    ({ cache, run, server }) =>
      Effect.gen(function*() {
        const { value } = yield* run(Effect.all([write(), spent]))
        const [answer, { calls, input_tokens, output_tokens }] = value
        const [seen] = server.seen
        assert.strictEqual(seen!.path, "/v1/chat/completions")
        assert.strictEqual(seen!.key, SECRET)
        assert.deepStrictEqual(seen!.body as object, {
          model: "small",
          messages: [{ role: "user", content: "Long fingers?" }],
          temperature: 0.7,
          seed: 0,
          max_tokens: 20
        })
        const { request_key, ...own } = answer
        assert.deepStrictEqual(own, {
          text: "answer to: Long fingers?",
          end: "stop",
          refusal: "",
          model: "small-0125",
          fingerprint: "fp_ours",
          usage: { input: 12, output: 5 }
        })
        assert.deepStrictEqual([calls, input_tokens, output_tokens], [1, 12, 5])
        const files = filesUnder(cache)
        assert.isTrue(files.some((text) => text.includes(request_key)))
        assert.isFalse(files.some((text) => text.includes(SECRET)))
      })
  )
  live("has no key if the environment has none", ({ run, server }) =>
    Effect.gen(function*() {
      yield* run(write(), {}, {})
      assert.isUndefined(server.seen[0]!.key)
    }))
  live("waits for no more than its own concurrency", ({ run, server }) =>
    Effect.gen(function*() {
      const many = Array.from({ length: 12 }, (_, i) => request(`question ${i}`))
      const all = Effect.forEach(many, write, { concurrency: "unbounded" })
      const { value } = yield* run(all, { concurrency: 3 })
      assert.deepStrictEqual(value.map(({ text }) => text), many.map(({ turns }) => `answer to: ${turns[0]!.text}`))
      assert.isAtMost(server.most(), 3)
    }))
  live("keeps to so many a minute", ({ run }) =>
    Effect.gen(function*() {
      const start = performance.now()
      yield* run(Effect.forEach(["a", "b", "c"], (text) => write(request(text)), { concurrency: 3 }), {
        requests_per_minute: 600
      })
      assert.isAtLeast(performance.now() - start, 195)
    }))
})

const isOf = (error: WriterError, tag: WriterError["reason"]["_tag"], ...words: ReadonlyArray<string>) => {
  assert.strictEqual(error.reason._tag, tag)
  for (const word of words) assert.include(error.message, word)
}

describe("a fault that may pass", () => {
  const faults: ReadonlyArray<readonly [name: string, fault: Server.Fault]> = [
    ["429 that asks for a pause", { status: 429, headers: { "retry-after": "0.05" }, body: Server.error("slow down") }],
    ["429 that asks for one in milliseconds", { status: 429, headers: { "retry-after-ms": "20" }, body: "" }],
    ["429 without one", { status: 429, body: Server.error("slow down", "rate_limit_exceeded") }],
    ["408", { status: 408, body: "" }],
    ["409", { status: 409, body: "" }],
    ["500", { status: 500, body: "oops" }],
    ["503 in HTML", { status: 503, body: "<html>busy</html>" }],
    ["a 400 that is to be tried again", {
      status: 400,
      headers: { "x-should-retry": "true" },
      body: Server.error("?")
    }],
    ["a cut answer", { cut: 40 }],
    ["an answer that is no JSON", { body: "<html>" }],
    ["half of an answer", { body: "{\"choices\": [{\"mess" }],
    ["JSON without choices", { body: { object: "list", data: [] } }],
    ["an error with status 200", { body: Server.error("overloaded") }],
    ["an answer without an end", { choice: { finish_reason: null } }]
  ]
  for (const [name, fault] of faults) {
    live(`is tried again: ${name}`, ({ run, server }) =>
      Effect.gen(function*() {
        server.fail(fault, fault)
        const { value: [{ text }, { calls, retries }] } = yield* run(Effect.all([write(), spent]))
        assert.strictEqual(text, "answer to: Long fingers?")
        assert.deepStrictEqual([server.seen.length, calls, retries], [3, 1, 2])
      }))
    live(`is told in the end: ${name}`, ({ cache, run, server }) =>
      Effect.gen(function*() {
        server.fail(...Array<Server.Fault>(3).fill(fault))
        const error = yield* failed(run(write(), { retries: 2 }))
        isOf(error, "RequestFailed", "3 attempts")
        assert.strictEqual(ofOneRequest(error), "failed")
        assert.strictEqual(server.seen.length, 3)
        const { value } = yield* run(write())
        assert.strictEqual(value.text, "answer to: Long fingers?")
        assert.isFalse(filesUnder(cache).some((text) => text.includes("RequestFailed")))
      }))
  }
  live("is a time-out, too", ({ run, server }) =>
    Effect.gen(function*() {
      server.fail({ stall: true })
      const { value } = yield* run(write(), { timeout: 0.1 })
      assert.strictEqual(value.text, "answer to: Long fingers?")
      server.fail({ stall: true })
      isOf(yield* failed(run(write(request("again")), { timeout: 0.1, retries: 0 })), "RequestFailed", "within 0.1 s")
    }))
  live("is a connection that is refused", ({ run }) =>
    Effect.gen(function*() {
      const gone = yield* Effect.scoped(Effect.map(Server.start(), ({ base }) => base))
      const error = yield* failed(run(write(), { base_url: gone, retries: 1 }))
      isOf(error, "RequestFailed", "cannot be reached", "ECONNREFUSED")
    }))
  live("is not tried again if the endpoint says so", ({ run, server }) =>
    Effect.gen(function*() {
      server.fail({ status: 500, headers: { "x-should-retry": "false" }, body: Server.error("no") })
      isOf(yield* failed(run(write())), "RequestFailed", "500", "no")
      assert.strictEqual(server.seen.length, 1)
    }))
  live("ends a request that is to wait for more than an hour", ({ run, server }) =>
    Effect.gen(function*() {
      server.fail({ status: 429, headers: { "retry-after": "90000" }, body: Server.error("tomorrow") })
      isOf(yield* failed(run(write())), "RequestFailed", "tomorrow", "asks for 90000 s")
    }))
})

describe("a fault that stays", () => {
  const faults: ReadonlyArray<readonly [name: string, fault: Server.Fault, ...words: ReadonlyArray<string>]> = [
    ["401", { status: 401, body: Server.error(`Incorrect API key provided: ${SECRET}`) }, "401", "key"],
    ["403", { status: 403, body: Server.error("country not supported") }, "403", "country not supported"],
    ["404", { status: 404, body: Server.error("The model `small` does not exist", "model_not_found") }, "404", "small"],
    ["404 in plain text", { status: 404, body: "404 page not found" }, "page not found", "/v1"],
    [
      "429 insufficient_quota",
      { status: 429, body: Server.error("You exceeded your quota", "insufficient_quota", "insufficient_quota") },
      "quota"
    ]
  ]
  for (const [name, fault, ...words] of faults) {
    live(`ends all at once: ${name}`, ({ run, server }) =>
      Effect.gen(function*() {
        server.fail(fault)
        const error = yield* failed(run(write()))
        isOf(error, "EndpointRefused", ...words)
        assert.isUndefined(ofOneRequest(error))
        assert.strictEqual(server.seen.length, 1)
      }))
  }
  live("ends one request, if it is about what this asks", ({ run, server }) =>
    Effect.gen(function*() {
      server.fail({ status: 400, body: Server.error("maximum context length is 8 tokens", "context_length_exceeded") })
      const error = yield* failed(run(write()))
      isOf(error, "RequestRejected", "maximum context length is 8 tokens")
      assert.strictEqual(ofOneRequest(error), "rejected")
      server.fail({ status: 413, body: "too large" })
      isOf(yield* failed(run(write())), "RequestRejected", "413", "too large")
    }))
  for (
    const [base_url, api_key_env, words] of [
      ["host/v1", "ENDPOINT_API_KEY", "must be an address"],
      ["ftp://host/v1", "ENDPOINT_API_KEY", "must be an address"],
      [`https://me:${SECRET}@host/v1`, "ENDPOINT_API_KEY", "without a user"],
      [`https://host/v1?key=${SECRET}`, "ENDPOINT_API_KEY", "a query"],
      ["https://host/v1", SECRET, "the name of a variable"],
      ["https://host/v1", "OTHER_KEY", "the environment has no \"OTHER_KEY\""]
    ] as const
  ) {
    live(
      `is told before a request: ${words}, ${base_url.replaceAll(SECRET, "KEY")}`,
      ({ run }) =>
        Effect.gen(function*() {
          const error = (yield* Effect.flip(run(write(), { base_url, api_key_env }))) as { readonly message: string }
          assert.include(error.message, words)
          assert.notInclude(error.message + JSON.stringify(error), SECRET)
        })
    )
  }
})

describe("an answer", () => {
  for (
    const [name, choice, end, refusal] of [
      ["cut at its length", { finish_reason: "length" }, "length", ""],
      ["that a filter stopped", { finish_reason: "content_filter" }, "refused", "content_filter"],
      ["that refuses", { message: { content: null, refusal: "I cannot" } }, "refused", "I cannot"]
    ] as const
  ) {
    live(`${name} is no whole answer, and is asked for once`, ({ run, server }) =>
      Effect.gen(function*() {
        server.fail({ choice })
        const { value } = yield* run(Effect.all([write(), write()]))
        assert.deepStrictEqual(value.map((one) => [one.end, one.refusal]), [[end, refusal], [end, refusal]])
        assert.strictEqual(server.seen.length, 1)
      }))
  }
  live("that is empty is an empty text", ({ run, server }) =>
    Effect.gen(function*() {
      server.fail({ choice: { message: { content: null } } })
      const { value } = yield* run(write())
      assert.deepStrictEqual([value.text, value.end], ["", "stop"])
    }))
  live(
    "in parts is one text; one that ended for an unknown reason is not used",
    ({ run, server }) =>
      Effect.gen(function*() {
        server.fail({ choice: { message: { content: [{ type: "text", text: "FB" }, { type: "text", text: "N1" }] } } })
        assert.strictEqual((yield* run(write())).value.text, "FBN1")
        server.fail({ choice: { finish_reason: "weather" } })
        isOf(yield* failed(run(write(request("other")))), "RequestFailed", "weather")
      })
  )
})

const shape = shapeOf("verdict", Schema.Struct({ relevant: Schema.Boolean }))
const judged = writeValue(request("Is it relevant?"), shape)

/** A server that understands one form of asking for JSON, and refuses the others as servers do. */
const only = (level: string): Server.Mind => ({ body }) => {
  const type: string | undefined = body["response_format"]?.type
  if (type !== undefined && type !== level) {
    return { status: 400, body: Server.error(`Unsupported response_format type: ${type}`) }
  }
  if (body["tools"] !== undefined && level !== "tool") {
    return { status: 400, body: Server.error("tools are not supported") }
  }
  if (level !== "tool") return "Here it is:\n```json\n{\"relevant\": true}\n```"
  const call = { id: "1", type: "function", function: { name: "verdict", arguments: "{\"relevant\":true}" } }
  return { choice: { finish_reason: "tool_calls", message: { content: null, tool_calls: [call] } } }
}

describe("a JSON value", () => {
  for (const [i, level] of ["json_schema", "json_object", "tool", "text"].entries()) {
    live(
      `is asked for as the endpoint understands it, which is remembered: ${level}`,
      ({ run, server }) =>
        Effect.gen(function*() {
          const { value } = yield* run(judged)
          assert.deepStrictEqual(value.value, { relevant: true })
          assert.strictEqual(server.seen.length, i + 1)
          yield* run(judged)
          assert.strictEqual(server.seen.length, i + 1)
          yield* run(writeValue(request("And this?"), shape))
          assert.strictEqual(server.seen.length, i + 2)
        }),
      only(level)
    )
  }
  live("that is wrong is asked for again with what is wrong, once", ({ run, server }) =>
    Effect.gen(function*() {
      const { value } = yield* run(judged)
      assert.deepStrictEqual(value.value, { relevant: false })
      assert.strictEqual(server.seen.length, 2)
      const turns = server.seen[1]!.body.messages
      assert.deepStrictEqual(turns.map(({ role }) => role), ["user", "assistant", "user"])
      assert.include(turns[2]!.content, "relevant")
    }), ({ body }) => body.messages.length === 1 ? "{\"relevant\": \"maybe\"}" : "{\"relevant\": false}")
  live("that stays wrong is none, and says why", ({ run, server }) =>
    Effect.gen(function*() {
      const { value: { problem, value } } = yield* run(judged)
      assert.isUndefined(value)
      assert.include(problem, "no JSON")
      assert.strictEqual(server.seen.length, 2)
    }), () => "yes")
  live("is limited in the other field where only that is known", ({ run, server }) =>
    Effect.gen(function*() {
      yield* run(Effect.forEach(["a", "b"], (text) => write(request(text)), { concurrency: 2 }))
      const { body } = server.seen.at(-1)!
      assert.deepStrictEqual([body["max_tokens"], body["max_completion_tokens"]], [undefined, 20])
    }), ({ body }) =>
    "max_tokens" in body
      ? { status: 400, body: Server.error("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.") }
      : "fine")
  it("is found in a text", () => {
    assert.deepStrictEqual(jsonIn("{\"a\": \"}\"}"), { a: "}" })
    assert.deepStrictEqual(jsonIn("see {this}: [1, {\"b\": \"\\\"]\"}] and {\"c\": 1}"), [1, { b: "\"]" }])
    assert.isUndefined(jsonIn("{\"a\": 1"))
    assert.isUndefined(jsonIn("nothing"))
    assert.isUndefined(jsonIn("{".repeat(100_000)))
  })
})

describe("a budget of tokens", () => {
  live("is never passed, and what was answered is kept", ({ run, server }) =>
    Effect.gen(function*() {
      const texts = ["a", "b", "c", "d", "e"]
      const one = mostTokens(request("a"))
      const all = Effect.forEach(texts, (text) => write(request(text)), { concurrency: 5 })
      /** An answer takes 17 tokens; the fourth request might take the sum past the budget. */
      const error = yield* failed(run(all, { token_budget: 3 * 17 + one - 1 }))
      isOf(error, "BudgetSpent", "51 are spent")
      assert.strictEqual(server.seen.length, 3)
      yield* run(all, { token_budget: 2 * 17 + one })
      assert.strictEqual(server.seen.length, 5)
    }))
})

describe("the pace", () => {
  it("follows what the endpoint tells of its quotas", () => {
    assert.deepStrictEqual(["1s", "6m0s", "120ms", "1h2m3.5s", "soon", ""].map(durationOf), [
      1000,
      360_000,
      120,
      3_723_500,
      undefined,
      undefined
    ])
    assert.strictEqual(usedUp({ "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "2s" }), 2000)
    assert.strictEqual(usedUp({ "x-ratelimit-remaining-tokens": "7", "x-ratelimit-reset-tokens": "2s" }), 0)
    assert.strictEqual(usedUp({ "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "24h" }), 60_000)
  })
  live("pauses before a quota is used up", ({ run, server }) =>
    Effect.gen(function*() {
      server.fail({ headers: { "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "200ms" } })
      const start = performance.now()
      yield* run(Effect.forEach(["a", "b"], (text) => write(request(text))))
      assert.isAtLeast(performance.now() - start, 195)
    }))
})
