/** The data of a run: what is refused before it starts, and what is told. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import { join } from "node:path"
import type { Epochs } from "../../src/datasets/batches.ts"
import type { Raw } from "../../src/domain/settings/RunConfig.ts"
import { corpus, judged, passages, prepare, questionsIn } from "../../src/programs/prepare.ts"
import { silent } from "../../src/runtime/ports/Reporter.ts"
import { jsonLines } from "../support/cli.ts"
import { folderOf, onDisk } from "../support/files.ts"
import * as Tiny from "../support/tiny.ts"

const change = (at: number, changes: object) =>
  Tiny.questions.map((q, i) => i === at ? Object.assign({}, q, changes) : q)

/** A folder with the tiny data and other files, and settings that name it. */
const made = Effect.fnUntraced(function*(files: Readonly<Record<string, ReadonlyArray<object>>>, overrides: Raw = {}) {
  const all = { "passages.jsonl": Tiny.passages, "questions.jsonl": Tiny.questions, ...files }
  const folder = yield* folderOf(Object.fromEntries(Object.entries(all).map(([name, own]) => [name, jsonLines(own)])))
  yield* Effect.orDie(Tiny.writeModels(folder))
  const inside = (name: unknown) => typeof name === "string" && name !== "" ? join(folder, name) : ""
  const { test_file = "questions.jsonl", train_file = "questions.jsonl", ...rest } = overrides
  return yield* Tiny.settings(folder, {
    passages_file: join(folder, "passages.jsonl"),
    train_file: inside(train_file),
    test_file: inside(test_file),
    ...rest
  })
})

const training = (files: Parameters<typeof made>[0], overrides?: Raw) =>
  Effect.flatMap(made(files, overrides), (c) => Effect.provide(prepare(c), silent))
const judging = Effect.fnUntraced(function*(files: Parameters<typeof made>[0], overrides?: Raw) {
  const c = yield* made(files, overrides)
  return yield* judged(c, "test", yield* corpus(c))
})

const unanswered = { answer: undefined, options: undefined, answerIndex: undefined }

describe("questions that cannot be learned from or judged", () => {
  const files = { "bad.jsonl": change(1, { gold: ["p1", "p99"] }), "mute.jsonl": change(2, unanswered) }
  for (
    const [what, settings, message] of [
      [
        "name a passage that is not there",
        { train_file: "bad.jsonl" },
        /1 questions name gold passages that .*passages.jsonl lacks \(first: q1\)/
      ],
      [
        "have no answer",
        { train_file: "mute.jsonl" },
        /1 questions of .*mute.jsonl have no answer to learn \(first: q2\)/
      ],
      [
        "have no explanation where one is learned",
        { rationale_target: " {explanation}" },
        /no question has an explanation to learn/
      ],
      ["are all held out", { test_file: "", holdout: 1 }, /no question is left to learn from: holdout \(1\)/],
      [
        "have no gold passage where it is needed",
        { train_file: "bare.jsonl", mode: "gold_supervised" },
        /needs the gold passage of every question; 1 have none \(first: q0\)/
      ]
    ] as const
  ) {
    it.live(`stop a training: they ${what}`, () =>
      onDisk(Effect.gen(function*() {
        const error = yield* Effect.flip(training({ ...files, "bare.jsonl": change(0, { gold: [] }) }, settings))
        assert.strictEqual(error._tag, "ConfigError")
        assert.match(error.message, message)
      })))
  }
  for (
    const [what, settings, message] of [
      [
        "name a passage that is not there",
        { test_file: "bad.jsonl" },
        /1 questions name gold passages that .*passages.jsonl lacks \(first: q1\)/
      ],
      [
        "have no answer",
        { test_file: "mute.jsonl" },
        /1 questions of .*mute.jsonl have no answer to be judged by \(first: q2\); mode lexical/
      ],
      ["are none", { test_file: "", holdout: 0.0001 }, /no question is held out: holdout \(0.0001\)/],
      [
        "have no gold passage for an oracle",
        { test_file: "bare.jsonl", mode: "oracle" },
        /needs the gold passage of every question; 1 have none/
      ]
    ] as const
  ) {
    it.live(`stop an evaluation: they ${what}`, () =>
      onDisk(Effect.gen(function*() {
        const error = yield* Effect.flip(judging({ ...files, "bare.jsonl": change(0, { gold: [] }) }, settings))
        assert.strictEqual(error._tag, "ConfigError")
        assert.match(error.message, message)
      })))
  }
  it.live("may lack an answer where only the ranking is judged, and where they are asked", () =>
    onDisk(Effect.gen(function*() {
      assert.strictEqual((yield* judging(files, { test_file: "mute.jsonl", mode: "lexical" })).length, 6)
      const c = yield* made(files)
      assert.strictEqual((yield* questionsIn(c.train_file.replace("questions", "mute"), c)).length, 6)
    })))
  it.live("are not read by modes that make their own", () =>
    onDisk(Effect.gen(function*() {
      const { epochs } = yield* training(files, { train_file: "mute.jsonl", mode: "lexical" })
      assert.strictEqual(epochs(0).length, Tiny.passages.length)
    })))
})

