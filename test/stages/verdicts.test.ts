/** Verdicts, targets and fused answers, on ports in memory. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as fc from "fast-check"
import { textOf } from "../../src/domain/Content.ts"
import * as Frame from "../../src/domain/Frame.ts"
import { Candidates, ClassScores, Draw } from "../../src/domain/tables.ts"
import { softmax } from "../../src/domain/verdicts/utility.ts"
import { type Fusion, LanguageModel } from "../../src/runtime/ports/LanguageModel.ts"
import * as Pipelines from "../../src/stages/pipelines.ts"
import { verdictTarget, type VerdictTargetOptions } from "../../src/stages/score.ts"
import { answerFused, readVerdicts, VerdictCache, weigh } from "../../src/stages/verdicts.ts"
import * as Fakes from "../support/fakes.ts"
import * as Asking from "../support/reading.ts"
import * as Rows from "../support/rows.ts"
import { questions } from "../support/tiny.ts"

const row = <A>(block: ArrayLike<A>, r: number, rows = 6) => Rows.rowOfBlock(block, rows, r)
const prompting = { ...Asking.defaults, answer_format: "text" } as const
const fusing = { ...prompting, fusion: "lockstep" } as const
const K = Math.max(...questions.map(({ options }) => options.length))

/** The ports, and how many prompts the reader was given. */
const counted = () => {
  const { calls, layer } = Fakes.ports(Rows.texts)
  const read = { prompts: 0, ends: new Set<string | undefined>() }
  const counting = Layer.effect(
    LanguageModel,
    Effect.map(LanguageModel, (own) => ({
      ...own,
      rank: (prompts, continuations, reduction, end) => {
        read.prompts += prompts.length
        read.ends.add(end)
        return own.rank(prompts, continuations, reduction, end)
      }
    }))
  )
  return { calls, read, layer: Layer.provideMerge(counting, layer) }
}

const drawn = (docs: ReadonlyArray<ReadonlyArray<number>>) =>
  Frame.append(Rows.frame(), { drawn: Draw(docs[0]!.length, 1).drawn }, { drawn: Int32Array.from(docs.flat()) })

describe("readVerdicts", () => {
  it.effect("scores every option given every passage alone", () => {
    const { layer } = counted()
    return Effect.gen(function*() {
      const gold = questions.map((q) => Number(q.gold[0]!.slice(1)))
      const found = yield* readVerdicts(2, K + 1, prompting).run(drawn(gold.map((doc) => [doc, -1])))
      const { scores } = Rows.blocks(found)
      questions.forEach(({ answerIndex, options }, r) => {
        const [first, second] = [row(scores, r).slice(0, K + 1), row(scores, r).slice(K + 1)]
        assert.strictEqual(first.indexOf(Math.max(...first)), answerIndex)
        options.forEach((_, c) => assert.isTrue(first[c]! < 0 && first[c]! >= -1))
        assert.isTrue([...first.slice(options.length), ...second].every((own) => own === -Infinity))
      })
    }).pipe(Effect.provide(layer))
  })
  it.effect("scores options with the end of the text or without it, as option_end says", () => {
    const { layer, read } = counted()
    return Effect.gen(function*() {
      const rows = drawn(questions.map(() => [0]))
      yield* readVerdicts(1, K, { ...prompting, option_end: "open" }).run(rows)
      assert.deepStrictEqual([...read.ends], ["open"])
      yield* readVerdicts(1, K, prompting).run(rows)
      assert.deepStrictEqual([...read.ends], ["open", "eos"])
    }).pipe(Effect.provide(layer))
  })
  it.effect("scores the answer where there are no options, and refuses more than it has room for", () =>
    Effect.gen(function*() {
      const open = questions.map((q) => ({ ...q, options: [], answerIndex: -1 }))
      const rows = Frame.append(Rows.frame(3, open), { drawn: Draw(1, 1).drawn }, { drawn: new Int32Array(6) })
      const { scores } = Rows.blocks(yield* readVerdicts(1, 2, prompting).run(rows))
      for (let r = 0; r < 6; r++) {
        assert.isTrue(row(scores, r)[0]! > -Infinity)
        assert.strictEqual(row(scores, r)[1], -Infinity)
      }
      const exit = yield* Effect.exit(readVerdicts(1, 1, prompting).run(drawn(questions.map(() => [0]))))
      assert.include(String(exit), "options; verdicts have room for 1")
    }).pipe(Effect.provide(Fakes.ports(Rows.texts).layer)))

  const docs = fc.array(fc.array(fc.integer({ min: -1, max: 7 }), { minLength: 3, maxLength: 3 }), {
    minLength: 6,
    maxLength: 6
  })
  it("gives the same with a cache, whatever was read before and however little it holds", () => {
    fc.assert(
      fc.property(fc.array(docs, { minLength: 1, maxLength: 4 }), fc.integer({ min: 0, max: 40 }), (batches, most) => {
        const [plain, cached] = [counted(), counted()]
        const cache = new VerdictCache(most)
        const run = (stage: ReturnType<typeof readVerdicts>, { layer }: ReturnType<typeof counted>) =>
          batches.map((own) =>
            Rows.blocks(Effect.runSync(Effect.provide(Effect.orDie(stage.run(drawn(own))), layer))).scores
          )
        assert.deepStrictEqual(
          run(readVerdicts(3, K, prompting, cache), cached),
          run(readVerdicts(3, K, prompting), plain)
        )
        assert.isAtMost(cached.read.prompts, plain.read.prompts)
        assert.isAtMost(cache.size, Math.max(most, 9))
      }),
      { numRuns: 40 }
    )
  })
  it.effect("reads a pair once", () => {
    const { layer, read } = counted()
    return Effect.gen(function*() {
      const stage = readVerdicts(3, K, prompting, new VerdictCache())
      yield* stage.run(drawn(questions.map(() => [1, 1, 2])))
      assert.strictEqual(read.prompts, 12)
      yield* stage.run(drawn(questions.map(() => [2, 3, 1])))
      assert.strictEqual(read.prompts, 18)
    }).pipe(Effect.provide(layer))
  })
})

