/** Retrieve: the best passages of the index for each question, rescored if requested. */
import * as Effect from "effect/Effect"
import { asked, type Content } from "../domain/Content.ts"
import * as Frame from "../domain/Frame.ts"
import { Candidates, Question } from "../domain/tables.ts"
import { Retriever } from "../runtime/ports/Retriever.ts"
import * as Stage from "./Stage.ts"

/** How candidates are retrieved. */
export interface RetrieveOptions {
  /** Candidates per question. */
  readonly n: number
  /** Rescore and rank the candidates with the retriever's current weights. */
  readonly rerank: boolean
  /** Whether passages of the question's group are not to be found; retrievers of texts find them all the same. */
  readonly exclude?: boolean
}

/** What the retriever is asked in each row: the question's picture, if it has one, and its query. */
export const queriesOf = (rows: Frame.Frame<Pick<typeof Question, "image" | "query">>): ReadonlyArray<Content> => {
  const images = Frame.column(rows, "image")
  return Frame.column(rows, "query").map((query, r) => asked(images[r]!, query))
}

/** Sorts each row of `docs` by falling score; ties keep their order. */
const rank = (docs: Int32Array, scores: Float32Array, n: number) => {
  const order = Array.from(docs.keys()).toSorted((a, b) =>
    Math.floor(a / n) - Math.floor(b / n) || scores[b]! - scores[a]! || a - b
  )
  return { docs: Int32Array.from(order, (i) => docs[i]!), docScore: Float32Array.from(order, (i) => scores[i]!) }
}

/** The candidates of each question, best first; needs a `Retriever`. */
export const retrieve = ({ exclude = false, n, rerank }: RetrieveOptions) =>
  Stage.make("retrieve", {
    needs: Question,
    adds: Candidates(n),
    run: Effect.fnUntraced(function*(rows) {
      const retriever = yield* Retriever
      const queries = queriesOf(rows)
      const { docs, scores } = yield* retriever.search(queries, n, exclude ? Frame.column(rows, "group") : undefined)
      if (!rerank) return { docs, docScore: scores }
      return rank(docs, yield* retriever.score(queries, docs), n)
    })
  })
