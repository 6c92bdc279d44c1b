/** What a run studies: batches in their order, questions held out, options drawn, and questions made of the corpus. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as fc from "fast-check"
import { batches, once } from "../../src/datasets/batches.ts"
import { heldOut, spread, withRandomOptions } from "../../src/datasets/splits.ts"
import * as Frame from "../../src/domain/Frame.ts"
import type { QuestionRecord } from "../../src/domain/records/Records.ts"
import { cloze, lexical, scrambled } from "../../src/systems/jmlr/warmUps.ts"
import * as Tiny from "../support/tiny.ts"

const record = (id: string, changes: Partial<QuestionRecord> = {}): QuestionRecord => ({
  id,
  question: `question ${id}`,
  options: [],
  answer: "yes",
  answerIndex: -1,
  gold: [],
  group: id,
  type: "",
  ...changes
})

const collected = (stream: ReturnType<typeof once>) =>
  Array.from(Effect.runSync(Stream.runCollect(stream)), (rows) => ({
    steps: [...Frame.column(rows, "step")],
    ids: [...Frame.column(rows, "qid")],
    gold: [...Frame.column(rows, "gold")]
  }))

describe("batches", () => {
  const epochs = (count: number) => (epoch: number) => Array.from({ length: count }, (_, i) => record(`${epoch}.${i}`))
  const some = fc.record({
    count: fc.integer({ min: 1, max: 9 }),
    size: fc.integer({ min: 1, max: 7 }),
    seed: fc.nat()
  })
  const ask = (given: { count: number; size: number; seed: number }, from: number, to: number) =>
    collected(batches(epochs(given.count), { ...given, from, to }, { row: () => 0 }))

  it("have every question of each epoch once, one epoch after the other", () => {
    fc.assert(
      fc.property(some, (given) => {
        const all = ask(given, 0, 3 * given.count)
        assert.isTrue(all.every(({ ids }) => ids.length === given.size))
        const ids = all.flatMap((b) => b.ids)
        for (let epoch = 0; epoch < 3 * given.size; epoch++) {
          const own = ids.slice(epoch * given.count, (epoch + 1) * given.count)
          assert.deepStrictEqual(own.toSorted(), epochs(given.count)(epoch).map((q) => q.id).toSorted())
        }
      }),
      { numRuns: 30 }
    )
  })
  it("depend on their step alone, and tell it", () => {
    fc.assert(
      fc.property(some, fc.nat(20), (given, from) => {
        assert.deepStrictEqual(ask(given, from, from + 4), ask(given, 0, from + 4).slice(from))
        assert.deepStrictEqual(ask(given, from, from + 1)[0]!.steps, Array<number>(given.size).fill(from))
      }),
      { numRuns: 30 }
    )
  })
  it("come in an order of their own in every epoch and under every seed", () => {
    const orders = [1, 2].flatMap((seed) => ask({ count: 9, size: 9, seed }, 0, 3))
      .map(({ ids }) => ids.map((id) => id.split(".")[1]).join())
    assert.strictEqual(new Set(orders).size, 6)
  })
  it("find the gold passages by their ids, those that there are", () => {
    const records = [record("a", { gold: ["p7", "p1"] }), record("b"), record("c", { gold: ["lost"] })]
    const found = collected(once(records, 2, { row: (id) => id === "p7" ? 7 : id === "p1" ? 1 : -1 }))
    assert.deepStrictEqual(found.map(({ gold, ids }) => [ids, gold.map((own) => [...own])]), [[["a", "b"], [
      [7, 1],
      []
    ]], [["c"], [[]]]])
  })
})

describe("questions held out", () => {
  const grouped = fc.array(fc.nat(12), { maxLength: 40, size: "max" })
    .map((groups) => groups.map((group, i) => record(`q${i}`, { group: `g${group}` })))
  const share = fc.nat(100).map((percent) => percent / 100)

  it("are whole groups, and with the others all there are, in order", () => {
    fc.assert(fc.property(grouped, share, fc.nat(), (records, share, seed) => {
      const held = heldOut(records, share, seed, true)
      const kept = heldOut(records, share, seed, false)
      const groups = new Set(held.map((q) => q.group))
      assert.deepStrictEqual(held, records.filter((q) => groups.has(q.group)))
      assert.deepStrictEqual(kept, records.filter((q) => !groups.has(q.group)))
    }))
  })
  it("are drawn by their group alone, and only grow with the share", () => {
    fc.assert(fc.property(grouped, share, fc.nat(), (records, share, seed) => {
      const held = heldOut(records, share, seed, true)
      for (const q of records) assert.strictEqual(heldOut([q], share, seed, true).length === 1, held.includes(q))
      const more = heldOut(records, (1 + share) / 2, seed, true)
      assert.isTrue(held.every((q) => more.includes(q)))
    }))
  })
  it("are about as many as the share says, and others under another seed", () => {
    const records = Array.from({ length: 2000 }, (_, i) => record(`q${i}`))
    const [one, two] = [heldOut(records, 0.3, 1, true), heldOut(records, 0.3, 2, true)]
    assert.approximately(one.length, 600, 80)
    assert.notDeepEqual(one, two)
    assert.deepStrictEqual([heldOut(records, 0, 1, true).length, heldOut(records, 1, 1, true).length], [0, 2000])
  })
})

describe("random options", () => {
  const answers = fc.constantFrom("A", "B", "C", "D", "E", "F", "G")
  const question = fc.record({
    options: fc.uniqueArray(answers, { minLength: 1, maxLength: 5 }),
    place: fc.nat(),
    type: fc.constantFrom("gene", "sign")
  })
  const records = fc.array(question, { minLength: 1, maxLength: 10 }).map((all) =>
    all.map(({ options, place, type }, i) => {
      const answerIndex = place % options.length
      return record(`q${i}`, { options, answerIndex, answer: options[answerIndex]!, type })
    })
  )
  it("leave the right answer in its place and give no option twice", () => {
    fc.assert(
      fc.property(records, fc.nat(), (records, seed) => {
        withRandomOptions(records, seed).forEach((q, i) => {
          assert.strictEqual(q.options[q.answerIndex], records[i]!.answer)
          assert.strictEqual(q.options.length, records[i]!.options.length)
          assert.strictEqual(new Set(q.options).size, q.options.length, q.options.join())
          assert.deepStrictEqual({ ...q, options: [] }, { ...records[i]!, options: [] })
        })
      }),
      { numRuns: 300 }
    )
  })
  it("are right answers of other questions of the type, where there are enough", () => {
    const drawn = withRandomOptions(
      Array.from({ length: 40 }, (_, i) => {
        const type = i % 2 === 0 ? "gene" : "sign"
        return record(`q${i}`, { options: ["x", `${type} ${i}`, "y"], answerIndex: 1, answer: `${type} ${i}`, type })
      }),
      5
    )
    for (const { options, type } of drawn) {
      assert.isTrue(options.every((option) => option.startsWith(type)), options.join())
    }
    assert.isAbove(new Set(drawn.map((q) => q.options[0])).size, 10)
  })
  it("leave a free answer free", () => {
    assert.deepStrictEqual(withRandomOptions([record("a"), record("b")], 1), [record("a"), record("b")])
  })
})

const words = (text: string): ReadonlyArray<string> => text.split(/\s+/)
const within = (part: ReadonlyArray<string>, whole: ReadonlyArray<string>): boolean => {
  let at = 0
  for (const word of whole) if (word === part[at]) at++
  return at === part.length
}

describe("questions made of passages", () => {
  it("to be copied go on after the question's words", () => {
    for (const seed of [1, 2, 3]) {
      const asked = [0, 1, 2, 3].flatMap((epoch) => cloze(Tiny.passages, seed)(epoch))
      asked.forEach(({ answer, answerIndex, gold, question }, i) => {
        const { id, text } = Tiny.passages[i % Tiny.passages.length]!
        assert.include(` ${words(text).join(" ")} `, ` ${question} ${answer} `)
        assert.isTrue(question !== "" && answer !== "")
        assert.deepStrictEqual([gold, answerIndex], [[id], -1])
      })
    }
  })
  it("to be found have words of the passage in its order, after words of any", () => {
    const corpus = new Set(Tiny.passages.flatMap(({ text }) => words(text)))
    const asked = [0, 1, 2, 3].flatMap((epoch) => lexical(Tiny.passages, 7)(epoch))
    asked.forEach(({ gold, question }, i) => {
      const { id, text } = Tiny.passages[i % Tiny.passages.length]!
      const said = words(question)
      const splits = [0, 1, 2, 3, 4, 5, 6].map((foreign) => said.slice(foreign)).filter((own) => own.length >= 2)
      assert.isTrue(splits.some((own) => own.length <= 6 && within(own, words(text))), question)
      assert.isTrue(said.every((word) => corpus.has(word)), question)
      assert.deepStrictEqual(gold, [id])
    })
  })
  it("to be found leave out what every passage has", () => {
    const passages = Array.from({ length: 30 }, (_, i) => ({
      id: `p${i}`,
      text: [...Array.from({ length: 7 }, (_, w) => `w${i}-${w}`), "the"].join(" ")
    }))
    const last = lexical(passages, 1)(0).map(({ question }) => words(question).at(-1)!)
    last.forEach((word, i) => assert.match(word, new RegExp(`^w${i}-`)))
  })
  it("are others in every epoch and under every seed, and the same the second time", () => {
    for (const make of [cloze, lexical]) {
      const text = (seed: number, epoch: number) => JSON.stringify(make(Tiny.passages, seed)(epoch))
      assert.strictEqual(new Set([text(1, 0), text(1, 1), text(2, 0)]).size, 3)
      assert.strictEqual(text(1, 1), text(1, 1))
    }
  })
})

describe("scrambled passages", () => {
  const made = scrambled(Tiny.passages, 12, 3)
  it("have so many words each, of the corpus, under the old ids", () => {
    const corpus = new Set(Tiny.passages.flatMap(({ text }) => words(text)))
    assert.deepStrictEqual(made.map((p) => p.id), Tiny.passages.map((p) => p.id))
    for (const { text } of made) {
      assert.strictEqual(words(text).length, 12)
      assert.isTrue(words(text).every((word) => corpus.has(word)))
    }
  })
  it("differ from each other and under another seed, and are the same the second time", () => {
    assert.strictEqual(new Set(made.map((p) => p.text)).size, made.length)
    assert.notDeepEqual(scrambled(Tiny.passages, 12, 4), made)
    assert.deepStrictEqual(scrambled(Tiny.passages, 12, 3), made)
  })
})

describe("a sample at even distances", () => {
  const ten = Array.from({ length: 10 }, (_, i) => i)
  it("has the first and others in their order, or all where there are no more", () => {
    assert.deepStrictEqual(spread(ten, 4), [0, 3, 5, 8])
    assert.deepStrictEqual(spread(ten, 1), [0])
    for (const count of [10, 11]) assert.deepStrictEqual(spread(ten, count), ten)
  })
  it("has as many as asked, none twice", () => {
    for (const count of ten.slice(1)) assert.strictEqual(new Set(spread(ten, count)).size, count)
  })
})
