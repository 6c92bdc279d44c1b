/** How many evaluations an optimisation may take, by DSPy's `auto` and with STM's sizes (section 3.3). */

/** Sizes by name: candidates that DSPy plans for, examples of each split, and of a minibatch. */
export const sizes = {
  light: { candidates: 6, examples: 100, minibatch: 3 },
  medium: { candidates: 12, examples: 200, minibatch: 5 },
  heavy: { candidates: 18, examples: 300, minibatch: 8 }
} as const
/** A size of an optimisation. */
export type Size = keyof typeof sizes

/**
 * Metric calls, each the evaluation of one example, for `components` prompts and `val` examples of validation:
 * V + 5n + 35N + (⌊(N + 1) / 5⌋ + 1 + [N < 5]) V, with N = ⌊max(4p log2 n, 1.5 n)⌋ (DSPy 3.4).
 */
export const metricCalls = (size: Size, components: number, val: number): number => {
  const { candidates: n } = sizes[size]
  const trials = Math.floor(Math.max(4 * components * Math.log2(n), 1.5 * n))
  const full = Math.floor((trials + 1) / 5) + 1 + (trials < 5 ? 1 : 0)
  return val + 5 * n + 35 * trials + full * val
}
