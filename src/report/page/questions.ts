/** The questions of a report as the page's script shows them: data, bounded in size. */
import { cut } from "../../domain/brief.ts"
import type { Kept } from "../../programs/analysis/kept.ts"
import type { Report } from "../../programs/reporting/collect.ts"
import type { Matches } from "../../programs/reporting/matches.ts"
import type { Answered } from "../../programs/reporting/runs.ts"
import { type Arm, evaluatedOf } from "../../programs/reporting/statistics.ts"

/** Most characters of a passage, and of any other text. */
const [PASSAGE, TEXT] = [800, 2000]

/** How a run answered a question. */
interface RunShown {
  /** Place of the arm. */
  readonly arm: number
  readonly seed: number
  readonly said: string
  /** Place of the option that was chosen, -1 for none. */
  readonly option: number
  readonly written: string
  readonly correct: 0 | 1 | null
  /** A gold passage was among those that the reader was given; `null` if that is not known. */
  readonly supported: boolean | null
  readonly goldRanks: ReadonlyArray<number>
  readonly found: number
  /** Probabilities of the options' likelihoods; empty if they are not kept. */
  readonly nll: ReadonlyArray<number>
  readonly top: ReadonlyArray<readonly [id: string, score: number]>
  /** What a passage leads to by itself, if that was read, and whether it is right. */
  readonly alone?: Readonly<Record<string, readonly [said: string, right: 0 | 1]>>
  /** By how much a passage raises the right answer's log-likelihood: by itself, and beside the others; if that was read. */
  readonly influence?: Readonly<Record<string, readonly [alone: number, beside: number]>>
  /** The query's tokens, and by passage its own and which of them each token of the query matches best; if they were asked for. */
  readonly query?: ReadonlyArray<string>
  readonly matches?: Readonly<Record<string, MatchShown>>
  /** The same run before training, of questions with pictures, where it found or said something else. */
  readonly before?: Pick<RunShown, "said" | "correct" | "top" | "alone">
}

/** Tokens of a passage; the place of the best match of each token of the query, and its similarity. */
interface MatchShown {
  readonly tokens: ReadonlyArray<string>
  readonly best: ReadonlyArray<number>
  readonly similarity: ReadonlyArray<number>
}

/** A question with what each run made of it. */
interface QuestionShown {
  readonly id: string
  readonly type: string
  readonly text: string | null
  /** Place of its picture, if the page has it. */
  readonly picture?: number
  readonly options: ReadonlyArray<string>
  readonly right: number
  readonly answers: ReadonlyArray<string>
  readonly gold: ReadonlyArray<string>
  /** Places of the arms that answer it now right, now wrong: under other seeds, or asked in other words. */
  readonly inconsistent: ReadonlyArray<number>
  readonly runs: ReadonlyArray<RunShown>
}

/** All that the page's script is given. */
export interface Shown {
  readonly arms: ReadonlyArray<{ readonly name: string; readonly reads: number | null }>
  readonly passages: Readonly<Record<string, string>>
  /** Data URIs, and places among them of passages' pictures. */
  readonly pictures: ReadonlyArray<string>
  readonly pictured: Readonly<Record<string, number>>
  readonly questions: ReadonlyArray<QuestionShown>
}

/** Passages that an arm's reader is given; `null` if its settings are not known. */
const readsOf = ({ runs }: Arm): number | null => runs.find(({ reads }) => reads !== undefined)?.reads ?? null

/** What questions that ask for the same have in common: group, type and right answers. */
const asked = ({ answers, group, type }: Answered): string => JSON.stringify([group, type, answers])

/** Of each arm, what is asked for and answered now right, now wrong. */
const inconsistencies = (arms: ReadonlyArray<Arm>): ReadonlyArray<ReadonlySet<string>> =>
  arms.map((arm) => {
    const seen = new Map<string, Set<0 | 1>>()
    for (const { evaluated } of evaluatedOf(arm)) {
      for (const own of evaluated.answered) {
        if (own.correct === null || own.answers.length === 0) continue
        const key = asked(own)
        seen.set(key, (seen.get(key) ?? new Set()).add(own.correct))
      }
    }
    return new Set([...seen].filter(([, found]) => found.size > 1).map(([key]) => key))
  })

const supportedOf = ({ correct, goldRanks, ranked }: Answered, reads: number | null): boolean | null =>
  correct === null || !ranked || reads === null || reads === 0 ? null : goldRanks.some((rank) => rank <= reads)

/** A score of four digits: more would be bytes without use. */
const rounded = (score: number): number => Number(score.toPrecision(5))

const hundredths = (value: number): number => Number(value.toFixed(2))

const runShown = (own: Answered, arm: number, seed: number, reads: number | null, passages: number): RunShown => ({
  arm,
  seed,
  said: cut(own.prediction, TEXT),
  option: own.predictionIndex,
  written: cut(own.written, TEXT),
  correct: own.correct,
  supported: supportedOf(own, reads),
  goldRanks: own.goldRanks,
  found: own.found,
  nll: own.optionNll.map(rounded),
  top: own.top.slice(0, Math.max(passages, reads ?? 0)).map(([id, score]) => [id, rounded(score)]),
  ...(own.influence.length === 0 ? {} : {
    influence: Object.fromEntries(
      own.influence.map(({ alone, beside, id }) => [id, [hundredths(alone), hundredths(beside)]])
    )
  })
})

