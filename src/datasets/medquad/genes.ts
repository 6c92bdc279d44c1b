/**
 * Which gene? Closed questions derived by rule from the pages of Genetics Home Reference. The gene of a page is the
 * first that it calls "<SYMBOL> gene"; a question asks for it by one of the disease's names, among four options none of
 * which but the right one occurs in the page. Labels are not checked by hand.
 */
import { scorer, words } from "../../domain/bm25.ts"
import * as Key from "../../domain/Key.ts"
import type { Document } from "./xml.ts"

/** Part of the dataset that a question belongs to; those of a disease are all in one. */
export type Split = "train" | "dev" | "test"

/** A question about a disease's gene, as a line of the file that is written. */
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
  /** The share of the mention's words that the passage has. */
  readonly mention_in_gold: number
  readonly answer: string
  readonly options: ReadonlyArray<string>
  readonly answer_idx: number
}

/** Every choice is made under it. */
const key = Key.make(1)

/** 70, 10 and 20 of a hundred diseases; all that is about a disease is on one side. */
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

/** HLA, DNA and RNA name no one gene. */
const symbol = /(?<![\w-])(?!(?:HLA|DNA|RNA) gene)([A-Z][A-Z0-9]+(?:orf\d+)?(?:-[A-Z0-9]+)*) gene\b/

const pagesOf = (documents: ReadonlyArray<Document>): ReadonlyArray<Page> =>
  documents.flatMap((document) =>
    document.pairs.flatMap(({ answer, gold, id, type }) => {
      const gene = type === "genetic changes" && gold === id ? symbol.exec(answer)?.[1] : undefined
      return gene ? [{ document, gold, text: answer, gene, side: split(document.disease) }] : []
    })
  )

const namesOf = ({ focus, synonyms }: Document): ReadonlyArray<string> => [focus, ...synonyms]

/** A name as it is compared: its words alone. */
const plain = (name: string): string => words(name).join(" ")

/** How many documents go by a name. */
const holders = (documents: ReadonlyArray<Document>): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const document of documents) {
    for (const name of new Set(namesOf(document).map(plain))) counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return counts
}

/** The names that a question may use: of this document alone, and not giving the gene away; each once. */
const mentions = ({ document, gene }: Page, counts: ReadonlyMap<string, number>): ReadonlyArray<string> => {
  const reveals = (name: string) => name.includes(gene) || words(name).includes(gene.toLowerCase())
  const names = namesOf(document)
  const keys = names.map(plain)
  return names.filter((name, i) =>
    keys[i] !== "" && keys.indexOf(keys[i]!) === i && counts.get(keys[i]!) === 1 && !reveals(name)
  )
}

/** From how many of the nearest genes of other diseases two of the options are drawn. */
const NEAR = 6

/**
 * The genes of other diseases that a page does not name: the nearest by BM25, and all of them. They are genes of the
 * page's split, for else a test question would be answered best by the option least seen in training.
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

/** Two near genes, one of any disease, and the right one; fewer where there are too few genes. */
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

/** The questions of documents, in their order; a page with fewer than three wrong genes to offer has none. */
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
