/**
 * Metrics of tasks that need more than texts: an encoder, a vocabulary, or another model as judge. Programs compute them for
 * all records together.
 */

type Options = Readonly<Record<string, unknown>>

/** BERTScore (Zhang et al. 2020) by an encoder. */
export interface ByEncoder {
  readonly _tag: "BertScore"
  /** A folder, or an id of the Hub. */
  readonly model: string
  readonly layers: number | undefined
  readonly idf: boolean
  /** A file of baselines, by which scores are rescaled. */
  readonly baseline: string | undefined
}

/** Concept-F by a vocabulary. */
export interface ByConcepts {
  readonly _tag: "Concepts"
  readonly vocabulary: string
  readonly languages: ReadonlyArray<string>
  readonly sources: ReadonlyArray<string>
  readonly termTypes: ReadonlyArray<string>
  readonly suppressed: boolean
  readonly types: ReadonlyArray<string>
  readonly scopes: ReadonlyArray<string>
  readonly stopWords: ReadonlyArray<string>
  readonly exclude: ReadonlyArray<string>
}

/** Another model's judgement: a score from 1 to 5, or whether it prefers the answer to the reference. */
export interface ByJudge {
  readonly _tag: "Judge"
  readonly pairs: boolean
  /** A file of its prompt; the one that comes with the package, if `undefined`. */
  readonly prompt: string | undefined
  readonly form: "auto" | "json" | "text"
  readonly maxTokens: number
}

/** What a metric needs. */
export type Outside = ByEncoder | ByConcepts | ByJudge

const flag = (value: unknown) => typeof value === "boolean" ? undefined : "has to be true or false"
const string = (value: unknown) => typeof value === "string" && value !== "" ? undefined : "has to be a text"
const count = (value: unknown) =>
  Number.isInteger(value) && Number(value) > 0 ? undefined : "has to be a whole number above 0"
const list = (value: unknown) =>
  Array.isArray(value) && value.every((own) => typeof own === "string") ? undefined : "has to be a list of texts"
const form = (value: unknown) =>
  value === "auto" || value === "json" || value === "text" ? undefined : "has to be auto, json or text"

const texts = (value: unknown, usual: ReadonlyArray<string> = []) => (value ?? usual) as ReadonlyArray<string>
const textOr = (value: unknown) => value as string | undefined

const judge = (pairs: boolean) => ({ form: own = "auto", max_tokens = 256, prompt }: Options): ByJudge => ({
  _tag: "Judge",
  pairs,
  prompt: textOr(prompt),
  form: own as ByJudge["form"],
  maxTokens: max_tokens as number
})
const judged = { prompt: string, form, max_tokens: count }

/** A kind of metric: names of its figures, options with what may be wrong with each, those needed, and what it needs. */
export interface OutsideKind {
  readonly names: ReadonlyArray<string>
  readonly takes: Readonly<Record<string, (value: unknown) => string | undefined>>
  readonly needs: ReadonlyArray<string>
  readonly make: (o: Options) => Outside
}

/** The kinds by name; options have the names that bert-score and UMLS have. */
export const outsideKinds: Readonly<Record<string, OutsideKind>> = {
  bertscore: {
    names: ["bertscore_precision", "bertscore_recall", "bertscore_f1"],
    takes: { model_type: string, num_layers: count, idf: flag, baseline_path: string },
    needs: ["model_type"],
    make: ({ baseline_path, idf = false, model_type, num_layers }) => ({
      _tag: "BertScore",
      model: String(model_type),
      layers: num_layers as number | undefined,
      idf: idf === true,
      baseline: textOr(baseline_path)
    })
  },
  concept_f1: {
    names: ["concept_precision", "concept_recall", "concept_f1"],
    takes: {
      vocabulary: string,
      languages: list,
      sources: list,
      term_types: list,
      suppressed: flag,
      semantic_types: list,
      synonym_scopes: list,
      stop_words: list,
      exclude: list
    },
    needs: ["vocabulary"],
    make: (o) => ({
      _tag: "Concepts",
      vocabulary: String(o["vocabulary"]),
      languages: texts(o["languages"], ["ENG"]),
      sources: texts(o["sources"]),
      termTypes: texts(o["term_types"]),
      suppressed: o["suppressed"] === true,
      types: texts(o["semantic_types"]),
      scopes: texts(o["synonym_scopes"], ["EXACT"]),
      stopWords: texts(o["stop_words"]),
      exclude: texts(o["exclude"])
    })
  },
  llm_judge: {
    names: ["judge_score", "judge_unparsed", "judge_refused"],
    takes: judged,
    needs: [],
    make: judge(false)
  },
  llm_judge_pair: {
    names: ["judge_preferred", "judge_consistent", "judge_pair_unparsed", "judge_pair_refused"],
    takes: judged,
    needs: [],
    make: judge(true)
  }
}
