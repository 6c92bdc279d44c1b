/**
 * Which gene? Multiple-choice questions derived by rule from the pages of Genetics Home Reference. A page's gene is
 * the first one it calls "<SYMBOL> gene"; a question asks for the gene by one of the disease's names, with four
 * options of which only the correct one occurs on the page. Labels are not checked by hand.
 */
import { scorer, words } from "../../domain/bm25.ts"
import * as Key from "../../domain/Key.ts"
import type { Document } from "./xml.ts"

/** A split of the dataset; all questions about a disease are in the same one. */
export type Split = "train" | "dev" | "test"

/** A question about a disease's gene, as one line of the output file. */
export interface GeneQuestion {
  readonly id: string
  readonly split: Split
  readonly type: "gene"
  readonly kind: "name" | "synonym"
  /** The name that the question uses. */
  readonly mention: string
  readonly question: string
  readonly gold: string
  readonly doc: string
  /** Share of the mention's words that occur in the passage. */
  readonly mention_in_gold: number
  readonly answer: string
  readonly options: ReadonlyArray<string>
  readonly answer_idx: number
}

/** The key of every random choice. */
const key = Key.make(1)

/** Splits diseases 70:10:20; everything about a disease is in the same split. */
export const split = (disease: string): Split => {
  const u = Key.uniform(Key.fold(key, "split", disease), 0)
  return u < 0.7 ? "train" : u < 0.8 ? "dev" : "test"
}

interface Page {
  readonly document: Document
  readonly gold: string
  readonly text: string
  readonly gene: string
  readonly side: Split
}

/** HLA, DNA and RNA are not gene symbols. */
const symbol = /(?<![\w-])(?!(?:HLA|DNA|RNA) gene)([A-Z][A-Z0-9]+(?:orf\d+)?(?:-[A-Z0-9]+)*) gene\b/

const pagesOf = (documents: ReadonlyArray<Document>): ReadonlyArray<Page> =>
  documents.flatMap((document) =>
    document.pairs.flatMap(({ answer, gold, id, type }) => {
      const gene = type === "genetic changes" && gold === id ? symbol.exec(answer)?.[1] : undefined
      return gene ? [{ document, gold, text: answer, gene, side: split(document.disease) }] : []
    })
  )

const namesOf = ({ focus, synonyms }: Document): ReadonlyArray<string> => [focus, ...synonyms]

/** The compared form of a name: only its words. */
const plain = (name: string): string => words(name).join(" ")

/** The number of documents that use each name. */
const holders = (documents: ReadonlyArray<Document>): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const document of documents) {
    for (const name of new Set(namesOf(document).map(plain))) counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return counts
}

/** The names a question may use, without duplicates: unique to this document, and not revealing the gene. */
const mentions = ({ document, gene }: Page, counts: ReadonlyMap<string, number>): ReadonlyArray<string> => {
  const reveals = (name: string) => name.includes(gene) || words(name).includes(gene.toLowerCase())
  const names = namesOf(document)
  const keys = names.map(plain)
  return names.filter((name, i) =>
    keys[i] !== "" && keys.indexOf(keys[i]!) === i && counts.get(keys[i]!) === 1 && !reveals(name)
  )
}

/** Two of the options are drawn from this many of the nearest genes of other diseases. */
const NEAR = 6

/**
 * Genes of other diseases that a page does not name: the nearest by BM25, and all of them. They come from the page's
 * split; otherwise the option least seen in training would be the best guess on test questions.
 */
const rivals = (pages: ReadonlyArray<Page>) => {
  const titled = pages.map(({ document, text }) => `${document.focus}. ${text}`)
  const score = scorer(titled)
  return (own: number): readonly [ReadonlyArray<string>, ReadonlyArray<string>] => {
    const { document, side } = pages[own]!
    const scores = score(titled[own]!)
    const others = [...pages.keys()].filter((i) => {
      const page = pages[i]!
      return page.side === side && page.document.disease !== document.disease && !titled[own]!.includes(page.gene)
    })
    const ranked = [...new Set(others.toSorted((a, b) => scores[b]! - scores[a]! || a - b).map((i) => pages[i]!.gene))]
    return [ranked.slice(0, NEAR), ranked.toSorted()]
  }
}

const draw = (key: Key.Key, items: ReadonlyArray<string>, n: number): ReadonlyArray<string> =>
  Array.from(Key.permutation(key, items.length).slice(0, n), (i) => items[i]!)

/** Two near genes, one of any disease, and the correct one; fewer if there are too few genes. */
const choose = (id: string, gene: string, [near, all]: readonly [ReadonlyArray<string>, ReadonlyArray<string>]) => {
  const own = Key.fold(key, "options", id)
  const hard = draw(Key.fold(own, "near"), near, 2)
  const random = draw(Key.fold(own, "random"), all.filter((other) => !hard.includes(other)), 1)
  return draw(Key.fold(own, "order"), [gene, ...hard, ...random], 4)
}

const share = (mention: string, text: string): number => {
  const [asked, found] = [words(mention), new Set(words(text))]
  return Math.round(100 * asked.filter((word) => found.has(word)).length / asked.length) / 100
}

const ask = (page: Page, mention: string, id: string, options: ReadonlyArray<string>): GeneQuestion => ({
  id,
  split: page.side,
  type: "gene",
  kind: mention === page.document.focus ? "name" : "synonym",
  mention,
  question: `What are the genetic changes related to ${mention}?`,
  gold: page.gold,
  doc: page.document.id,
  mention_in_gold: share(mention, page.text),
  answer: page.gene,
  options,
  answer_idx: options.indexOf(page.gene)
})

/** The questions of all documents, in order; pages with fewer than three wrong genes are skipped. */
export const geneQuestions = (documents: ReadonlyArray<Document>): ReadonlyArray<GeneQuestion> => {
  const own = documents.filter(({ source }) => source === "GHR")
  const [pages, counts] = [pagesOf(own), holders(own)]
  const rivalsOf = rivals(pages)
  return pages.flatMap((page, p) => {
    const genes = rivalsOf(p)
    return mentions(page, counts).map((mention, i) => {
      const id = `${page.gold}/gene/${i}`
      return ask(page, mention, id, choose(id, page.gene, genes))
    }).filter(({ options }) => options.length === 4)
  })
}