const goal: VerdictTargetOptions = {
  utility: "double_softmax",
  prior: "scores",
  direction: "target_first",
  temperatureGold: 1,
  temperatureScore: 1,
  disagreeing: false
}
/** Rows with the passages 0 to 3 drawn in the order 2 0 3 1, and these class scores and retriever's scores. */
const judged = (scores: ReadonlyArray<number>, docScore: ReadonlyArray<number>, docs = [0, 1, 2, 3]) => {
  const drawn = [2, 0, 3, 1].map((place) => docs[place]!)
  const many = (values: ReadonlyArray<number>) => questions.flatMap(() => values)
  const width = scores.length / 4
  return Frame.append(
    Rows.frame(3, questions.map((q) => ({ ...q, answerIndex: 1 }))),
    { ...ClassScores(4, 2), drawn: Draw(4, 1).drawn, ...Candidates(4) },
    {
      scores: Float32Array.from(many([2, 0, 3, 1].flatMap((i) => scores.slice(i * width, (i + 1) * width)))),
      drawn: Int32Array.from(many(drawn)),
      docs: Int32Array.from(many(docs)),
      docScore: Float32Array.from(many(docScore))
    }
  )
}
const s = [0.62, 0.55, 0.71, 0.4]
const Z = [2, 0.5, 0, 0, -1, 3, 1, 1.5]
const targetOf = (frame: ReturnType<typeof judged>, o: Partial<VerdictTargetOptions> = {}) =>
  row(Rows.blocks(Effect.runSync(verdictTarget(4, 4, 2, { ...goal, ...o }).run(frame))).target, 4)
const near = (found: ReadonlyArray<number>, wanted: ReadonlyArray<number>) =>
  wanted.forEach((own, i) => assert.closeTo(found[i]!, own, 2e-6))

