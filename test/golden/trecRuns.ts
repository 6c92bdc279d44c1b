/**
 * Fuzzed rankings, drawn by key: ties, scores a bit apart, ids of every kind, gold passages found or not, more passages
 * than are judged. Run by itself it writes each as files for trec.py: `node test/golden/trecRuns.ts FOLDER`.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { judge, type Judged } from "../../src/domain/judge.ts"
import * as Key from "../../src/domain/Key.ts"
import type { QuestionRecord } from "../../src/domain/records/Records.ts"
import { qrelLines, type Ranking, runLines } from "../../src/domain/trec.ts"

export const RUNS = 200

/** What trec_eval's columns, C's `strcmp` and Python's `split` could stumble over. */
const pieces = [
  ..."aAbZ019_.-#%\"\\",
  ..." \t\n\r\u0000\u001f\u0085\u00a0\u2003\u2028\u3000\ufeff\u200b",
  ..."éß\uffee𝔸病"
].concat("  ", "%20", "Q0")

const idOf = (key: Key.Key): string =>
  Array.from({ length: 1 + Key.integer(key, 0, 4) }, (_, i) => pieces[Key.integer(key, i + 1, pieces.length)]).join("")

/** Scores as they come of a retriever: all different, of few values, next to each other, of any size. */
const scoreOf = (kind: number, key: Key.Key, i: number): number => {
  const bits = new Uint32Array([0x3f800000 + Key.integer(key, i, 6)])
  return Math.fround(
    [
      Key.normal(key, i),
      Key.integer(key, i, 4) - 1,
      new Float32Array(bits.buffer)[0]!,
      1e30 * Key.normal(key, i)
    ][kind]!
  )
}

const question = (id: string, gold: ReadonlyArray<string>): QuestionRecord => ({
  id,
  question: "?",
  options: [],
  answer: "x",
  answerIndex: -1,
  gold,
  group: id,
  type: ""
})

/** The questions of a run, judged. */
export const runOf = (run: number): ReadonlyArray<Judged> => {
  const key = Key.fold(Key.make(0x7ec), run)
  const ids = new Set(Array.from({ length: 1 + Key.integer(key, 0, 6) }, (_, q) => idOf(Key.fold(key, "question", q))))
  return [...ids].map((id, q) => {
    const own = Key.fold(key, q)
    const docs = [...new Set(Array.from({ length: Key.integer(own, 0, 180) }, (_, d) => idOf(Key.fold(own, "doc", d))))]
    const kind = Key.integer(own, 1, 4)
    const ranking: Ranking = docs.map((doc, i) => [doc, scoreOf(kind, Key.fold(own, "scores"), i)] as const)
    const gold = Array.from({ length: Key.integer(own, 2, 6) }, (_, g) => {
      const found = docs.length > 0 && Key.uniform(own, 10 + g) < 0.7
      return found ? docs[Key.integer(own, 20 + g, docs.length)]! : idOf(Key.fold(own, "gold", g))
    })
    const answered = { prediction: "x", predictionIndex: -1, written: "" }
    return judge(question(id, gold), { answered, ranking })
  })
}

const text = (lines: ReadonlyArray<string>): string => lines.map((line) => `${line}\n`).join("")

/** The files of a run, as an evaluation writes them. */
export const filesOf = (judged: ReadonlyArray<Judged>) => ({
  run: text(judged.flatMap(({ found, id }) => runLines(id, found))),
  qrels: text(judged.flatMap(({ gold, id }) => qrelLines(id, gold)))
})

if (import.meta.main) {
  const folder = process.argv[2]!
  mkdirSync(folder, { recursive: true })
  for (let i = 0; i < RUNS; i++) {
    const { qrels, run } = filesOf(runOf(i))
    writeFileSync(join(folder, `${i}.run`), run)
    writeFileSync(join(folder, `${i}.qrels`), qrels)
  }
}