const matchesShown = (matched: ReturnType<Matches["questions"]["get"]>): Pick<RunShown, "query" | "matches"> =>
  matched === undefined ? {} : {
    query: matched.tokens,
    matches: Object.fromEntries(
      [...matched.passages].map((
        [id, own]
      ) => [id, { ...own, similarity: own.similarity.map((value) => Number(value.toFixed(2))) }])
    )
  }

/** What each passage leads to by the readings that an answer was fused from, if it was. */
const fusedShown = ({ answers, options, verdicts }: Answered): Pick<RunShown, "alone"> =>
  verdicts.length === 0 ? {} : {
    alone: Object.fromEntries(
      verdicts.map(([passage, option]) => {
        const said = options[option] ?? ""
        return [passage, [cut(said, TEXT), option >= 0 && answers.includes(said) ? 1 : 0]]
      })
    )
  }

const idsOf = (top: RunShown["top"]): string => top.map(([id]) => id).join("\n")

/** Runs before training are left out where an arm that is shown found the same, and nothing was answered then. */
const withoutTwins = (runs: ReadonlyArray<RunShown>): ReadonlyArray<RunShown> => {
  const known = new Set(runs.map(({ top }) => idsOf(top)))
  return runs.map(({ before, ...own }) =>
    before === undefined || (before.correct === null && known.has(idsOf(before.top)))
      ? own
      : Object.assign(own, { before })
  )
}

/** A run before training, of a question with pictures. */
const beforeShown = (report: Report, before: Answered | undefined, now: RunShown): Pick<RunShown, "before"> => {
  if (before === undefined || !report.texts.questions.get(before.id)?.image) return {}
  const { alone, correct, said, top } = {
    ...runShown(before, now.arm, now.seed, null, now.top.length),
    ...fusedShown(before)
  }
  if (idsOf(top) === idsOf(now.top) && (correct === null || said === now.said)) return {}
  return { before: { said, correct, top, ...(alone ? { alone } : {}) } }
}

/** What each passage leads to by itself, by question. */
const aloneShown = ({ analysis }: { readonly analysis: Kept | undefined }) => {
  const found = new Map(analysis?.readings.map((own) => [own.id, own.found]))
  return (id: string): Pick<RunShown, "alone"> => {
    const own = found.get(id)
    if (own === undefined) return {}
    const read = own.passages.map((passage, i) => [passage, [cut(own.said[i]!, TEXT), own.right[i]!]] as const)
    return { alone: Object.fromEntries(read) }
  }
}

/** What each run made of each question shown, in the order of the questions. */
const byQuestion = (report: Report) => {
  const { arms, matches, options, shown } = report
  const found = new Map<string, Array<{ readonly own: Answered; readonly run: RunShown }>>(shown.map((id) => [id, []]))
  arms.forEach((arm, i) => {
    for (const { analysis, before, evaluated, seed } of evaluatedOf(arm)) {
      const earlier = new Map(before?.answered.map((own) => [own.id, own]))
      const alone = aloneShown({ analysis })
      for (const own of evaluated.answered) {
        const matched = matches.find((one) => one.arm === arm.name && one.seed === seed)?.questions.get(own.id)
        const run = {
          ...runShown(own, i, seed, readsOf(arm), options.passages),
          ...matchesShown(matched),
          ...fusedShown(own),
          ...alone(own.id)
        }
        found.get(own.id)?.push({ own, run: { ...run, ...beforeShown(report, earlier.get(own.id), run) } })
      }
    }
  })
  return found
}

/** The questions that are shown, with the texts of their passages. */
export const shownOf = (report: Report): Shown => {
  const { arms, pictures, texts } = report
  const now = inconsistencies(arms)
  const questions = [...byQuestion(report)].flatMap(([id, all]): ReadonlyArray<QuestionShown> => {
    const first = all[0]?.own
    if (!first) return []
    return [{
      id,
      type: first.type,
      text: texts.questions.has(id) ? cut(texts.questions.get(id)!.question, TEXT) : null,
      ...(pictures.questions.has(id) ? { picture: pictures.questions.get(id)! } : {}),
      options: first.options.map((option) => cut(option, TEXT)),
      right: first.answerIndex,
      answers: first.answers.map((text) => cut(text, TEXT)),
      gold: first.gold,
      inconsistent: [...now.keys()].filter((arm) => now[arm]!.has(asked(first))),
      runs: withoutTwins(all.map(({ run }) => run))
    }]
  })
  const wanted = new Set(
    questions.flatMap(({ gold, runs }) => [
      ...gold,
      ...runs.flatMap(({ before, top }) => top.concat(before?.top ?? []).map(([id]) => id))
    ])
  )
  return {
    arms: arms.map((arm) => ({ name: arm.name, reads: readsOf(arm) })),
    passages: Object.fromEntries(
      [...wanted].flatMap((id) => texts.passages.has(id) ? [[id, cut(texts.passages.get(id)!, PASSAGE)]] : [])
    ),
    pictures: pictures.data,
    pictured: Object.fromEntries(
      [...wanted].flatMap((id) => pictures.passages.has(id) ? [[id, pictures.passages.get(id)!]] : [])
    ),
    questions
  }
}
