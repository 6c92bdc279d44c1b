/** Contrastive losses and poolings, against values of sentence-transformers 6.2 and of the formulas in numpy. */
import { assert, describe, it } from "@effect/vitest"
import { grad } from "../../src/kernels/grad.ts"
import { interpret } from "../../src/kernels/interpret.ts"
import {
  type Candidates,
  divergence,
  type Hardness,
  hardness,
  listwise,
  type Margin,
  marginMse,
  mean,
  withinMargin
} from "../../src/kernels/loss/rank.ts"
import * as Nd from "../../src/kernels/NdArray.ts"
import { pool, type Pooling } from "../../src/kernels/nn/sentence.ts"
import { matmul } from "../../src/kernels/op/contract.ts"
import { concat } from "../../src/kernels/op/gather.ts"
import { l2Normalise } from "../../src/kernels/op/normalise.ts"
import { constant, input, type Tensor } from "../../src/kernels/Tensor.ts"

/** Cosines of three queries with their positives, then with the hard negative of each. */
const cosines = [
  [0.8, 0.3, 0.2, 0.6, 0.4, 0.1],
  [0.25, 0.7, 0.35, 0.15, 0.75, 0.3],
  [0.1, 0.45, 0.9, 0.2, 0.05, 0.5]
]
const table = (shape: ReadonlyArray<number>, values: ReadonlyArray<number>): Tensor =>
  constant(Nd.fromArray(shape, values))
const flags = (shape: ReadonlyArray<number>, values: ReadonlyArray<boolean>): Tensor =>
  constant(Nd.fromArray(shape, values.map(Number)), "bool")
const scores = input("scores", [3, 6])
const each = <A>(f: (row: number, column: number) => A): ReadonlyArray<A> =>
  Array.from({ length: 18 }, (_, i) => f(Math.floor(i / 6), i % 6))
const target = table([3, 6], each((row, column) => row === column ? 1 : 0))
/** All positives, and a query's own negative. */
const ofStm = flags([3, 6], each((row, column) => column < 3 || column === row + 3))

const judged = (losses: Tensor) => {
  const [all, loss, gradient] = interpret([losses, mean(losses), ...grad(mean(losses), [scores])], {
    scores: Nd.fromArray([3, 6], cosines.flat())
  })
  return { losses: [...all!.data], loss: loss!.data[0]!, gradient: [...gradient!.data] }
}
const near = (got: ReadonlyArray<number>, want: ReadonlyArray<number>) => {
  assert.strictEqual(got.length, want.length)
  got.forEach((x, i) => assert.closeTo(x, want[i]!, 3e-8, `element ${i}`))
}

