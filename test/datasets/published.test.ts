/** Data in the forms it is published in: a small file of ours in each, and what is read of it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { parquetWriteBuffer } from "hyparquet-writer"
import { join } from "node:path"
import * as Dataset from "../../src/datasets/dataset.ts"
import { type QuestionRecord, rightAnswers } from "../../src/domain/records/Records.ts"
import { folderOf, onDisk } from "../support/files.ts"

const lines = (...records: ReadonlyArray<object>): string =>
  records.map((record) => `${JSON.stringify(record)}\n`).join("")

const parquet = (rows: ReadonlyArray<Readonly<Record<string, unknown>>>): Uint8Array =>
  new Uint8Array(parquetWriteBuffer({
    columnData: Object.keys(rows[0]!).map((name) => ({ name, data: rows.map((row) => row[name]) as Array<any> }))
  }))

/** Id, right answer, its place, options. */
const brief = (q: QuestionRecord) => [q.id, q.answer, q.answerIndex, q.options] as const

interface Form {
  readonly file: string
  readonly content: string | Uint8Array
  readonly dataset?: string
  readonly options?: Dataset.QuestionOptions
  readonly questions: ReadonlyArray<ReturnType<typeof brief>>
  readonly unused: ReadonlyArray<string>
}

const medQa = {
  question: "A boy has kinky hair. Which gene is altered?",
  answer: "ATP7A",
  options: { A: "ATP7B", B: "GLA", C: "ATP7A", D: "GBA1", E: "HEXA" },
  meta_info: "step1",
  answer_idx: "C"
}
const medMcqa = {
  id: "7f1e-1",
  question: "Copper is stored in the",
  opa: "Liver",
  opb: "Spleen",
  opc: "Heart",
  opd: "Lung",
  choice_type: "single",
  exp: "Ans. is 'a'",
  subject_name: "Medicine",
  topic_name: null
}
const medOptions = ["Liver", "Spleen", "Heart", "Lung"]
const mmlu = {
  question: "Which organ stores copper?",
  subject: "anatomy",
  choices: ["Spleen", "Liver", "Lung", "Heart"],
  answer: 1
}
const bioAsq = {
  questions: [
    {
      id: "q1",
      type: "yesno",
      body: "Is copper stored?",
      exact_answer: "yes",
      documents: ["http://www.ncbi.nlm.nih.gov/pubmed/11"]
    },
    {
      id: "q2",
      type: "factoid",
      body: "Which gene?",
      exact_answer: [["ATP7B", "ATPase 7B"]],
      ideal_answer: ["It is ATP7B."]
    },
    {
      id: "q3",
      type: "factoid",
      body: "Which organ?",
      exact_answer: ["liver"],
      snippets: [{ text: "liver", document: "d" }]
    },
    { id: "q4", type: "list", body: "Which organs?", exact_answer: [["liver"], ["brain"]] },
    { id: "q5", type: "summary", body: "What is it?", ideal_answer: ["A disease."] }
  ]
}
const headQa = {
  qid: "1",
  qtext: "Which organ stores copper?",
  ra: "2",
  image: "",
  answers: [{ aid: 1, atext: "Spleen" }, { aid: 2, atext: "Liver" }]
}
const exam = { name: "Cuaderno_2016_1_B", year: "2016", category: "biology" }
const benchmark = {
  medqa: { "0000": { question: "Which gene?", options: { A: "GLA", B: "ATP7B" }, answer: "B" } },
  bioasq: { "5be4": { question: "Is it?", options: { A: "yes", B: "no" }, answer: "A", PMID: [11, 12] } }
}

