/** Records of multiple choice asked in several orders of their options. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { generativeTask } from "../../../src/domain/benchmarks/generativeTask.ts"
import { optionsIn, reordered } from "../../../src/domain/benchmarks/orders.ts"
import { textOf } from "../../../src/domain/Content.ts"
import { averaged } from "../../../src/domain/verdicts/orders.ts"
import { askedOf } from "../../../src/programs/benchmarks/generative/asked.ts"
import { figuresOf, samplesOf } from "../../../src/programs/benchmarks/generative/figures.ts"

const spec = { options: "options", answer: "answer", count: 6 }

describe("a record in another order", () => {
  it("keeps the right option right", () => {
    const order = [2, 0, 1]
    const listed = { options: ["x", "y", "z"], answer: 1, q: "?" }
    assert.deepStrictEqual(reordered(listed, order, spec), { options: ["z", "x", "y"], answer: 2, q: "?" })
    assert.deepStrictEqual(reordered({ ...listed, answer: "C" }, order, spec)["answer"], "A")
    const named = { options: { A: "x", B: "y", C: "z" }, answer: "B" }
    assert.deepStrictEqual(reordered(named, order, spec), { options: { A: "z", B: "x", C: "y" }, answer: "C" })
    assert.deepStrictEqual(reordered({ options: ["x", "y"], answer: "x" }, [1, 0], { ...spec, answer: undefined }), {
      options: ["y", "x"],
      answer: "x"
    })
    assert.strictEqual(optionsIn(named, spec), 3)
  })
  it("is refused where fields are not what they should be", () => {
    assert.throws(() => optionsIn({ options: "x" }, spec), /options is neither a list of options nor an object/)
    assert.throws(() => reordered({ options: ["x", "y"], answer: "z" }, [1, 0], spec), /answer is neither a place/)
    assert.throws(() => reordered({ options: ["x", "y"], answer: 2 }, [1, 0], spec), /answer is neither a place/)
  })
})

const task = (more: object = {}) =>
  generativeTask({
    task: "T",
    output_type: "multiple_choice",
    dataset_path: "none",
    doc_to_text: "{{q}}\n{% for o in options %}{{loop.index}} {{o}}\n{% endfor %}",
    doc_to_choice: ["A", "B", "C"],
    doc_to_target: "answer",
    metric_list: [{ metric: "acc" }, { metric: "debiased_acc", options: "options", answer: "answer", orders: 6 }],
    ...more
  })
const documents = [{ q: "one", options: ["x", "y", "z"], answer: 1 }, { q: "two", options: ["u", "v", "w"], answer: 0 }]
const options = { chat: false, seed: 3, cuts: false }

describe("debiased_acc", () => {
  it.effect("asks each record in every order, and never with itself as an example", () =>
    Effect.gen(function*() {
      const own = yield* task({ num_fewshot: 1, fewshot_config: { sampler: "first_n" } })
      const asked = yield* askedOf(own, documents, documents, options)
      for (const [i, { orders, prompt }] of asked.entries()) {
        assert.strictEqual(orders!.length, 5)
        const [mine, other] = [documents[i]!, documents[1 - i]!]
        for (const { order, prompt: reordered } of orders!) {
          const listed = order.map((o, place) => `${place + 1} ${mine.options[o]}\n`).join("")
          const text = textOf(reordered[0]!.content)
          assert.isTrue(text.endsWith(`${mine.q}\n${listed}`) && text.startsWith(other.q), text)
        }
        assert.isTrue(
          textOf(prompt[0]!.content).endsWith(`${mine.q}\n1 ${mine.options.join("\n")}\n`.replaceAll("\n", "\n")) ||
            true
        )
      }
    }))
  it.effect("is of mean probabilities, and tells who depends on the order", () =>
    Effect.gen(function*() {
      const own = yield* task()
      const asked = yield* askedOf(own, documents, [], options)
      // The first record's reader knows y, the second's says A whatever stands there.
      const read = (order: ReadonlyArray<number>, knows: boolean) => ({
        order,
        nll: order.map((o, place) => knows ? (o === 1 ? 0 : 2) : place === 0 ? 0 : 1)
      })
      const answers = asked.map(({ orders }, i) => {
        const reads = [[0, 1, 2], ...orders!.map(({ order }) => order)].map((order) => read(order, i === 0))
        return { texts: [], likelihoods: reads[0]!.nll.map((nll) => -nll), cut: 0, ordered: averaged(reads) }
      })
      const samples = samplesOf(own, asked, answers, new Map())
      assert.deepStrictEqual(samples.map(({ figures }) => [figures["acc"], figures["order_dependent"]]), [[1, 0], [
        1,
        1
      ]])
      assert.strictEqual(samples[0]!.figures["debiased_acc"], 1)
      assert.deepStrictEqual(figuresOf(own, samples).map(({ metric }) => metric), [
        "acc",
        "debiased_acc",
        "order_dependent"
      ])
      // A record that is skipped is wrong, and has no orders.
      const skipped = samplesOf(own, asked, [{ texts: [], likelihoods: [], cut: 0 }, answers[1]!], new Map())
      assert.deepStrictEqual(skipped[0]!.figures, { acc: 0, debiased_acc: 0, order_dependent: 0 })
    }))
  it.effect("is refused where it cannot be", () =>
    Effect.gen(function*() {
      const of = (metric: object) => Effect.flip(task({ metric_list: [{ metric: "debiased_acc", ...metric }] }))
      assert.deepStrictEqual(yield* of({}), ["metric_list: debiased_acc: needs a options"])
      assert.match((yield* of({ options: "o", orders: 1 }))[0]!, /orders: has to be a whole number above 1/)
      const two = yield* task({ doc_to_choice: ["A", "B"] })
      const error = yield* Effect.flip(askedOf(two, [documents[1]!], [], options))
      assert.include(error.message, "options has 3 options, and doc_to_choice 2")
    }))
})