describe("InfoNCE", () => {
  const cases: Readonly<Record<string, readonly [Candidates, number, ReadonlyArray<number>, number]>> = {
    "of STM at 1": [{ allowed: ofStm }, 1, [1.08993241, 1.22188757, 1.01424366], 1.10868788],
    "of STM at 0.05": [{ allowed: ofStm }, 0.05, [0.01820054, 1.31354008, 0.00045888], 0.4440665],
    "with all negatives at 1": [{}, 1, [1.42093209, 1.53489909, 1.30325981], 1.419697],
    "with all negatives at 0.05": [{}, 0.05, [0.01853072, 1.31363476, 0.00045975], 0.44420841]
  }
  for (const [name, [candidates, temperature, losses, loss]] of Object.entries(cases)) {
    it(name, () => {
      const found = judged(listwise(scores, target, temperature, candidates))
      near(found.losses, losses)
      assert.closeTo(found.loss, loss, 1e-8)
    })
  }
  const gradients: Readonly<Record<string, readonly [Candidates, number, ReadonlyArray<number>]>> = {
    "of STM at 1": [{ allowed: ofStm }, 1, [
      -0.22125359,
      0.0679798,
      0.06151067,
      0.09176313,
      0,
      0,
      0.06263069,
      -0.23510886,
      0.06921762,
      0,
      0.10326055,
      0,
      0.05432037,
      0.07708428,
      -0.21244112,
      0,
      0,
      0.08103647
    ]],
    "of STM at 0.05": [{ allowed: ofStm }, 0.05, [
      -0.12023943,
      0.00029721,
      0.00004022,
      0.119902,
      0,
      0,
      0.00022121,
      -4.87422293,
      0.0016345,
      0,
      4.87236723,
      0,
      0.00000075,
      0.00082235,
      -0.0030585,
      0,
      0,
      0.00223539
    ]],
    "with all negatives at 1": [{}, 1, [
      -0.25283706,
      0.04882346,
      0.04417729,
      0.06590478,
      0.05395827,
      0.03997327,
      0.04579816,
      -0.26150752,
      0.05061479,
      0.04143989,
      0.0755084,
      0.04814628,
      0.04068596,
      0.05773613,
      -0.24278505,
      0.04496494,
      0.03870169,
      0.06069633
    ]]
  }
  for (const [name, [candidates, temperature, want]] of Object.entries(gradients)) {
    it(`its gradient, ${name}`, () => near(judged(listwise(scores, target, temperature, candidates)).gradient, want))
  }
  it("leaves out what scores above the positive", () => {
    const margin: Margin = { strategy: "absolute", margin: 0 }
    const { loss, losses } = judged(listwise(scores, target, 0.05, { allowed: withinMargin(scores, target, margin) }))
    near(losses, [0.01853072, 0.00138649, 0.00045975])
    assert.closeTo(loss, 0.00679232, 1e-8)
  })
  it("leaves out by a margin, never the positive itself, and nothing that is just as near", () => {
    const kept = (
      margin: Margin
    ) => [
      ...interpret([withinMargin(input("s", [1, 4]), table([1, 4], [1, 0, 0, 0]), margin)], {
        s: Nd.fromArray([1, 4], [-0.5, -0.5, -0.75, -0.25])
      })[0]!.data
    ]
    assert.deepStrictEqual(kept({ strategy: "absolute", margin: 0 }), [1, 1, 1, 0])
    assert.deepStrictEqual(kept({ strategy: "absolute", margin: 0.25 }), [1, 0, 1, 0])
    assert.deepStrictEqual(kept({ strategy: "relative", margin: 0.5 }), [1, 0, 1, 0])
  })
  it("counts hard negatives for more, the harder they are", () => {
    const own = flags([3, 6], each((row, column) => column % 3 === row))
    const weighted = (mode: Hardness["mode"], strength: number, temperature: number) =>
      judged(listwise(scores, target, temperature, { penalty: hardness(scores, target, own, { mode, strength }) }))
    near(weighted("hard_negatives", 5, 1).losses, [2.98400854, 3.87724046, 2.41386948])
    near(weighted("hard_negatives", 5, 0.05).losses, [0.31354518, 4.75862638, 0.00420232])
    assert.closeTo(weighted("in_batch_negatives", 9, 1).loss, 3.68438411, 3e-7)
    assert.closeTo(weighted("in_batch_negatives", 9, 0.05).loss, 0.45295238, 3e-7)
    near(weighted("all_negatives", 5, 1).losses, [3.3115103, 4.02905010, 2.88230072])
    near(weighted("all_negatives", 5, 0.05).losses, [0.31523381, 4.75867639, 0.00524636])
    assert.closeTo(weighted("all_negatives", 5, 1).loss, 3.40762037, 3e-7)
  })
  it("has no gradient through the penalty: that of the softmax alone", () => {
    const own = flags([3, 6], each((row, column) => column % 3 === row))
    for (const mode of ["hard_negatives", "in_batch_negatives", "all_negatives"] as const) {
      const penalty = hardness(scores, target, own, { mode, strength: 5 })
      const [held] = interpret([penalty], { scores: Nd.fromArray([3, 6], cosines.flat()) })
      const apart = judged(listwise(scores, target, 0.05, { penalty: constant(held!) }))
      assert.deepStrictEqual(judged(listwise(scores, target, 0.05, { penalty })), apart)
    }
  })
  it("has the gradients at embeddings that the formula has", () => {
    const shape = [3, 2] as const
    const [q, p, n] = [input("q", shape), input("p", shape), input("n", shape)]
    const cosine = (other: Tensor) => matmul(l2Normalise(q), l2Normalise(other), false, true)
    const losses = listwise(concat([cosine(p), cosine(n)], 1), target, 0.05, { allowed: ofStm })
    const [loss, dq, dp, dn] = interpret([mean(losses), ...grad(mean(losses), [q, p, n])], {
      q: Nd.fromArray(shape, [1, 0.2, 0.3, 1, -0.6, 0.5]),
      p: Nd.fromArray(shape, [0.9, 0.1, 0.1, 0.8, -0.5, 0.7]),
      n: Nd.fromArray(shape, [0.7, 0.6, 0.5, 0.9, -0.9, 0.2])
    })
    near([...loss!.data], [0.29143288])
    near([...dq!.data], [-0.05694956, 0.28474778, 1.05444548, -0.31633365, -0.66705323, -0.80046388])
    near([...dp!.data], [0.00542982, -0.0488684, -0.62087672, 0.07760959, 0.27584967, 0.19703548])
    near([...dn!.data], [0.17758803, -0.20718603, -0.54966763, 0.30537089, 0.12346485, 0.55559184])
  })
})

