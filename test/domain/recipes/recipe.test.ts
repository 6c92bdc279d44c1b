import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { needed, type Recipe, referencesOf, type Step, stepsOf } from "../../../src/domain/recipes/recipe.ts"
import { wordsOf } from "../../../src/domain/recipes/words.ts"

describe("words", () => {
  it("are apart by white space, and together in quotes", () => {
    assert.deepStrictEqual(wordsOf("train  --config a.yaml\n --set 'a b'=\"c 'd'\" \"\""), [
      "train",
      "--config",
      "a.yaml",
      "--set",
      "a b=c 'd'",
      ""
    ])
    assert.match(wordsOf("train --set 'a") as string, /a quote does not close: 'a/)
  })

  it("that are quoted are given back", () => {
    const word = fc.string().filter((text) => !text.includes("'"))
    fc.assert(fc.property(fc.array(word), (words) => {
      assert.deepStrictEqual(wordsOf(words.map((text) => `'${text}'`).join(" ")), words)
    }))
  })
})

const read = (recipe: Recipe): ReadonlyArray<Step> => {
  const found = stepsOf(recipe)
  if ("problems" in found) throw new Error(found.problems.join("; "))
  return found.steps
}
const problems = (recipe: Recipe): string => {
  const found = stepsOf(recipe)
  return "problems" in found ? found.problems.join("; ") : ""
}

/** A step's words, with references as they are written. */
const shown = (step: Step): string =>
  step.kind === "choice"
    ? step.candidates.map(({ score, step }) => `${step}:${score}`).join(" ")
    : (step.kind === "files" ? step.files.map(({ text }) => text) : step.words).map((word) =>
      word.map((part) => "text" in part ? part.text : "own" in part ? "${out}" : `\${${part.step}}`).join("")
    ).join(" ")

describe("a recipe", () => {
  const recipe: Recipe = {
    values: { data: "../data", base: "${data}/base.yaml" },
    lists: {
      expert: { medquad: { train: "medquad.jsonl" }, scifact: { train: "scifact.jsonl" } },
      kind: { ft: {}, shn: {} }
    },
    steps: {
      merged: "merge ${medquad.best} ${scifact.best} ${out}",
      "${expert}.best": { pick: { "${expert}.ft": "${expert}.ft.dev", "${expert}.shn": "${expert}.shn.dev" } },
      "${expert}.${kind}":
        "train --config ${base} --set train_file=${data}/${expert.train} --set neg=${${expert}.mined}/x",
      "${expert}.${kind}.dev": "bench --config ${${expert}.${kind}}/settings.json",
      "${expert}.mined": "mine ${out}"
    }
  }

  it("has a step for each item of the lists that its key names, after those that it refers to", () => {
    const steps = new Map(read(recipe).map((step, i) => [step.name, { at: i, step }]))
    assert.deepStrictEqual([...steps.keys()].toSorted(), [
      "medquad.best",
      "medquad.ft",
      "medquad.ft.dev",
      "medquad.mined",
      "medquad.shn",
      "medquad.shn.dev",
      "merged",
      "scifact.best",
      "scifact.ft",
      "scifact.ft.dev",
      "scifact.mined",
      "scifact.shn",
      "scifact.shn.dev"
    ])
    for (const { at, step } of steps.values()) {
      for (const other of referencesOf(step)) assert.isBelow(steps.get(other)!.at, at)
    }
    assert.strictEqual(
      shown(steps.get("scifact.shn")!.step),
      "train --config ../data/base.yaml --set train_file=../data/scifact.jsonl --set neg=${scifact.mined}/x"
    )
    assert.strictEqual(shown(steps.get("medquad.best")!.step), "medquad.ft:medquad.ft.dev medquad.shn:medquad.shn.dev")
  })

  it("says which steps are needed for some", () => {
    const names = needed(read(recipe), ["scifact.shn.dev"]).map(({ name }) => name)
    assert.deepStrictEqual(names, ["scifact.mined", "scifact.shn", "scifact.shn.dev"])
  })

  it("is refused where it cannot be run, each problem with its step", () => {
    assert.strictEqual(problems({ steps: {} }), "steps: there is none")
    assert.match(problems({ steps: { a: "train ${b}", b: "mine ${a}" } }), /in a circle: a → b → a/)
    assert.match(
      problems({ steps: { mined: "mine", a: "train ${mind}" } }),
      /a: there is no step or value "mind", did you mean mined\?/
    )
    assert.match(
      problems({ lists: { expert: { x: {} } }, steps: { a: "train ${expert}" } }),
      /a: \$\{expert\} is of the list expert, which the step's name does not mention/
    )
    assert.match(
      problems({ lists: { expert: { x: {} } }, steps: { "${expert}.a": "train ${expert.train}" } }),
      /x\.a: \$\{expert\.train\} is of the list expert, .*or has no such attribute/
    )
    assert.match(problems({ steps: { "a/b": "train" } }), /"a\/b": a step's name has letters/)
    assert.match(problems({ steps: { a: "  ", b: "train 'x" } }), /a: has no command; b: a quote does not close/)
    assert.match(problems({ steps: { a: { write: { "../x": "" } } } }), /a: "\.\.\/x" is no name of a file/)
    assert.match(problems({ steps: { a: { write: { x: "${b}" } } } }), /a: there is no step or value "b"/)
    assert.match(problems({ steps: { a: { pick: {} } } }), /a: there is nothing to pick from/)
    assert.match(problems({ lists: { l: { a: {} } }, steps: { "${l}": "train", a: "mine" } }), /a: is given twice/)
    assert.match(
      problems({ values: { a: "1" }, steps: { a: "train", out: "mine" } }),
      /a: is the name of a value, too; out: is/
    )
    assert.strictEqual(problems({ values: { a: "x${a}" }, steps: { b: "train" } }), "")
  })
})