describe("verdictTarget", () => {
  it("is the retriever's distribution re-weighted, in the order drawn", () => {
    const [a, b, c, d] = [0.168554, 0.226882, 0.38549, 0.219074]
    near(targetOf(judged(Z, s)), [c, a, d, b])
  })
  it("leaves no gradient where verdicts are equal", () => {
    const R = softmax(s, 0.5)
    for (const direction of ["target_first", "retriever_first", "symmetric"] as const) {
      const o = { direction, temperatureGold: 0.1, temperatureScore: 0.5 }
      near(targetOf(judged([1, 2, 1, 2, 1, 2, 1, 2], s), o), [R[2]!, R[0]!, R[3]!, R[1]!])
    }
  })
  it("gives none to what is no passage, and no row a target where one was not read", () => {
    const gone = targetOf(
      judged([...Z.slice(0, 6), -Infinity, -Infinity], [...s.slice(0, 3), -Infinity], [0, 1, 2, -1])
    )
    assert.strictEqual(gone[2], 0)
    assert.closeTo(gone.reduce((a, b) => a + b), 1, 1e-6)
    assert.deepStrictEqual(targetOf(judged([...Z.slice(0, 6), -Infinity, -Infinity], s)), [0, 0, 0, 0])
  })
  it("may want verdicts to disagree", () => {
    assert.deepStrictEqual(targetOf(judged([1, 2, 0, 3, 1, 2, 0, 1], s), { disagreeing: true }), [0, 0, 0, 0])
    assert.closeTo(targetOf(judged(Z, s), { disagreeing: true }).reduce((a, b) => a + b), 1, 1e-6)
  })
  it.effect("ends in the listwise objective", () => {
    const { calls, layer } = counted()
    const options = {
      ...prompting,
      ...goal,
      temperatureGold: 0.02,
      temperatureScore: 10,
      n: 5,
      m: 5,
      c: 2,
      k: K,
      sampling: "top",
      context: "sampled",
      temperature: 1,
      seed: 1,
      rerank: true
    } as const
    return Effect.gen(function*() {
      const step = Pipelines.verdictWeighted(options, new VerdictCache())
      yield* step.learn(Rows.frame())
      const { docs, objective } = calls.retrieverLessons[0]!
      if (objective._tag !== "Listwise") assert.fail(objective._tag)
      questions.forEach((q, r) => {
        const [own, target] = [row(docs, r).map((doc) => `p${doc}`), row(objective.target, r)]
        assert.closeTo(target.reduce((a, b) => a + b), 1, 1e-6)
        assert.strictEqual(own[target.indexOf(Math.max(...target))], q.gold[0])
      })
    }).pipe(Effect.provide(layer))
  })
})