const forms: Readonly<Record<string, Form>> = {
  "MedQA": {
    file: "phrases_no_exclude_test.jsonl",
    content: lines(medQa, { ...medQa, metamap_phrases: ["hair"] }),
    questions: [1, 2].map((line) => [`line-${line}`, "ATP7A", 2, Object.values(medQa.options)] as const),
    unused: ["meta_info", "metamap_phrases"]
  },
  "MedMCQA, the authors'": {
    file: "dev.json",
    content: lines({ ...medMcqa, cop: 1 }, { ...medMcqa, id: "7f1e-2", cop: 4 }),
    questions: [["7f1e-1", "Liver", 0, medOptions], ["7f1e-2", "Lung", 3, medOptions]],
    unused: ["choice_type", "subject_name"]
  },
  "MedMCQA, Hugging Face's": {
    file: "validation.parquet",
    content: parquet([{ ...medMcqa, cop: 1 }, { ...medMcqa, id: "7f1e-2", cop: 0 }, {
      ...medMcqa,
      id: "7f1e-3",
      cop: -1
    }]),
    questions: [["7f1e-1", "Spleen", 1, medOptions], ["7f1e-2", "Liver", 0, medOptions], [
      "7f1e-3",
      "",
      -1,
      medOptions
    ]],
    unused: ["choice_type", "subject_name", "topic_name"]
  },
  "MMLU": {
    file: "test.parquet",
    content: parquet([mmlu, { ...mmlu, answer: 0 }]),
    questions: [["row-1", "Liver", 1, mmlu.choices], ["row-2", "Spleen", 0, mmlu.choices]],
    unused: ["subject"]
  },
  "MMLU as lines": {
    file: "test.jsonl",
    content: lines(mmlu),
    questions: [["line-1", "Liver", 1, mmlu.choices]],
    unused: ["subject"]
  },
  "PubMedQA, the authors'": {
    file: "ori_pqal.json",
    content: JSON.stringify(
      {
        21: {
          QUESTION: "Do they?",
          CONTEXTS: ["They."],
          LABELS: ["AIM"],
          YEAR: "2011",
          final_decision: "maybe",
          LONG_ANSWER: "So."
        }
      },
      null,
      2
    ),
    questions: [["21", "maybe", 2, ["yes", "no", "maybe"]]],
    unused: ["CONTEXTS", "LABELS", "YEAR"]
  },
  "PubMedQA, Hugging Face's": {
    file: "pqa_labeled.jsonl",
    content: lines({
      pubid: 21,
      question: "Do they?",
      context: { contexts: ["They."] },
      long_answer: "So.",
      final_decision: "no"
    }),
    questions: [["21", "no", 1, ["yes", "no", "maybe"]]],
    unused: ["context"]
  },
  "BioASQ": {
    file: "13b_golden.json",
    content: JSON.stringify(bioAsq),
    questions: [
      ["q1", "yes", 0, ["yes", "no"]],
      ["q2", "ATP7B", -1, []],
      ["q3", "liver", -1, []],
      ["q4", "", -1, []],
      ["q5", "", -1, []]
    ],
    unused: ["documents", "ideal_answer", "snippets"]
  },
  "HEAD-QA, the authors'": {
    file: "test_HEAD_EN.json",
    content: JSON.stringify({
      version: "1.0",
      language: "en",
      exams: { [exam.name]: { ...exam, data: [headQa, { ...headQa, qid: "2", ra: "1" }] } }
    }),
    questions: [
      ["Cuaderno_2016_1_B/1", "Liver", 1, ["Spleen", "Liver"]],
      ["Cuaderno_2016_1_B/2", "Spleen", 0, ["Spleen", "Liver"]]
    ],
    unused: []
  },
  "HEAD-QA, Hugging Face's": {
    file: "test.jsonl",
    content: lines({ ...exam, ...headQa, qid: 1, ra: 2, image: null }),
    questions: [["Cuaderno_2016_1_B/1", "Liver", 1, ["Spleen", "Liver"]]],
    unused: ["year", "category"]
  },
  "MIRAGE's benchmark, one dataset": {
    file: "benchmark.json",
    dataset: "medqa",
    content: JSON.stringify(benchmark, null, 4),
    questions: [["0000", "ATP7B", 1, ["GLA", "ATP7B"]]],
    unused: []
  },
  "MIRAGE's benchmark, all datasets": {
    file: "benchmark.json",
    dataset: "*",
    content: JSON.stringify(benchmark),
    questions: [["medqa/0000", "ATP7B", 1, ["GLA", "ATP7B"]], ["bioasq/5be4", "yes", 0, ["yes", "no"]]],
    unused: ["PMID"]
  },
  "FlashRAG": {
    file: "test.jsonl",
    content: lines({
      id: "test_0",
      question: "Which gene?",
      golden_answers: ["ATP7B", "ATPase 7B"],
      metadata: { a: 1 }
    }),
    questions: [["test_0", "ATP7B", -1, []]],
    unused: ["metadata"]
  },
  "FlashRAG with choices": {
    file: "test.jsonl",
    content: lines({ id: "test_0", question: "Which gene?", golden_answers: [1], choices: ["GLA", "ATP7B"] }),
    questions: [["test_0", "ATP7B", 1, ["GLA", "ATP7B"]]],
    unused: []
  },
  "Atlas": {
    file: "train.jsonl",
    content: lines({ question: "Which gene?", answers: ["ATP7B", "ATPase 7B"], target: "ATPase 7B" }),
    questions: [["line-1", "ATPase 7B", -1, []]],
    unused: []
  }
}

const load = Effect.fnUntraced(
  function*({ content, dataset, file, options }: Pick<Form, "content" | "dataset" | "file" | "options">) {
    const folder = yield* folderOf({ [file]: content })
    return yield* Dataset.questions(join(folder, file) + (dataset === undefined ? "" : `#${dataset}`), options)
  }
)

