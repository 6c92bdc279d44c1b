/** Questions and passages that do not fit, told before anything is loaded. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { fromRecords } from "../../src/datasets/dataset.ts"
import type { QuestionRecord } from "../../src/domain/records/Records.ts"
import type { Raw } from "../../src/domain/settings/RunConfig.ts"
import { fitting, tellPassages, type Use } from "../../src/programs/preflight.ts"
import { onDisk } from "../support/files.ts"
import * as Tiny from "../support/tiny.ts"
import { warned } from "../support/warnings.ts"

const long = { ...Tiny.questions[0]!, id: "long", question: `${"Long fingers. ".repeat(60)}Which gene?` }
const records = [...Tiny.questions, long]

const fit = Effect.fnUntraced(function*(use: Use, overrides: Raw = {}, own: ReadonlyArray<QuestionRecord> = records) {
  const folder = yield* Tiny.folder
  return yield* warned(fitting(yield* Tiny.settings(folder, overrides), `${use} ${folder}`, use, own))
})
const refused = (...args: Parameters<typeof fit>) => Effect.map(Effect.flip(fit(...args)), ({ message }) => message)

describe("questions that exceed max_length", () => {
  it.live("are refused by name, with their tokens and what to do", () =>
    onDisk(Effect.gen(function*() {
      for (const use of ["learn", "answer"] as const) {
        assert.match(
          yield* refused(use),
          /1 of 7 questions with [a-z ]+ exceed max_length \(160\): long \(\d{3} tokens\); raise max_length, or set excess_length/
        )
      }
      const many = Array.from({ length: 5 }, (_, i) => ({ ...long, id: `q${i}` }))
      assert.match(yield* refused("learn", {}, many), /5 of 5 questions .*: q0 \(.*\), q1 \(.*\), q2 \(.*\), \.\.\.;/)
    })))
  it.live("count the explanation that they are learned with", () =>
    onDisk(Effect.gen(function*() {
      const own = [{ ...Tiny.questions[0]!, explanation: "Long fingers. ".repeat(60) }]
      const explained = { rationale_target: " {explanation}" }
      assert.match(yield* refused("learn", explained, own), /q0 \(\d{3} tokens\)/)
      assert.deepStrictEqual((yield* fit("learn", {}, own)).value.long, [])
      assert.deepStrictEqual((yield* fit("answer", explained, own)).value.long, [])
    })))
  it.live("have their text cut where they may, and are told", () =>
    onDisk(Effect.gen(function*() {
      const { lines, value } = yield* fit("learn", { excess_length: "truncate" })
      assert.deepStrictEqual(value.records, records)
      assert.strictEqual(value.long[0]!.id, "long")
      assert.match(lines.join("\n"), /long \(\d{3} tokens\); the beginning of their text is cut/)
      const options = Array.from({ length: 26 }, (_, i) => `${"fingers and hands ".repeat(3)}${i}`)
      const hopeless = [{ ...long, options, answer: options[0]!, answerIndex: 0 }]
      assert.match(
        yield* refused("learn", { excess_length: "truncate" }, hopeless),
        /1 question exceed max_length \(160\) without a word of their text: long/
      )
    })))
  it.live("are not learned from, or left unanswered, where they may be skipped, and are told", () =>
    onDisk(Effect.gen(function*() {
      const learned = yield* fit("learn", { excess_length: "skip" })
      assert.deepStrictEqual(learned.value.records, Tiny.questions)
      assert.match(learned.lines.join("\n"), /they are not learned from/)
      const answered = yield* fit("answer", { excess_length: "skip" })
      assert.deepStrictEqual(answered.value.records, records)
      assert.match(answered.lines.join("\n"), /they are left unanswered/)
      assert.match(
        yield* refused("learn", { excess_length: "skip" }, [long]),
        /no question is left that fits max_length/
      )
    })))
  it.live("are those whose options, text to write or explanation do not fit, too", () =>
    onDisk(Effect.gen(function*() {
      const some = { max_length: 60, answer_format: "text" }
      yield* fit("learn", some, Tiny.questions)
      assert.match(yield* refused("answer", { ...some, answer_by: "generation", max_new_tokens: 40 }), /of 7 questions/)
      assert.match(yield* refused("answer", { ...some, rationale_prompt: "So", rationale_max_new_tokens: 40 }), /of 7/)
      const options = Array.from({ length: 8 }, (_, i) => `Gaucher disease and Fabry disease ${i}`)
      const wide = [{ ...Tiny.questions[0]!, options, answer: options[0]! }]
      yield* fit("learn", { answer_format: "text", options_in_prompt: false, max_length: 80 }, wide)
      assert.match(
        yield* refused("answer", { answer_format: "text", options_in_prompt: false, max_length: 80 }, wide),
        /1 of 1 question /
      )
    })))
  it.live("are not looked for where nothing is read", () =>
    onDisk(Effect.map(fit("learn", { mode: "lexical" }), ({ value }) => assert.deepStrictEqual(value.long, []))))
  it.live("are found among a hundred thousand in seconds", () =>
    onDisk(Effect.gen(function*() {
      const many = Array.from({ length: 100_000 }, (_, i) => ({ ...Tiny.questions[i % 6]!, id: `q${i}` }))
      const began = performance.now()
      const own = { max_length: 160, mode: "bm25_rag", excess_length: "skip" }
      const { value } = yield* fit("learn", own, [...many.slice(0, 50_000), long, ...many.slice(50_000)])
      assert.deepStrictEqual([value.long.length, value.records.length], [1, 100_000])
      assert.isBelow(performance.now() - began, 20_000)
    })), 60_000)
})

describe("before anything is loaded", () => {
  it.live("queries that are cut are counted", () =>
    onDisk(Effect.gen(function*() {
      const { lines } = yield* fit("learn", { query_max_len: 40, max_length: 160, excess_length: "truncate" })
      assert.match(lines.join("\n"), /\d+% of the queries have more tokens than query_max_len \(40\) and are cut/)
      const none = yield* fit("learn", { query_max_len: 120 }, Tiny.questions)
      assert.deepStrictEqual(none.lines, [])
    })))
  it.live("options beyond the letters are refused", () =>
    onDisk(Effect.gen(function*() {
      const options = Array.from({ length: 27 }, (_, i) => `o${i}`)
      const many = [{ ...Tiny.questions[0]!, options, answer: "o0", answerIndex: 0 }]
      assert.match(yield* refused("answer", {}, many), /1 question with more than 26 options, .* \(first: q0, 27\)/)
    })))
  it.live("ways to write that are not known are refused where something is written", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* Tiny.folder
      writeFileSync(join(folder, "reader", "generation_config.json"), "{\"num_beams\": 4, \"eos_token_id\": 3}")
      const asked = Effect.fnUntraced(function*(overrides: Raw, own = Tiny.questions) {
        return yield* fitting(yield* Tiny.settings(folder, overrides), "x", "answer", own)
      })
      yield* asked({})
      const writes: ReadonlyArray<readonly [Raw, ReadonlyArray<QuestionRecord>?]> = [
        [{ answer_by: "generation" }],
        [{ rationale_prompt: "So", rationale_max_new_tokens: 4 }],
        [{}, [{ ...Tiny.questions[0]!, options: [], answerIndex: -1 }]]
      ]
      for (const [own, some] of writes) {
        assert.match((yield* Effect.flip(asked(own, some))).message, /generation_config\.json: num_beams 4: how tokens/)
      }
    })))
})

describe("passages that are cut", () => {
  const passages = Effect.fnUntraced(function*(overrides: Raw) {
    const folder = yield* Tiny.folder
    const config = yield* Tiny.settings(folder, { ...overrides, passages_file: `${folder}.jsonl` })
    return (yield* warned(tellPassages(config, fromRecords(Tiny.passages)))).lines.join("\n")
  })
  it.live("are counted once, by the retriever and by the reader", () =>
    onDisk(Effect.gen(function*() {
      assert.match(
        yield* passages({ passage_max_len: 20 }),
        /: \d+% of the passages have more tokens than passage_max_len \(20\)/
      )
      assert.match(
        yield* passages({ text_maxlength: 30 }),
        /: \d+% of the passages have more tokens than text_maxlength \(30\)/
      )
      assert.strictEqual(yield* passages({ passage_max_len: 120, n_context: 1 }), "")
    })))
  it.live("for want of room in a prompt are told", () =>
    onDisk(Effect.gen(function*() {
      assert.match(
        yield* passages({ max_length: 60 }),
        /max_length \(60\) has room for about \d of 2 passages; the worst give way/
      )
    })))
})
