/**
 * The arrays of a model and its optimiser. Of what learns there are two copies while it is small: a step reads one and
 * writes the other. Much is written over, once its gradients are known to be numbers. What is frozen exists once.
 */
import { asStored, type Values } from "../../kernels/half.ts"
import * as Nd from "../../kernels/NdArray.ts"
import type { Flat } from "../../kernels/nn/Module.ts"
import { names } from "../../kernels/Step.ts"

/** Values by their parameter's path. */
export type Arrays = ReadonlyMap<string, Values>

/** The parameters of a model with their values, and the optimiser's arrays beside those that learn. */
export interface Weights {
  readonly params: Flat
  readonly trainable: ReadonlyArray<string>
  readonly slots: ReadonlyArray<string>
  /** Graph inputs by name: `param/...` of all, `slot/...` of the trainable. The same record until `commit`. */
  readonly feeds: () => Readonly<Record<string, Values>>
  /** The parameters alone, for programs that only read. */
  readonly values: () => Readonly<Record<string, Values>>
  /** Those that do not learn, by graph input: the same record until some of them are overwritten. */
  readonly frozen: () => Readonly<Record<string, Values>>
  /** Whether the update is written over the current arrays: so much learns that a second copy would weigh. */
  readonly overwritten: boolean
  /** Where a step's `next/...` outputs go: the spare arrays, or the current ones. */
  readonly next: () => Readonly<Record<string, Float32Array>>
  /** `sum/...` of the trainable, zeroed: gradients are added up there. Made once they are asked for. */
  readonly sums: () => Readonly<Record<string, Float32Array>>
  /** Makes the spare arrays the current ones, where there are any. */
  readonly commit: () => void
  /** Makes `next/...` arrays the current ones: where a step could not write into them, since it may be taken back. */
  readonly take: (next: Readonly<Record<string, Values>>) => void
  /** The parameters by path: copies of those that learn, and the frozen arrays themselves. */
  readonly parameters: () => Arrays
  /** A copy of the optimiser's slots, by input name. */
  readonly state: () => Arrays
  /** The current arrays themselves, until the next commit: parameters by path, slots by input name. */
  readonly current: () => Arrays
  /** Overwrites those of the current arrays that are given. */
  readonly restore: (arrays: Arrays) => void
}

const isParam = (name: string): boolean => name.startsWith(names.param(""))
const outside = (name: string): string => isParam(name) ? name.slice(names.param("").length) : name

/** Scalars that learn in two copies, at most: 64 MiB of weights. */
export const FEW = 2 ** 24

/** The inputs of a program that reads the given parameters. */
export const asInputs = <V extends Values>(params: ReadonlyMap<string, V>): Readonly<Record<string, V>> =>
  Object.fromEntries([...params].map(([path, array]) => [names.param(path), array]))

/**
 * `initial` holds every parameter by path and, where a run resumes, every slot by input name; else slots are zero. Its
 * arrays become the current ones: nothing is copied. More than `few` scalars that learn are written over.
 */
export const make = (
  params: Flat,
  trainable: ReadonlyArray<string>,
  slots: ReadonlyArray<string>,
  initial: Arrays,
  few = FEW
): Weights => {
  const learning = new Set(
    trainable.flatMap((path) => [names.param(path), ...slots.map((slot) => names.slot(slot, path))])
  )
  const size = (name: string) => Nd.size(params.get(name.replace(/^(param|slot\/[^/]*)\//, ""))!.shape)
  const overwritten = trainable.reduce((sum, path) => sum + size(names.param(path)), 0) > few
  const start = (name: string): Values => initial.get(outside(name)) ?? new Float32Array(size(name))
  const all = new Set([...[...params.keys()].map(names.param), ...learning])
  const front = Object.fromEntries([...all].map((name) => [name, start(name)]))
  const back: typeof front = { ...front }
  if (!overwritten) { for (const name of learning) back[name] = new Float32Array(size(name)) }
  const view = (record: typeof front) => ({
    feeds: record,
    values: Object.fromEntries(Object.entries(record).filter(([name]) => isParam(name))),
    outputs: Object.fromEntries([...learning].map((name) => [names.next(name), record[name] as Float32Array]))
  })
  let [current, next] = [view(front), view(back)]
  const still = () => Object.fromEntries(Object.entries(front).filter(([name]) => !learning.has(name)))
  let frozen = still()
  let sums: Readonly<Record<string, Float32Array>> | undefined
  const copy = (wanted: (name: string) => boolean): Arrays =>
    new Map(
      Object.entries(current.feeds).filter(([name]) => wanted(name))
        .map(([name, array]) => [outside(name), learning.has(name) ? array.slice() : array])
    )
  return {
    params,
    trainable,
    slots,
    feeds: () => current.feeds,
    values: () => current.values,
    frozen: () => frozen,
    overwritten,
    next: () => next.outputs,
    sums: () => {
      sums ??= Object.fromEntries(trainable.map((path) => [names.sum(path), new Float32Array(size(names.param(path)))]))
      for (const sum of Object.values(sums)) sum.fill(0)
      return sums
    },
    commit: () => {
      ;[current, next] = [next, current]
    },
    take: (arrays) => {
      const own = Object.entries(current.feeds).map(([name, array]) =>
        [name, arrays[names.next(name)] ?? array] as const
      )
      current = view(Object.fromEntries(own))
      if (overwritten) next = current
    },
    parameters: () => copy(isParam),
    state: () => copy((name) => !isParam(name)),
    current: () => new Map(Object.entries(current.feeds).map(([name, array]) => [outside(name), array])),
    restore: (arrays) => {
      for (const [name, array] of Object.entries(current.feeds)) {
        const given = arrays.get(outside(name))
        if (given) array.set(asStored(params.get(outside(name)), given))
        if (given && !learning.has(name)) frozen = still()
      }
    }
  }
}
