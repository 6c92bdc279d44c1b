/** MedQuAD's XML files become passages, questions and gene questions; what is wrong is said of its file. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { dirname, join } from "node:path"
import * as Dataset from "../../src/datasets/dataset.ts"
import { importFolder } from "../../src/datasets/medquad/import.ts"
import { folderOf, onDisk } from "../support/files.ts"

type Files = Readonly<Record<string, string>>

/** Question type and answer of each pair. */
type Pairs = ReadonlyArray<readonly [string, string]>

interface Page {
  readonly focus: string
  readonly cui?: string
  readonly synonyms?: ReadonlyArray<string>
}

const document = (source: string, { cui = "", focus, synonyms = [] }: Page, pairs: Pairs): string =>
  `<?xml version="1.0" encoding="UTF-8"?>
<Document id="7" source="${source}" url="https://example.org">
 <!-- a comment -->
<Focus>${focus}</Focus>
<FocusAnnotations>
  <UMLS><CUIs><CUI>${cui}</CUI></CUIs></UMLS>
  <Synonyms>${synonyms.map((synonym) => `<Synonym>${synonym}</Synonym>`).join("\n")}</Synonyms>
</FocusAnnotations>
<QAPairs>
${
    pairs.map(([type, answer], i) =>
      `<QAPair pid="${
        i + 1
      }"><Question qid="q" qtype="${type}">What of ${focus} ?</Question><Answer>${answer}</Answer></QAPair>`
    ).join("\n")
  }
