/** Cards of models: what they inherit, how lineages grow, and what is put into a card that is there. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { completedCard, withSections } from "../../src/programs/cards/completed.ts"
import { licenceText, lineageOf, matterOf, originOf } from "../../src/programs/cards/origin.ts"
import { syntheticData } from "../../src/programs/cards/sections.ts"
import { cardParts } from "../../src/runtime/files/frontMatter.ts"
import { folderOf, onDisk } from "../support/files.ts"

const card = (matter: string, body: string) => `---\n${matter}\n---\n\n# A model\n\n${body}\n`
const lineage = "## Lineage\n\n- trained in mode sft on a.jsonl\n  - org/base\n\n## Other\n\n- no step"

describe("front matter", () => {
  it("is read as YAML, and is none where it cannot be", () => {
    assert.deepStrictEqual(cardParts("---\nlicense: mit\ntags: [a, b]\n---\n# T\n"), {
      matter: { license: "mit", tags: ["a", "b"] },
      body: "# T\n"
    })
    assert.deepStrictEqual(cardParts("# T\n---\n").matter, {})
    assert.deepStrictEqual(cardParts("---\n: [\n---\nx").matter, {})
    assert.deepStrictEqual(cardParts("---\n- a\n---\nx").matter, {})
  })
})

describe("a model's origin", () => {
  it.live("is its card's: ids, licence, data and lineage", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({
        "README.md": card("license: apache-2.0\nbase_model: org/base\ndatasets: [a.jsonl]", lineage)
      })
      const origin = yield* originOf(folder)
      assert.deepStrictEqual(origin, {
        name: folder,
        ids: ["org/base"],
        licence: "apache-2.0",
        datasets: ["a.jsonl"],
        lineage: ["- trained in mode sft on a.jsonl", "  - org/base"]
      })
      assert.strictEqual(
        lineageOf("merged by SLERP", [{ origin, about: "weight 1" }]),
        "- merged by SLERP\n  - trained in mode sft on a.jsonl (weight 1)\n    - org/base"
      )
    })))
  it.live("is no more than its name where nothing can be read", () =>
    onDisk(Effect.gen(function*() {
      const [folder, absent] = [yield* folderOf({}), yield* originOf("org/elsewhere")]
      assert.deepStrictEqual([absent.ids, absent.lineage, absent.licence], [
        ["org/elsewhere"],
        ["- org/elsewhere"],
        undefined
      ])
      assert.deepStrictEqual((yield* originOf(folder)).ids, [])
    })))
  it("gives a licence only where all models have the same", () => {
    const of = (name: string, licence?: string) => ({ name, ids: [name], licence, datasets: [name], lineage: [] })
    const [a, b, c, d] = [of("x/a", "mit"), of("x/b", "mit"), of("x/c", "cc0"), of("x/d")]
    assert.deepStrictEqual(matterOf([a, b], ["t.jsonl"]), {
      base_model: "[\"x/a\",\"x/b\"]",
      datasets: "[\"x/a\",\"x/b\",\"t.jsonl\"]",
      license: "mit"
    })
    for (const other of [c, d]) {
      assert.deepInclude(matterOf([a, other]), { license: "other", license_name: "unknown" })
      assert.match(licenceText([a, other]), /^Not known: find it out before you share the model \(x\/a: mit; /)
    }
    assert.match(licenceText([a, b]), /^mit, as x\/a, x\/b;/)
  })
})

describe("a card", () => {
  it("gets sections in place of those of the same titles, before its last line", () => {
    const before = "# T\n\n## Tasks\n\nold\n\n## Data\n\n| a |\n\nResearch.\n"
    assert.strictEqual(
      withSections(before, [["Tasks", "new"]]),
      "# T\n\n## Data\n\n| a |\n\n## Tasks\n\nnew\n\nResearch.\n"
    )
    assert.strictEqual(withSections("# T\n", [["Tasks", "new"]]), "# T\n\n## Tasks\n\nnew\n")
  })
  it.live("tells the steps of a recipe that led to it, those that wrote files included, and no others", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({})
      const [config, trained, merged, other] = [
        "config-0123456789ab",
        "a.b-1123456789ab",
        "m-2123456789ab",
        "o-3123456789ab"
      ]
      const step = (name: string, step: string, words: ReadonlyArray<string>) => {
        mkdirSync(join(folder, name), { recursive: true })
        writeFileSync(join(folder, name, "step.json"), JSON.stringify({ step, words, inputs: {}, seconds: 1, key: "" }))
      }
      step(trained!, "a.b", ["train", "--set", `output_dir=${folder}/${trained}`])
      step(config!, "config", [])
      writeFileSync(join(folder, config!, "m.yaml"), `models: [${folder}/${trained}/model]`)
      step(merged!, "m", ["merge", `${folder}/${config}/m.yaml`, `${folder}/${merged}/model`])
      step(other!, "o", ["bench", `${folder}/${merged}/model`])
      mkdirSync(join(folder, merged!, "model"))
      const text = yield* completedCard(join(folder, merged!, "model"), [])
      assert.deepStrictEqual(
        [...text.matchAll(/^\| ([\w.]+) \| (.*) \|$/gm)].map(([, step, command]) => [step, command]),
        [
          ["step", "command"],
          ["a.b", `\`train --set output_dir=${trained}\``],
          ["config", "(writes files)"],
          ["m", `\`merge ${config}/m.yaml ${merged}/model\``]
        ]
      )
    })))
  it.live("holds the card of synthetic data, a level lower", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({ "x.jsonl.README.md": card("tags: [synthetic]", "## Counts\n\n| a |") })
      assert.deepStrictEqual(yield* syntheticData(join(folder, "x.jsonl")), [
        "Synthetic data: x.jsonl",
        "### Counts\n\n| a |"
      ])
      assert.isUndefined(yield* syntheticData(join(folder, "y.jsonl")))
    })))
})
