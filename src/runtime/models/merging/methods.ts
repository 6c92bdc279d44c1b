/** The merge methods by mergekit's names: each with its parameters, what it needs, and its arithmetic. */
import * as Averages from "./averages.ts"
import * as Deltas from "./deltas.ts"
import { type Group, numberOf, type Parameters } from "./group.ts"
import * as Sparsify from "./sparsify.ts"
import * as Spheres from "./spheres.ts"

/** A parameter of a method. */
export interface Parameter {
  readonly type: "number" | "integer" | "boolean"
  /** Without a default it must be given; null: it may be left out. */
  readonly default?: number | boolean | null
}
type Kinds = Readonly<Record<string, Parameter>>

/** The parameters of a tensor's merge, once resolved. */
export interface Resolved {
  readonly shared: Parameters
  /** Of the models that have parameters of their own. */
  readonly own: ReadonlyArray<Parameters>
  readonly shape: ReadonlyArray<number>
}

/** A merge method. */
export interface Method {
  readonly title: string
  /** Where it was published. */
  readonly reference?: string
  /** "ignored": the base is a model like the others. */
  readonly base: "required" | "optional" | "ignored"
  /** Least and greatest number of models beside the base; of all models if the base is ignored. */
  readonly models: readonly [least: number, most: number]
  /** Parameters that all models share. */
  readonly shared: Kinds
  /** Parameters of each model but the base. */
  readonly own: Kinds
  /** Whether its masks are drawn at random. */
  readonly random?: boolean
  /** What is wrong with the parameters of a tensor's merge, if anything. */
  readonly refuses?: (resolved: Resolved) => string | undefined
  /** Merges a tensor. Throws `Unmergeable` where the method has no answer. */
  readonly merge: (group: Group) => Float32Array
}

const number = (otherwise?: number | null): Parameter =>
  otherwise === undefined ? { type: "number" } : { type: "number", default: otherwise }
const flag = (otherwise: boolean): Parameter => ({ type: "boolean", default: otherwise })
const any = [1, Infinity] as const
const paper = (id: string): string => `https://arxiv.org/abs/${id}`

const linear = ({ own, shared }: Resolved): string | undefined =>
  shared["normalize"] === true && Math.fround(own.reduce((s, p) => s + numberOf(p, "weight"), 0)) === 0
    ? "the weights sum to 0, by which normalize divides"
    : undefined

const negative = ({ own }: Resolved): string | undefined => {
  const density = own.map((p) => numberOf(p, "density")).find((d) => !(d >= 0))
  return density === undefined ? undefined : `density ${density} is less than 0`
}

const della = (resolved: Resolved): string | undefined => {
  const bad = resolved.own.find((p) => {
    const [density, epsilon] = [numberOf(p, "density"), numberOf(p, "epsilon")]
    return density > 0 && density < 1 && !(density + epsilon < 1 && density - epsilon > 0)
  })
  if (bad) {
    return `density ${bad["density"]} with epsilon ${bad["epsilon"]}: both density ± epsilon must lie between 0 and 1`
  }
  const drawn = resolved.own.some((p) => numberOf(p, "density") > 0 && numberOf(p, "density") < 1)
  if (drawn && (resolved.shape.at(-1) ?? 1) === 1) return "rows of one element have no ranks; give it density 1"
  return negative(resolved)
}

interface Family extends Deltas.Kind, Pick<Method, "title" | "random" | "refuses"> {
  readonly reference: string
  readonly normalize: boolean
  readonly rescale?: boolean
  readonly own?: Kinds
}

/** A method that adds task vectors. */
const delta = (
  { elects, normalize, own = {}, random, reference, refuses, rescale, sparsify, title }: Family
): Method => ({
  title,
  reference,
  base: "required",
  models: any,
  shared: {
    normalize: flag(normalize),
    lambda: number(1),
    rescale: flag(rescale ?? false),
    int8_mask: flag(false)
  },
  own: { weight: number(), density: number(1), ...own },
  ...(random === undefined ? {} : { random }),
  refuses: refuses ?? negative,
  merge: Deltas.merged({ elects, ...(sparsify ? { sparsify } : {}) })
})

