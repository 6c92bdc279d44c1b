/** What a merge config means, as one text for all configs that mean the same. */
import { canonical } from "../../../domain/texts/canonical.ts"
import type { MergeConfig, Source } from "./config.ts"
import type { Setting } from "./parameters.ts"

/** Parameters under which a method divides by the sum of the weights. */
const dividing = ["normalize", "normalize_weights"] as const

/** The value of a setting that is the same for all tensors. */
const only = (setting: Setting | undefined): number | boolean | undefined => {
  const [first, ...more] = setting ?? []
  return more.length === 0 && first?.filter === undefined && first?.values.length === 1 ? first.values[0] : undefined
}

/** Whether all weights can be multiplied by a number without effect. */
const scaleFree = ({ method, name, parameters }: MergeConfig): boolean => {
  if (name === "nuslerp") return true
  const key = dividing.find((own) => Object.hasOwn(method.shared, own))
  if (key === undefined) return false
  return (parameters[key] === undefined ? method.shared[key]!.default : only(parameters[key])) === true
}

/** A source with another weight. */
const weighing = (source: Source, weight: number | undefined): Source =>
  weight === undefined ? source : { ...source, parameters: { ...source.parameters, weight: [{ values: [weight] }] } }

/** The models with weights that sum to 1, where only their ratios count; else as they are. */
const ratios = (config: MergeConfig): ReadonlyArray<Source> => {
  const { base, method, models } = config
  const weighted = models.filter(({ model }) => method.base === "ignored" || model !== base)
  const weights = weighted.map(({ parameters }) => only(parameters["weight"]))
  if (!scaleFree(config) || !weights.every((weight) => typeof weight === "number")) return models
  const sum = weights.reduce((total, weight) => total + weight, 0)
  if (!(sum > 0)) return models
  const own = new Map(weighted.map((source, i) => [source, Number((weights[i]! / sum).toPrecision(10))]))
  return models.map((source) => weighing(source, own.get(source)))
}

/** A config's meaning: equal texts for configs whose merges are equal but for rounding, such as weights twice as large. */
export const meaningOf = (config: MergeConfig): string => {
  const { base, dtype, models, name, outDtype, parameters, slices, tokenizerSource } = config
  const own = { name, base, parameters, slices, dtype, outDtype, tokenizerSource }
  return canonical({ ...own, models: slices ? models : ratios(config) })
}
