/**
 * The arrays of a model and its optimiser. Small trainable sets are double-buffered: a step reads one copy and writes
 * the other. Large ones are updated in place, once their gradients are known to be finite. Frozen weights exist once.
 */
import { asStored, type Values } from "../../kernels/half.ts"
import * as Nd from "../../kernels/NdArray.ts"
import type { Flat } from "../../kernels/nn/Module.ts"
import { names } from "../../kernels/Step.ts"
import { type Kept, onHost } from "./Session.ts"

/** Values by parameter path. */
export type Arrays = ReadonlyMap<string, Values>

/** The parameters of a model with their values, and the optimiser state of the trainable ones. */
export interface Weights {
  readonly params: Flat
  readonly trainable: ReadonlyArray<string>
  readonly slots: ReadonlyArray<string>
  /** Graph inputs by name: `param/...` of all, `slot/...` of the trainable. The same record until the next update. */
  readonly feeds: () => Readonly<Record<string, Values>>
  /** The parameters alone, for programs that only read. */
  readonly values: () => Readonly<Record<string, Values>>
  /** Frozen parameters by graph input: the same record until some of them are overwritten. */
  readonly frozen: () => Readonly<Record<string, Values>>
  /** Whether updates are in place: too many elements are trained to double-buffer them. */
  readonly overwritten: boolean
  /** Where a step's `next/...` outputs go: the spare arrays or, in place, the current ones. */
  readonly next: () => Readonly<Record<string, Float32Array>>
  /** Gradient accumulators `sum/...` of the trainable, zeroed on each call and allocated on the first. */
  readonly sums: () => Readonly<Record<string, Float32Array>>
  /** Makes the spare arrays the current ones, if there are any. */
  readonly commit: () => void
  /** Makes the given `next/...` arrays current: for steps that may be rejected, and so do not write in place. */
  readonly take: (next: Readonly<Record<string, Values>>) => void
  /** The parameters by path: copies of the trainable ones, and the frozen arrays themselves. */
  readonly parameters: () => Arrays
  /** A copy of the optimiser's slots, by input name. */
  readonly state: () => Arrays
  /** The current arrays themselves, until the next commit: parameters by path, slots by input name. */
  readonly current: () => Arrays
  /** Overwrites the current arrays that are given. */
  readonly restore: (arrays: Arrays) => void
}

const isParam = (name: string): boolean => name.startsWith(names.param(""))
const outside = (name: string): string => isParam(name) ? name.slice(names.param("").length) : name

/** Whether some of the weights are quantised. */
export const isQuantised = ({ params }: Pick<Weights, "params">): boolean =>
  [...params.values()].some(({ packed }) => packed === "uint8")

/** Largest trainable set that is double-buffered, in elements: 64 MiB of weights. */
export const FEW = 2 ** 24

/** The graph inputs of a program that reads the given parameters. */
export const asInputs = <V extends Values>(params: ReadonlyMap<string, V>): Readonly<Record<string, V>> =>
  Object.fromEntries([...params].map(([path, array]) => [names.param(path), array]))

/**
 * `initial` holds every parameter by path and, on resume, every slot by input name; slots default to zero. Its arrays
 * become the current ones, without a copy. More than `few` trainable elements are updated in place, unless they are kept
 * on a device: then the arrays here are brought up to date when they are asked for.
 */
export const make = (
  params: Flat,
  trainable: ReadonlyArray<string>,
  slots: ReadonlyArray<string>,
  initial: Arrays,
  { few = FEW, kept = onHost }: { readonly few?: number; readonly kept?: Kept } = {}
): Weights => {
  const learning = new Set(
    trainable.flatMap((path) => [names.param(path), ...slots.map((slot) => names.slot(slot, path))])
  )
  const size = (name: string) => Nd.size(params.get(name.replace(/^(param|slot\/[^/]*)\//, ""))!.shape)
  const overwritten = kept === onHost && trainable.reduce((sum, path) => sum + size(names.param(path)), 0) > few
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
  kept.keep([...Object.values(front), ...Object.values(back)])
  const still = () => Object.fromEntries(Object.entries(front).filter(([name]) => !learning.has(name)))
  let frozen = still()
  let sums: Readonly<Record<string, Float32Array>> | undefined
  const read = () => {
    kept.read(Object.values(current.feeds))
    return current.feeds
  }
  const copy = (wanted: (name: string) => boolean): Arrays =>
    new Map(
      Object.entries(read()).filter(([name]) => wanted(name))
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
      kept.keep(Object.values(sums))
      for (const sum of Object.values(sums)) {
        sum.fill(0)
        kept.wrote(sum)
      }
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
    current: () => new Map(Object.entries(read()).map(([name, array]) => [outside(name), array])),
    restore: (arrays) => {
      for (const [name, array] of Object.entries(current.feeds)) {
        const given = arrays.get(outside(name))
        if (!given) continue
        array.set(asStored(params.get(outside(name)), given))
        kept.wrote(array)
        if (!learning.has(name)) frozen = still()
      }
    }
  }
}
