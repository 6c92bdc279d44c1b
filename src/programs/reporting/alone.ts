/** Figures of arms whose questions were read with single passages. */
import type * as Metric from "../../domain/Metric.ts"
import { type Alone, alone, type OnFirst, onQuestions, type ReadAlone } from "../../domain/verdicts/analysis.ts"
import { isInconsistent } from "../../domain/verdicts/readings.ts"
import { readAlone } from "../analysis/kept.ts"
import { type Arm, evaluatedOf } from "./statistics.ts"

/** An arm's figures, over its analysed seeds. */
export interface ArmAlone extends Alone {
  readonly arm: string
  readonly seeds: ReadonlyArray<number>
}

/** Arms by readings of single passages, and all arms on the questions on which those of the base disagree. */
export interface AloneReport {
  readonly arms: ReadonlyArray<ArmAlone>
  readonly onBase: ReadonlyArray<OnFirst>
}

/** The analysed runs of an arm. */
const analysedOf = (arm: Arm) =>
  evaluatedOf(arm).flatMap((run) => run.analysis ? [{ ...run, analysis: run.analysis }] : [])

const questionsOf = (arm: Arm): ReadonlyArray<ReadAlone> =>
  analysedOf(arm).flatMap(({ analysis, evaluated, seed }) =>
    readAlone(new Map(evaluated.answered.map((own) => [own.id, own])), seed, analysis)
  )

const answersOf = (arm: Arm): ReadonlyArray<Metric.Keyed> =>
  evaluatedOf(arm).flatMap(({ evaluated, seed }) =>
    evaluated.answered.flatMap(({ correct, group, id }) =>
      correct === null ? [] : [{ key: `${seed}, ${id}`, group, value: correct }]
    )
  )

/** Figures of the arms that were analysed; the base's questions count if it was. */
export const aloneOf = (arms: ReadonlyArray<Arm>, base: Arm): AloneReport => {
  const split = new Set(questionsOf(base).filter(({ verdicts }) => isInconsistent(verdicts)).map(({ key }) => key))
  const others = arms.filter((arm) => arm !== base && evaluatedOf(arm).length > 0)
  return {
    arms: arms.flatMap((arm) => {
      const own = alone(questionsOf(arm))
      return own === undefined ? [] : [{ arm: arm.name, seeds: analysedOf(arm).map(({ seed }) => seed), ...own }]
    }),
    onBase: split.size === 0
      ? []
      : onQuestions([base, ...others].map((arm) => ({ name: arm.name, answers: answersOf(arm) })), split)
  }
}
