/**
 * Program: converts a clone of MedQuAD (github.com/abachaa/MedQuAD, CC BY 4.0) to JSON lines of passages and
 * questions.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { basename, join } from "node:path"
import { FileError, located, makeFolder, replace } from "../../runtime/files/disk.ts"
import { geneQuestions, split } from "./genes.ts"
import { type Document, read } from "./xml.ts"

const fileError = (path: string, reason: string) => new FileError({ path, place: "", reason })

const listing = (path: string) => FileSystem.FileSystem.use((fs) => fs.readDirectory(path)).pipe(located(path))

/** All XML files of the numbered folders, in order, with the id of each document. */
const filesOf = Effect.fnUntraced(function*(folder: string) {
  const found = (yield* listing(folder)).flatMap((name) => {
    const number = /^(\d+)_\w*QA\w*$/.exec(name)?.[1]
    return number ? [{ name, number: Number(number) }] : []
  })
  const files = yield* Effect.forEach(
    found.toSorted((a, b) => a.number - b.number),
    Effect.fnUntraced(function*({ name, number }) {
      const names = (yield* listing(join(folder, name))).filter((file) => /^[^.].*\.xml$/.test(file)).toSorted()
      return names.map((file) => ({ path: join(folder, name, file), id: `${number}/${basename(file, ".xml")}` }))
    })
  )
  if (files.flat().length > 0) return files.flat()
  return yield* fileError(folder, "no MedQuAD file in it: folders like 1_CancerGov_QA of XML files are looked for")
})

/** The documents, identified by file name: the ids inside ten of the files belong to other documents. */
const readAll = Effect.fnUntraced(function*(folder: string) {
  const [documents, seen] = [new Array<Document>(), new Set<string>()]
  for (const { id, path } of yield* filesOf(folder)) {
    const document = yield* read(path, id)
    const twice = document.pairs.find((pair) => seen.has(pair.id) || !seen.add(pair.id))
    if (twice) return yield* fileError(path, `"${twice.id}" is given twice`)
    documents.push(document)
  }
  return documents
})

/** Each distinct answer of a document. */
const passagesOf = (document: Document) =>
  document.pairs.filter(({ gold, id }) => gold === id).map(({ answer, id, type }) => ({
    _id: id,
    title: document.focus,
    text: answer,
    source: document.source,
    doc: document.id,
    qtype: type
  }))

const questionsOf = (document: Document) =>
  document.pairs.map(({ answer, gold, id, question, type }) => ({
    id,
    question,
    answer,
    gold,
    type,
    group: document.id,
    split: split(document.disease)
  }))

const lines = (records: ReadonlyArray<object>): Uint8Array =>
  new TextEncoder().encode(records.map((record) => `${JSON.stringify(record)}\n`).join(""))

/**
 * Writes `passages.jsonl`, `questions.jsonl` and `gene.jsonl` to `out` and reports their counts; the same clone gives
 * the same bytes. Splits are disjoint by disease: the UMLS concept, or else the focus.
 */
export const importFolder = Effect.fn("importMedquad")(function*(folder: string, out: string) {
  const documents = yield* readAll(folder)
  const [passages, questions] = [documents.flatMap(passagesOf), documents.flatMap(questionsOf)]
  const genes = geneQuestions(documents)
  yield* makeFolder(out)
  yield* replace(join(out, "passages.jsonl"), lines(passages))
  yield* replace(join(out, "questions.jsonl"), lines(questions))
  yield* replace(join(out, "gene.jsonl"), lines(genes))
  const count = (side: string) => genes.filter((question) => question.split === side).length
  return {
    documents: documents.length,
    passages: passages.length,
    questions: questions.length,
    gene_train: count("train"),
    gene_dev: count("dev"),
    gene_test: count("test")
  }
})
