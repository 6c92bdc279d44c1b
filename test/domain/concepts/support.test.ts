/** Where concepts of an answer stand, and figures of many answers, by hand. */
import { assert, describe, it } from "@effect/vitest"
import { matcher } from "../../../src/domain/concepts/matcher.ts"
import { type Checked, conceptsOf, supportFigures } from "../../../src/domain/concepts/support.ts"

const vocabulary = matcher({ stopWords: new Set(), exclude: [] })
for (
  const [id, name] of [
    ["D1", "Fabry disease"],
    ["D2", "Gaucher disease"],
    ["G1", "GLA"],
    ["G2", "GBA1"],
    ["G3", "MECP2"],
    [
      "D1",
      "Anderson disease"
    ],
    ["X1", "cold"],
    ["X2", "cold"]
  ] as const
) vocabulary.add(id, name)

describe("concepts of an answer", () => {
  it("stand in a passage, the question, a right answer, or nowhere: the first that holds", () => {
    const found = conceptsOf(vocabulary.find, {
      text: "Fabry disease (Anderson disease) comes from GLA, not from GBA1 or MECP2. A cold is a cold.",
      passages: ["Anderson disease is rare."],
      question: "Which gene, GBA1 or another, is behind Fabry disease?",
      answers: ["GLA"]
    })
    assert.deepStrictEqual(found.map(({ concepts, name, place }) => [name, concepts, place]), [
      ["Fabry disease", ["D1"], "passages"],
      ["GLA", ["G1"], "answer"],
      ["GBA1", ["G2"], "question"],
      ["MECP2", ["G3"], "nowhere"],
      ["cold", ["X1", "X2"], "nowhere"]
    ])
    assert.deepStrictEqual(conceptsOf(vocabulary.find, { text: "", passages: [], question: "", answers: [] }), [])
  })
})

describe("figures of answers", () => {
  const said = (name: string, place: "passages" | "nowhere") => ({ name, concepts: [name], place })
  const stated = (...all: ReadonlyArray<"supported" | "contradicted" | "absent" | "unparsed">) =>
    all.map((judgement) => ({ text: "s", judgement }))
  const checked: ReadonlyArray<Checked> = [
    { group: "a", concepts: [said("p", "passages"), said("q", "nowhere")], statements: stated("supported", "absent") },
    { group: "a", concepts: [], statements: stated("supported", "unparsed") },
    { group: "b", concepts: [said("r", "nowhere"), said("q", "nowhere")], statements: stated("contradicted") }
  ]
  const figures = supportFigures(checked, (concept) => concept === "q" ? "gene" : undefined)
  const short = (all: ReturnType<typeof supportFigures>["concepts"]) =>
    all.map(({ count, name, share }) => [name, count, share.mean])
  it("are counts and shares of all concepts, and of all statements that could be read", () => {
    assert.deepStrictEqual([figures.answers, figures.groups, figures.unparsed], [3, 2, 1])
    assert.deepStrictEqual(short(figures.concepts), [
      ["passages", 1, 0.25],
      ["question", 0, 0],
      ["answer", 0, 0],
      ["nowhere", 3, 0.75]
    ])
    assert.deepStrictEqual(short(figures.types), [["gene", 2, 0.5], ["(no type)", 1, 0.25]])
    assert.deepStrictEqual(short(figures.statements), [["supported", 2, 0.5], ["contradicted", 1, 0.25], [
      "absent",
      1,
      0.25
    ]])
    assert.closeTo(figures.withConcept!.mean, 2 / 3, 1e-12)
    assert.closeTo(figures.withStatement!.mean, 2 / 3, 1e-12)
    // Groups are resampled whole: of a alone half of the concepts stand nowhere, of b all.
    const { high, low } = figures.concepts[3]!.share
    assert.deepStrictEqual([low, high], [0.5, 1])
  })
  it("are none of what was not looked for", () => {
    const none = supportFigures([{ group: "a", concepts: undefined, statements: undefined }], () => undefined)
    assert.deepStrictEqual([none.concepts, none.types, none.statements, none.withConcept, none.withStatement], [
      [],
      [],
      [],
      null,
      null
    ])
  })
})