describe("distillation", () => {
  const student = input("student", [2, 3])
  const softmax = (row: ReadonlyArray<number>, t: number) => {
    const e = row.map((x) => Math.exp(x / t))
    return e.map((x) => x / e.reduce((a, b) => a + b))
  }
  const teacher = (t: number) => table([2, 3], [softmax([4, 1, -1], t), softmax([2, 3, 0], t)].flat())
  const at = (ofStudent: number, ofTeacher: number) => {
    const losses = divergence(student, teacher(ofTeacher), ofStudent)
    const [all, loss, gradient] = interpret([losses, mean(losses), ...grad(mean(losses), [student])], {
      student: Nd.fromArray([2, 3], [2, 1, 0.5, 1.5, 1.8, 0.2])
    })
    return { losses: [...all!.data], loss: loss!.data[0]!, gradient: [...gradient!.data] }
  }
  it("is the divergence from the teacher's distribution", () => {
    const { gradient, loss, losses } = at(1, 1)
    near(losses, [0.2928156, 0.08425997])
    assert.closeTo(loss, 0.18853779, 1e-8)
    near(gradient, [-0.1589837, 0.09205024, 0.06693346, 0.06091749, -0.09532045, 0.03440296])
    assert.closeTo(at(2, 2).loss, 0.43240296, 1e-8)
    assert.closeTo(at(1, 2).loss, 0.0277428, 1e-8)
  })
})

describe("margins", () => {
  const [student, teacher] = [[2, 1, 0.5, 1.5, 1.8, 0.2], [4, 1, -1, 2, 3, 0]]
  const at = (n: number, there: ReadonlyArray<boolean> = [true, true, true, true, true, true]) => {
    const cut = <A>(all: ReadonlyArray<A>) => [...all.slice(0, n), ...all.slice(3, 3 + n)]
    const own = input("student", [2, n])
    const losses = marginMse(own, table([2, n], cut(teacher)), flags([2, n], cut(there)))
    const [all, loss, gradient] = interpret([losses, mean(losses), ...grad(mean(losses), [own])], {
      student: Nd.fromArray([2, n], cut(student))
    })
    return { losses: [...all!.data], loss: loss!.data[0]!, gradient: [...gradient!.data] }
  }
  it("are the teacher's in the mean square, over one negative or several", () => {
    assert.closeTo(at(2).loss, 2.245, 1e-12)
    const { gradient, loss, losses } = at(3)
    assert.closeTo(loss, 4.3075, 1e-12)
    near(losses, [8.125, 0.49])
    near(gradient, [-2.75, 1, 1.75, 0, -0.35, 0.35])
  })
  it("leave out passages that are none", () => {
    const { gradient, losses } = at(3, [true, true, false, true, false, false])
    near(losses, [4, 0])
    near(gradient, [-2, 2, 0, 0, 0, 0])
  })
})

describe("pooling", () => {
  const hidden = table([2, 4, 2], [1, 2, 3, -1, 0, 4, 9, 9, 7, 7, 2, 0, -2, 1, 5, 3])
  const pooled = (
    mode: Pooling,
    keep: ReadonlyArray<number>
  ) => [...interpret([pool(mode, hidden, flags([2, 4], keep.map(Boolean)))], {})[0]!.data]
  const whole = [1, 1, 1, 0, 1, 1, 1, 1]
  const apart = [0, 1, 1, 0, 0, 1, 1, 1]
  const cases: Readonly<Record<Pooling, readonly [whole: ReadonlyArray<number>, apart: ReadonlyArray<number>]>> = {
    cls: [[1, 2, 7, 7], [3, -1, 2, 0]],
    max: [[3, 4, 7, 7], [3, 4, 5, 3]],
    mean: [[4 / 3, 5 / 3, 3, 2.75], [1.5, 1.5, 5 / 3, 4 / 3]],
    mean_sqrt_len_tokens: [[2.309401, 2.886751, 6, 5.5], [2.12132, 2.12132, 2.886751, 2.309401]],
    weightedmean: [[7 / 6, 2, 2.5, 2.2], [1.2, 2, 2, 5 / 3]],
    lasttoken: [[0, 4, 5, 3], [0, 4, 5, 3]]
  }
  for (const [mode, [all, some]] of Object.entries(cases)) {
    it(`${mode}, with a prompt and without it`, () => {
      for (const [keep, want] of [[whole, all], [apart, some]] as const) {
        pooled(mode as Pooling, keep).forEach((x, i) => assert.closeTo(x, want[i]!, 1e-6))
      }
    })
  }
})