describe("passages without text", () => {
  const empty = { "passages.jsonl": [...Tiny.passages, { id: "p11", text: "" }] }
  const files = { ...empty, "questions.jsonl": change(1, { gold: ["p11", "p1"] }) }
  it.live("are none of the corpus, nor gold", () =>
    onDisk(Effect.gen(function*() {
      const { epochs, passages } = yield* training(files)
      assert.strictEqual(passages.size, 11)
      assert.deepStrictEqual((epochs as Epochs)(0)[1]!.gold, ["p1"])
      assert.deepStrictEqual((yield* judging(files))[1]!.gold, ["p1"])
    })))
  it.live("are told once, however often they are read", () => {
    const heard = new Array<string>()
    const logger = Logger.make(({ message }) => void heard.push(String(message)))
    return Effect.gen(function*() {
      const c = yield* made(files)
      yield* passages(c)
      yield* judged(c, "test", yield* corpus(c))
      yield* Effect.provide(prepare(c), silent)
      const about = (words: string) =>
        heard.filter((sentence) => sentence.startsWith(c.passages_file.slice(0, -14)) && sentence.includes(words))
      assert.lengthOf(about("1 passages have no text, and are left out (first: p11)"), 1)
      assert.lengthOf(about("1 questions name passages without text as gold, which are left out (first: q1)"), 1)
    }).pipe(Effect.scoped, Effect.provide([NodeFileSystem.layer, Logger.layer([logger])]))
  })
})

describe("max_eval_samples", () => {
  it.live("asks as many test questions, says so, and leaves training and wrong options as they are", () =>
    onDisk(Effect.gen(function*() {
      const size = Tiny.questions.length
      const settings = { distractors: "random", max_eval_samples: 2 }
      const two = yield* judging({}, settings)
      assert.deepStrictEqual(two.map(({ id }) => id), [0, Math.ceil(size / 2)].map((i) => Tiny.questions[i]!.id))
      const all = yield* judging({}, { distractors: "random" })
      assert.deepStrictEqual(two, all.filter(({ id }) => two.some((own) => own.id === id)))
      assert.strictEqual((yield* training({}, settings)).epochs(0).length, size)
      const said: Array<string> = []
      const logger = Logger.make(({ message }) => void said.push(String(message)))
      const c = yield* made({}, settings)
      yield* Effect.provide(judged(c, "test", yield* corpus(c)), Logger.layer([logger])).pipe(
        Effect.provideService(References.MinimumLogLevel, "Warn")
      )
      assert.isTrue(
        said.some((line) => line.endsWith(`2 of ${size} test questions are asked (max_eval_samples)`)),
        `${said}`
      )
    })))
})