const unusedOf = (told: ReadonlyArray<string>): ReadonlyArray<string> =>
  told.filter((sentence) => sentence.startsWith("fields not used: "))
    .flatMap((sentence) => sentence.slice(17).split(", ").map((field) => field.replace(/ \(.*/, "")))

describe("questions", () => {
  for (const [name, form] of Object.entries(forms)) {
    it.live(`of ${name}`, () =>
      onDisk(Effect.gen(function*() {
        const { records, told } = yield* load(form)
        assert.deepStrictEqual(records.map(brief), form.questions)
        assert.deepStrictEqual(unusedOf(told), form.unused)
      })))
  }
  it.live("of BioASQ and FlashRAG have all their synonyms right", () =>
    onDisk(Effect.gen(function*() {
      for (const [name, at] of [["BioASQ", 1], ["FlashRAG", 0]] as const) {
        const { records } = yield* load(forms[name]!)
        assert.deepStrictEqual(rightAnswers(records[at]!), ["ATP7B", "ATPase 7B"])
      }
    })))
  it.live("of BioASQ are told where no single text answers them, and chosen by their type", () =>
    onDisk(Effect.gen(function*() {
      const form = forms["BioASQ"]!
      const { told } = yield* load(form)
      assert.include(told, "1 questions are of type list, which no single text answers: read without an answer")
      const { records } = yield* load({ ...form, options: { where: { type: "yesno" }, gold: "documents" } })
      assert.deepStrictEqual(records.map(({ gold, id }) => [id, gold]), [["q1", ["11"]]])
    })))
  it.live("of MIRAGE have its articles as gold passages where those are asked for", () =>
    onDisk(Effect.gen(function*() {
      const { records } = yield* load({ ...forms["MIRAGE's benchmark, all datasets"]!, options: { gold: "PMID" } })
      assert.deepStrictEqual(records.map(({ gold, type }) => [type, gold]), [["medqa", []], ["bioasq", ["11", "12"]]])
    })))
  it.live("of MedQA are refused where letter and text disagree", () =>
    onDisk(Effect.gen(function*() {
      const content = lines({ ...medQa, answer: "GLA" })
      const error = yield* Effect.flip(load({ file: "q.jsonl", content }))
      assert.match(
        error.message,
        /line 1, field "answer_idx, answer": disagree: answer_idx "C" is C \("ATP7A"\), answer "GLA" is B/
      )
    })))
  it.live("of HEAD-QA are refused without their right answer among the others", () =>
    onDisk(Effect.gen(function*() {
      const error = yield* Effect.flip(load({ file: "q.jsonl", content: lines({ ...headQa, ra: 5 }) }))
      assert.match(error.message, /line 1, field "ra": 5 is none of the options \(1, 2\)/)
    })))
})

describe("passages", () => {
  for (
    const [name, content, expected] of [
      ["BEIR", lines({ _id: "p1", title: "Wilson disease", text: "Copper.", metadata: {} }), [[
        "p1",
        "Wilson disease. Copper."
      ]]],
      ["FlashRAG", lines({ id: "0", contents: "\"Wilson disease\"\nCopper." }), [["0", "\"Wilson disease\"\nCopper."]]],
      ["MedRAG", lines({ id: "A_0", title: "A", content: "Copper.", contents: "A. Copper." }), [["A_0", "A. Copper."]]],
      [
        "MedRAG's PubMed",
        lines({ id: "P_0", title: "On copper.", content: "It is.", contents: "On copper. It is.", PMID: 1 }),
        [["P_0", "On copper. It is."]]
      ],
      ["Atlas", lines({ id: "1", title: "Liver", section: "Copper", text: "It stores." }), [[
        "1",
        "Liver: Copper. It stores."
      ]]]
    ] as const
  ) {
    it.live(`of ${name}`, () =>
      onDisk(Effect.gen(function*() {
        const folder = yield* folderOf({ "corpus.jsonl": content })
        const { records } = yield* Dataset.passages(join(folder, "corpus.jsonl"))
        assert.deepStrictEqual(records.map(({ id, text }) => [id, text]), expected as never)
      })))
  }
})

/** A folder as BEIR publishes it. */
const beir = Effect.fnUntraced(
  function*(qrels: Readonly<Record<string, string>>, more: Readonly<Record<string, string>> = {}) {
    const fs = yield* FileSystem.FileSystem
    const folder = yield* folderOf({
      "corpus.jsonl": lines({ _id: "d1", title: "T", text: "x" }, { _id: "d2", title: "", text: "y" }, {
        _id: "d3",
        title: "",
        text: ""
      }),
      "queries.jsonl": lines({ _id: "1", text: "first?", metadata: {} }, { _id: "2", text: "second?" }, {
        _id: "3",
        text: "third?"
      }),
      ...more
    })
    yield* Effect.orDie(fs.makeDirectory(join(folder, "qrels")))
    yield* Effect.forEach(
      Object.entries(qrels),
      ([name, text]) => Effect.orDie(fs.writeFileString(join(folder, "qrels", name), text))
    )
    return folder
  }
)
const header = "query-id\tcorpus-id\tscore\n"
const golds = (records: ReadonlyArray<QuestionRecord>) => records.map(({ gold, id }) => [id, gold] as const)

describe("a folder of BEIR's", () => {
  const qrels = { "test.tsv": `${header}1\td1\t1\n1\td2\t2\r\n2\td3\t0\n`, "dev.tsv": `${header}3\td2\t1\n` }
  it.live("has the questions that its judgements name, with the passages of a positive score", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* beir(qrels)
      const test = yield* Dataset.questions(folder, { split: "test" })
      assert.deepStrictEqual(golds(test.records), [["1", ["d1", "d2"]], ["2", []]])
      assert.deepStrictEqual(test.records.map(({ question }) => question), ["first?", "second?"])
      assert.deepStrictEqual(test.told, [
        `1 queries are not in ${join(folder, "qrels", "test.tsv")}, and are left out`,
        "1 judgements have a grade above 1, and count as 1 does"
      ])
      assert.deepStrictEqual(golds((yield* Dataset.questions(folder, { split: "validation" })).records), [["3", [
        "d2"
      ]]])
      const { empty, records } = yield* Dataset.passages(folder)
      assert.deepStrictEqual([records.map(({ id }) => id), [...empty]], [["d1", "d2"], ["d3"]])
    })))
  it.live("may be named by its queries, or by its judgements", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* beir(qrels)
      const queries = yield* Dataset.questions(join(folder, "queries.jsonl"), { split: "test" })
      assert.deepStrictEqual(golds(queries.records), [["1", ["d1", "d2"]], ["2", []]])
      const dev = yield* Dataset.questions(join(folder, "qrels", "dev.tsv"), { split: "test" })
      assert.deepStrictEqual(golds(dev.records), [["3", ["d2"]]])
    })))
  it.live("is told of where its judgements name questions that it lacks", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* beir({ "test.tsv": `${header}1\td1\t1\n9\td1\t1\n` })
      const { told } = yield* Dataset.questions(folder, { split: "test" })
      assert.include(told, `1 queries of ${join(folder, "qrels", "test.tsv")} are not there`)
    })))
  it.live("has all its questions where no split is asked for", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* beir(qrels)
      for (const path of [folder, join(folder, "queries.jsonl")]) {
        assert.deepStrictEqual(golds((yield* Dataset.questions(path)).records), [["1", []], ["2", []], ["3", []]])
      }
    })))
  for (
    const [what, tsv, message] of [
      ["a score that is none", `${header}1\td1\tyes\n`, /test.tsv, line 2: expected query-id, corpus-id, score/],
      [
        "two scores of one passage",
        `${header}1\td1\t1\n1\td1\t0\n`,
        /test.tsv, line 3: 1 and d1 have two scores, 1 and 0/
      ],
      ["a line that is short", `${header}1\td1\n`, /test.tsv, line 2: expected/],
      ["another header", "query\tdocument\trelevance\n", /test.tsv, line 1: expected a header/],
      ["the columns of trec_eval", "1 0 d1 1\n", /test.tsv, line 1: expected a header/]
    ] as const
  ) {
    it.live(`is refused with ${what} in its judgements`, () =>
      onDisk(Effect.gen(function*() {
        const folder = yield* beir({ "test.tsv": tsv })
        assert.match((yield* Effect.flip(Dataset.questions(folder, { split: "test" }))).message, message)
      })))
  }
  it.live("may have other columns, in any order, or no header", () =>
    onDisk(Effect.gen(function*() {
      for (
        const tsv of ["corpus-id\tsplit\tscore\tquery-id\nd1\ttest\t1\t2\n", "2\td1\t1\n", `${header}"2"\t"d1"\t1.0`]
      ) {
        const folder = yield* beir({ "test.tsv": tsv })
        assert.deepStrictEqual(golds((yield* Dataset.questions(folder, { split: "test" })).records), [["2", ["d1"]]])
      }
    })))
  it.live("is refused without judgements of the split, and without queries", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* beir({})
      const judgements = yield* Effect.flip(Dataset.questions(folder, { split: "train" }))
      assert.match(judgements.message, /holds no qrels\/train.tsv, which the train questions are taken from/)
      const queries = yield* Effect.flip(Dataset.questions(yield* folderOf({}), { split: "train" }))
      assert.match(queries.message, /holds no queries.jsonl/)
    })))
})