</QAPairs>
</Document>
`

const cancer = document("CancerGov", { focus: "Leukemia &amp; co.", cui: "C1" }, [
  ["information", "One\n\t<![CDATA[<b> & two]]>  it&apos;s &#233;  "],
  ["symptoms", ""],
  ["treatment", " \n "],
  ["outlook", "One <![CDATA[<b> & two it's]]> é"]
])

/** As a few of the published files are: names and nesting of their own. */
const odd = `<doc docid="0000007" corpus="NINDS"><doctitle-focus>Holmes-Adie</doctitle-focus><umls><cui></cui></umls>
<qaPairs><pair pid="4"><question qtype="research">what research ?</question><answer>Much.</answer></pair></qaPairs>
</doc>`

const genes = Array.from({ length: 60 }, (_, i) => `GEN${String.fromCharCode(65 + i % 26)}${i}`)

/** Diseases of a gene each: they share a name, have one that gives the gene away, and their pages name other genes. */
const diseases: Files = Object.fromEntries(genes.map((gene, i) => {
  const page = { focus: `syndrome ${i}`, cui: `C${100 + i}`, synonyms: [`illness ${i}`, "Common-Name", `${gene}-itis`] }
  const changes = `Each HLA gene varies. Changes of type ${i % 7} in the ${gene} gene cause syndrome ${i}`
  const text = `${changes}, unlike those of ${genes.slice(i + 1, i + 9).join(", ")} and the OTHER1 genes.`
  return [`3_GHR_QA/${String(i).padStart(7, "0")}.xml`, document("GHR", page, [["genetic changes", text]])]
}))

const files: Files = { "10_B_QA/0000001.xml": odd, "2_A_QA_XML/1_2.xml": cancer, "readme.txt": "<", "docs/a.xml": "<" }

/** A folder of nested files. */
const clone = Effect.fnUntraced(function*(files: Files) {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* folderOf({})
  for (const [name, text] of Object.entries(files)) {
    yield* Effect.orDie(fs.makeDirectory(dirname(join(folder, name)), { recursive: true }))
    yield* Effect.orDie(fs.writeFileString(join(folder, name), text))
  }
  return folder
})

/** What the importer tells and the bytes it writes. */
const imported = Effect.fnUntraced(function*(files: Files) {
  const fs = yield* FileSystem.FileSystem
  const out = join(yield* folderOf({}), "new", "out")
  const counts = yield* importFolder(yield* clone(files), out)
  const text = (name: string) => Effect.orDie(fs.readFileString(join(out, `${name}.jsonl`)))
  const [passages, questions, gene] = [yield* text("passages"), yield* text("questions"), yield* text("gene")]
  return { out, counts, passages, questions, gene }
})

const records = (text: string) => text.trimEnd().split("\n").map((line) => JSON.parse(line))

const refusal = (files: Files) => onDisk(Effect.flip(Effect.flatMap(clone(files), (at) => importFolder(at, "/none"))))

describe("the texts of MedQuAD", () => {
  it.effect("are one passage for each answer of a document, entities and CDATA read, white space collapsed", () =>
    Effect.gen(function*() {
      const { counts, gene, passages } = yield* onDisk(imported(files))
      assert.deepStrictEqual(records(passages), [
        {
          _id: "2/1_2#1",
          title: "Leukemia & co.",
          text: "One <b> & two it's é",
          source: "CancerGov",
          doc: "2/1_2",
          qtype: "information"
        },
        {
          _id: "10/0000001#4",
          title: "Holmes-Adie",
          text: "Much.",
          source: "NINDS",
          doc: "10/0000001",
          qtype: "research"
        }
      ])
      assert.strictEqual(gene, "")
      assert.deepStrictEqual(counts, {
        documents: 2,
        passages: 2,
        questions: 3,
        gene_train: 0,
        gene_dev: 0,
        gene_test: 0
      })
    }))
  it.effect("have their published questions, where there is an answer; a repeated one points to the first", () =>
    Effect.gen(function*() {
      const { questions } = yield* onDisk(imported(files))
      const [first, second, third] = records(questions)
      assert.deepStrictEqual(second, { ...first, id: "2/1_2#4", type: "outlook" })
      assert.deepInclude(first, { id: "2/1_2#1", question: "What of Leukemia & co.?", gold: "2/1_2#1", group: "2/1_2" })
      assert.deepInclude(third, { id: "10/0000001#4", question: "what research?", answer: "Much." })
      assert.include(["train", "dev", "test"], first.split)
    }))
})

describe("gene questions", () => {
  it.effect("use the names of one disease alone that do not give the gene away", () =>
    Effect.gen(function*() {
      const { gene } = yield* onDisk(imported(diseases))
      const asked = records(gene)
      const own = asked.filter(({ doc }) => doc === "3/0000005")
      assert.deepStrictEqual(own.map(({ kind, mention }) => [kind, mention]), [["name", "syndrome 5"], [
        "synonym",
        "illness 5"
      ]])
      assert.deepInclude(own[1], {
        id: "3/0000005#1/gene/1",
        type: "gene",
        question: "What are the genetic changes related to illness 5?",
        gold: "3/0000005#1",
        answer: genes[5]!,
        mention_in_gold: 0.5
      })
    }))
  it.effect("offer four genes of diseases of their split, only the right one in the passage", () =>
    Effect.gen(function*() {
      const { counts, gene, passages } = yield* onDisk(imported(diseases))
      const asked = records(gene)
      const text = new Map(records(passages).map((passage) => [passage._id, passage.text]))
      const side = new Map(asked.map(({ answer, split }) => [answer, split]))
      for (const { answer, answer_idx, gold, options, split } of asked) {
        assert.strictEqual(new Set(options).size, 4)
        assert.deepStrictEqual(options.filter((option: string) => text.get(gold).includes(option)), [answer])
        assert.strictEqual(options[answer_idx], answer)
        assert.isTrue(options.every((option: string) => side.get(option) === split))
      }
      assert.strictEqual(counts.gene_train + counts.gene_dev + counts.gene_test, asked.length)
      assert.isAbove(counts.gene_train, counts.gene_test)
      assert.isAbove(new Set(asked.map((question) => question.answer_idx)).size, 3)
    }))
  it.effect("are the same bytes for the same files, and load as the questions of a run", () =>
    onDisk(Effect.gen(function*() {
      const [one, two] = [yield* imported(diseases), yield* imported(diseases)]
      assert.strictEqual(one.gene, two.gene)
      const where = { split: "train" }
      const passages = yield* Dataset.passages(join(one.out, "passages.jsonl"))
      const { records } = yield* Dataset.questions(join(one.out, "gene.jsonl"), { where, group: "doc" })
      assert.strictEqual(records.length, one.counts.gene_train)
      assert.strictEqual(records[0]!.options[records[0]!.answerIndex], records[0]!.answer)
      assert.isTrue(records.every(({ gold }) => passages.records.some(({ id }) => id === gold[0])))
    })))
})

describe("what is wrong with a clone", () => {
  const cases: Readonly<Record<string, readonly [Files, string, string]>> = {
    "a file that breaks off": [{ ...files, "3_C_QA/9.xml": cancer.slice(0, -20) }, "3_C_QA/9.xml", "not XML: "],
    "an empty file": [{ "3_C_QA/9.xml": "" }, "3_C_QA/9.xml", "not XML: "],
    "an unknown entity": [{ "3_C_QA/9.xml": "<a>&x;</a>" }, "3_C_QA/9.xml", "not XML: "],
    "XML of another kind": [{ "3_C_QA/9.xml": "<html><p/></html>" }, "3_C_QA/9.xml", "no MedQuAD document"],
    "a pair without a number": [{ "3_C_QA/9.xml": cancer.replace(/pid="1"/, "") }, "3_C_QA/9.xml", "it has no pid"],
    "an answer without a question": [
      { "3_C_QA/9.xml": cancer.replaceAll(/What of [^<]*/g, " ") },
      "3_C_QA/9.xml",
      "without a question"
    ],
    "a number given twice": [{ "3_C_QA/9.xml": cancer.replace("pid=\"4\"", "pid=\"1\"") }, "9.xml", "is given twice"],
    "no MedQuAD folder": [{ "docs/a.xml": cancer }, "", "no MedQuAD file"],
    "MedQuAD folders without files": [{ "3_C_QA/readme.txt": cancer }, "", "no MedQuAD file"]
  }
  for (const [name, [files, path, reason]] of Object.entries(cases)) {
    it.effect(`${name} is told by file`, () =>
      Effect.gen(function*() {
        const error = yield* refusal(files)
        assert.isTrue(error.path.endsWith(path), error.path)
        assert.include(error.reason, reason)
      }))
  }
  it.effect("a folder that is not there is named", () =>
    Effect.gen(function*() {
      const error = yield* onDisk(Effect.flip(importFolder("/no/such/folder", "/none")))
      assert.deepStrictEqual([error._tag, error.path], ["FileError", "/no/such/folder"])
    }))
})