const ties = { elects: true, reference: paper("2306.01708") }
const dare = {
  sparsify: Sparsify.bernoulli,
  random: true,
  normalize: false,
  rescale: true,
  reference: paper("2311.03099")
}
const crumbs = {
  sparsify: Sparsify.outliers,
  normalize: false,
  own: { gamma: number(0.01) },
  reference: paper("2312.06795")
}
const magprune = {
  sparsify: Sparsify.magprune,
  random: true,
  rescale: true,
  own: { epsilon: number(0.15) },
  refuses: della,
  reference: paper("2406.11617")
}

/** By name. Defaults are those of mergekit 0.1.5. */
export const methods: Readonly<Record<string, Method>> = {
  linear: {
    title: "Linear",
    reference: paper("2203.05482"),
    base: "ignored",
    models: any,
    shared: { normalize: flag(true) },
    own: { weight: number() },
    refuses: linear,
    merge: Averages.linear
  },
  task_arithmetic: delta({ title: "Task Arithmetic", elects: false, normalize: false, reference: paper("2212.04089") }),
  ties: delta({ ...ties, title: "TIES", sparsify: Sparsify.magnitude, normalize: true }),
  dare_linear: delta({ ...dare, title: "Linear DARE", elects: false }),
  dare_ties: delta({ ...dare, title: "DARE TIES", elects: true }),
  breadcrumbs: delta({ ...crumbs, title: "Model Breadcrumbs", elects: false }),
  breadcrumbs_ties: delta({ ...crumbs, title: "Model Breadcrumbs with TIES", elects: true }),
  della_linear: delta({ ...magprune, title: "Linear DELLA", elects: false, normalize: false }),
  della: delta({ ...magprune, title: "DELLA", elects: true, normalize: true }),
  slerp: {
    title: "SLERP",
    base: "required",
    models: [1, 1],
    shared: { t: number() },
    own: {},
    merge: Spheres.slerp
  },
  nuslerp: {
    title: "NuSLERP",
    base: "optional",
    models: [2, 2],
    shared: { nuslerp_flatten: flag(true), nuslerp_row_wise: flag(false) },
    own: { weight: number() },
    merge: Spheres.nuslerp
  },
  multislerp: {
    title: "Multi-SLERP",
    base: "optional",
    models: any,
    shared: { normalize_weights: flag(true), eps: number(1e-8) },
    own: { weight: number() },
    refuses: ({ own, shared }) =>
      shared["normalize_weights"] === true && own.reduce((s, p) => s + numberOf(p, "weight"), 0) === 0
        ? "the weights sum to 0, by which normalize_weights divides"
        : undefined,
    merge: Spheres.multislerp
  },
  karcher: {
    title: "Karcher Mean",
    reference: paper("2603.04972"),
    base: "ignored",
    models: any,
    shared: { max_iter: { type: "integer", default: 10 }, tol: number(1e-5) },
    own: {},
    merge: Spheres.karcher
  },
  model_stock: {
    title: "Model Stock",
    reference: paper("2403.19522"),
    base: "required",
    models: [2, Infinity],
    shared: { filter_wise: flag(false) },
    own: {},
    merge: Averages.modelStock
  },
  sce: {
    title: "SCE",
    reference: paper("2408.07990"),
    base: "required",
    models: any,
    shared: { select_topk: number(1), int8_mask: flag(false) },
    own: {},
    merge: Deltas.sce
  },
  nearswap: {
    title: "NearSwap",
    base: "required",
    models: [1, 1],
    shared: { t: number() },
    own: {},
    merge: Averages.nearswap
  },
  passthrough: {
    title: "Passthrough",
    base: "ignored",
    models: [1, 1],
    shared: {},
    own: { scale: number(null) },
    merge: Averages.passthrough
  }
}
