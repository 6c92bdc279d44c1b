/** `synthesize` from outside: what it says, what it leaves, and that the key is nowhere. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { anamnesis, jsonLines } from "../support/cli.ts"
import * as Server from "../support/endpoint.ts"

const KEY = "sk-of-this-test-alone"
const record = {
  query: "Which gene is at fault in Gaucher disease?",
  pos: ["Gaucher disease is caused by variants in GBA1, a gene on the long arm of chromosome one."],
  neg: ["Fabry disease is caused by GLA."]
}
const ANSWER = "Gaucher disease often begins with a large spleen, and is found in all peoples of the world."

/** A folder with one record, a server, and the command on them. */
const setting = Effect.gen(function*() {
  const server = yield* Server.start(() => ANSWER)
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "anamnesis-synthesize-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true }))
  )
  writeFileSync(join(folder, "in.jsonl"), jsonLines([record]))
  const run = (...args: ReadonlyArray<string>) =>
    Effect.promise(() =>
      anamnesis(
        folder,
        ["synthesize", "hard-negatives", "--in", "in.jsonl", "--out", "out.jsonl", ...args],
        { env: { ENDPOINT_API_KEY: KEY } }
      )
    )
  return { folder, run, server, there: ["--endpoint", server.base, "--model", "small"] }
})
type Setting = Effect.Success<typeof setting>
const live = (name: string, test: (s: Setting) => Effect.Effect<void>) =>
  it.live(name, () => Effect.scoped(Effect.flatMap(setting, test)), 180_000)

describe("synthesize hard-negatives", () => {
  live(
    "writes a batch in place of calls, and says what to do next",
    (s) =>
      Effect.gen(function*() {
        const { code, err, out } = yield* s.run(...s.there, "--batch", "requests.jsonl")
        assert.strictEqual(code, 0, err)
        assert.match(out, /requests without an answer +1\nThese are in .*requests\.jsonl; .*--answers FILE/)
        assert.deepStrictEqual([s.server.seen.length, existsSync(join(s.folder, "out.jsonl"))], [0, false])
        const { custom_id } = JSON.parse(readFileSync(join(s.folder, "requests.jsonl"), "utf8")) as {
          custom_id: string
        }
        const body = { choices: [{ finish_reason: "stop", message: { content: ANSWER } }] }
        writeFileSync(join(s.folder, "answers.jsonl"), jsonLines([{ custom_id, response: { status_code: 200, body } }]))
        const done = yield* s.run(...s.there, "--answers", "answers.jsonl")
        assert.match(done.out, /kept +1\n/)
        assert.strictEqual(s.server.seen.length, 0)
        const both = yield* s.run(...s.there, "--batch", "requests.jsonl", "--token-budget", "5")
        assert.match(both.err, /--token-budget is of calls; --batch makes none/)
      })
  )
  live(
    "tells what it would ask, then asks, tells the funnel, and leaves it beside the records",
    (s) =>
      Effect.gen(function*() {
        const dry = yield* s.run(...s.there, "--dry-run")
        assert.strictEqual(dry.code, 0, dry.err)
        assert.include(dry.out, record.query)
        assert.match(dry.out, /requests +1\n/)
        assert.deepStrictEqual([s.server.seen.length, existsSync(join(s.folder, "out.jsonl"))], [0, false])

        const { code, err, out } = yield* s.run(...s.there)
        assert.strictEqual(code, 0, err)
        assert.match(out, /kept +1\n/)
        assert.strictEqual(s.server.seen[0]!.key, KEY)
        const line = JSON.parse(readFileSync(join(s.folder, "out.jsonl"), "utf8")) as typeof record
        assert.deepStrictEqual(line.neg, [ANSWER])
        const again = yield* s.run(...s.there, "--json")
        assert.deepInclude(JSON.parse(again.out).spent, { calls: 0, cached: 1 })
        const names = readdirSync(s.folder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile())
        const texts = names.map((one) => readFileSync(join(one.parentPath, one.name), "utf8"))
        assert.isFalse([...texts, err, out, again.err].some((text) => text.includes(KEY)))
        assert.deepStrictEqual(readdirSync(s.folder).toSorted(), [
          "in.jsonl",
          "out.jsonl",
          "out.jsonl.README.md",
          "out.jsonl.answers",
          "out.jsonl.report.json"
        ])
      })
  )
  live("says in a line what stops it", (s) =>
    Effect.gen(function*() {
      s.server.fail({ status: 401, body: Server.error(`Incorrect API key provided: ${KEY}`) })
      const denied = yield* s.run(...s.there)
      assert.deepStrictEqual([denied.code, denied.out], [1, ""])
      assert.match(denied.err, /^anamnesis: http.*answers 401: Incorrect API key provided: \*\*\*; it does not accept/)
      for (
        const [args, why] of [
          [[], /name one writer/],
          [["--endpoint", s.server.base], /needs a --model/],
          [[...s.there, "--temperature", "warm"], /--temperature must be/],
          [[...s.there, "--samples", "0"], /--samples must be/],
          [[...s.there, "--token-budget", "10"], /the token budget is 10, of which 0 are spent.*larger budget/]
        ] as const
      ) {
        const { code, err } = yield* s.run(...args)
        assert.strictEqual(code, 1)
        assert.match(err, why)
      }
    }))
})

describe("other kinds of synthetic data", () => {
  it.live("are made by rule without a model, and refuse what does not fit", () =>
    Effect.gen(function*() {
      const { folder } = yield* setting
      const questions = ["spleen", "heart"].map((answer) => ({
        id: answer,
        question: "Which organ?",
        answer,
        type: "organ"
      }))
      writeFileSync(join(folder, "open.jsonl"), jsonLines(questions))
      const run = (...args: ReadonlyArray<string>) => Effect.promise(() => anamnesis(folder, ["synthesize", ...args]))
      const closed = ["closed", "--in", "open.jsonl", "--out", "closed.jsonl", "--by", "rule", "--licence", "CC0"]
      const { code, err, out } = yield* run(...closed)
      assert.strictEqual(code, 0, err)
      assert.match(out, /kept +2\n/)
      assert.lengthOf(readFileSync(join(folder, "closed.jsonl"), "utf8").trimEnd().split("\n"), 4)
      assert.include(readFileSync(join(folder, "closed.jsonl.README.md"), "utf8"), "license_name: \"CC0\"")
      const passages = ["--passages", "open.jsonl", "--out", "x.jsonl"]
      for (
        const [args, why] of [
          [[...closed, "--endpoint", "http://127.0.0.1:1"], /a rule asks no model/],
          [["questions", ...passages, "--where", "organ", "--near-duplicate", "0"], /--near-duplicate must be above 0/],
          [["tasks", ...passages, "--where", "organ"], /organ is not field=value/],
          [
            ["instructions", "--count", "1", "--out", "x.jsonl", "--judge", "--least", "quality=6"],
            /quality=6 is not crit/
          ]
        ] as const
      ) {
        const refused = yield* run(...args)
        assert.strictEqual(refused.code, 1)
        assert.match(refused.err, why)
      }
    }).pipe(Effect.scoped), 180_000)
})