describe("answerFused", () => {
  const found = (docs: ReadonlyArray<number>, docScore: ReadonlyArray<number>) =>
    Frame.append(Rows.frame(), Candidates(docs.length), {
      docs: Int32Array.from(questions.flatMap(() => docs)),
      docScore: Float32Array.from(questions.flatMap(() => docScore))
    })
  it.effect("weighs the passages that each retriever found by their relative scores", () =>
    Effect.gen(function*() {
      const { docWeight } = Rows.blocks(yield* weigh([2, 2]).run(found([1, 2, 1, 3], [0.8, 0.6, 0.31, 0.3])))
      near(row(docWeight, 5), [0.266876, 0.207843, 0.266876, 0.258405])
      const none = Rows.blocks(yield* weigh([2]).run(found([-1, -1], [0, 0])))
      assert.deepStrictEqual(row(none.docWeight, 0), [0, 0])
    }))
  it.effect("fuses the readings of single passages", () => {
    const { layer, read } = counted()
    return Effect.gen(function*() {
      const gold = questions.map((q) => Number(q.gold[0]!.slice(1)))
      const own = Frame.append(Rows.frame(), Candidates(4), {
        docs: Int32Array.from(gold.flatMap((doc) => [doc, 8, doc, 9])),
        docScore: Float32Array.from(gold.flatMap(() => [3, 1, 3, 2]))
      })
      const answered = Rows.blocks(
        yield* answerFused(4, K, fusing).run(yield* weigh([2, 2]).run(own))
      )
      assert.deepStrictEqual([...answered.predictionIndex], questions.map((q) => q.answerIndex))
      assert.deepStrictEqual([...answered.prediction], questions.map((q) => q.answer))
      const { docWeight } = Rows.blocks(yield* weigh([2, 2]).run(own))
      const single = Rows.blocks(
        yield* readVerdicts(4, K, prompting).run(
          Frame.append(own, { drawn: Draw(4, 1).drawn }, { drawn: Frame.column(own, "docs") })
        )
      )
      questions.forEach((q, r) => {
        assert.deepStrictEqual(row(answered.support, r), [8, 9, gold[r]!, gold[r]!])
        assert.strictEqual(row(answered.verdicts, r)[0], q.answerIndex)
        const sums = q.options.map((_, c) =>
          row(docWeight, r).reduce((sum, weight, p) => sum + weight * row(single.scores, r)[p * K + c]!, 0)
        )
        near(row(answered.fusedScores, r), sums)
        near([...answered.optionNll[r]!], sums.map((own) => -own))
      })
      // Six questions, three passages each, read by two stages.
      assert.strictEqual(read.prompts, 36)
    }).pipe(Effect.provide(layer))
  })
  it.effect("writes a free answer from all passages together, each asked alone and once", () => {
    const written: Array<{ readonly prompts: ReadonlyArray<string>; readonly fusion: Fusion | undefined }> = []
    const writing = Layer.effect(
      LanguageModel,
      Effect.map(LanguageModel, (own) => ({
        ...own,
        write: (prompts, { fusion }) => {
          written.push({ prompts: prompts.map(([message]) => textOf(message!.content)), fusion })
          const texts = [...new Set(Array.from(fusion!.texts))]
          return Stream.fromIterable(texts.flatMap((row) => [
            { row, id: 1, text: " text", finish: undefined },
            { row, id: 2, text: ` ${row}.`, finish: "eos" as const }
          ]))
        }
      }))
    )
    return Effect.gen(function*() {
      const some = questions.map((q, i) => ({ ...q, ...(i % 2 === 0 ? { options: [], answerIndex: -1 } : {}) }))
      const own = Frame.append(Rows.frame(3, some), Candidates(4), {
        docs: Int32Array.from(questions.flatMap((_, i) => i === 4 ? [-1, -1, -1, -1] : [1, 8, 1, 9])),
        docScore: Float32Array.from(questions.flatMap(() => [0.8, 0.6, 0.31, 0.3]))
      })
      const weighed = yield* weigh([2, 2]).run(own)
      const answered = Rows.blocks(yield* answerFused(4, K, { ...fusing, fusion: "positions" }).run(weighed))
      assert.deepStrictEqual([0, 2, 4].map((r) => answered.prediction[r]), ["text 0.", "text 1.", ""])
      assert.isTrue([1, 3, 5].every((r) => questions[r]!.options.includes(answered.prediction[r]!)))
      assert.deepStrictEqual([0, 2, 4].map((r) => [answered.predictionIndex[r], answered.optionNll[r]!.length]), [
        [-1, 0],
        [-1, 0],
        [-1, 0]
      ])
      const [{ fusion, prompts }] = written as [typeof written[number]]
      assert.deepStrictEqual([fusion!.by, Array.from(fusion!.texts)], ["positions", [0, 0, 0, 1, 1, 1]])
      near(Array.from(fusion!.weights).slice(0, 3), [0.266876 + 0.266876, 0.207843, 0.258405])
      assert.strictEqual(written.length, 1)
      for (const [i, doc] of [1, 8, 9, 1, 8, 9].entries()) {
        assert.include(prompts[i], Rows.texts[doc])
        assert.include(prompts[i], questions[i < 3 ? 0 : 2]!.question)
      }
    }).pipe(Effect.provide(Layer.provideMerge(writing, Fakes.ports(Rows.texts).layer)))
  })
  it.effect("has no answer where nothing was found", () =>
    Effect.gen(function*() {
      const none = yield* weigh([1]).run(found([-1], [-Infinity]))
      const { predictionIndex, prediction } = Rows.blocks(yield* answerFused(1, K, fusing).run(none))
      assert.deepStrictEqual([...predictionIndex, ...prediction], [...Array(6).fill(-1), ...Array(6).fill("")])
    }).pipe(Effect.provide(Fakes.ports(Rows.texts).layer)))
})

describe("the reader of these tests", () => {
  it.effect("is asked with one passage at a time", () => {
    const asked: Array<string> = []
    const listening = Layer.effect(
      LanguageModel,
      Effect.map(LanguageModel, (own) => ({
        ...own,
        rank: (prompts, ...rest) => {
          asked.push(...prompts.map(([message]) => textOf(message!.content)))
          return own.rank(prompts, ...rest)
        }
      }))
    ).pipe(Layer.provideMerge(Fakes.ports(Rows.texts).layer))
    return Effect.gen(function*() {
      yield* readVerdicts(2, K, prompting).run(drawn(questions.map(() => [0, 1])))
      assert.strictEqual(asked.length, 12)
      for (const prompt of asked) assert.strictEqual(prompt.split("Reference:").length, 2)
    }).pipe(Effect.provide(listening))
  })
})
