/** A model's frozen matrices, quantised one at a time as they are read, or taken over from a file that has them so. */
import * as Effect from "effect/Effect"
import type { ModelSettings } from "../../domain/settings/model.ts"
import { bytesText } from "../../domain/units.ts"
import * as Nd from "../../kernels/NdArray.ts"
import type { Param } from "../../kernels/nn/Module.ts"
import { arraysOf } from "../../kernels/nn/quantised.ts"
import { type Blocks, quantise, type rules } from "../../kernels/quantise.ts"
import { formOf, fromGguf, isBlockType } from "../files/gguf/blocks/asQuantised.ts"
import * as WeightFiles from "../files/weights.ts"
import type { ModelFolder } from "./folder.ts"
import { tablesOf } from "./mergeLora.ts"

/** How matrices are quantised. */
export interface Quantisation extends Blocks {
  /** Blocks of the parameters that have others, by path. */
  readonly others?: ReadonlyMap<string, Blocks>
}

/** The quantisation of the settings; `undefined` for none. */
export const quantisationOf = (
  { quantization, quantization_block_size: size }: Pick<ModelSettings, "quantization" | "quantization_block_size">
): Quantisation | undefined => quantization === "none" ? undefined : { bits: quantization === "int8" ? 8 : 4, size }

/** Eight bits are symmetric. Four use the whole range of a block: of sixteen values one more is worth having. */
export const ruleOf = ({ bits }: Blocks): keyof typeof rules => bits === 8 ? "symmetric" : "asymmetric"

type Opened = Pick<ModelFolder<unknown>, "folder" | "loading">

/** The matrices of a GGUF file by parameter path; none of another format. */
const held = Effect.fnUntraced(
  function*({ folder, loading }: Opened) {
    const naming = loading?.naming ?? ((stored: string) => stored)
    const found = new Map<string, Held>()
    for (const [stored, { file, name, shape }] of (yield* WeightFiles.open(folder, false)) ?? []) {
      const path = naming(stored)
      if (path === undefined || shape.length !== 2 || !file.blocks) continue
      found.set(path, { ...file.blocks(name), elements: Nd.size(shape) })
    }
    return found as ReadonlyMap<string, Held>
  },
  Effect.scoped
)

/** A matrix of a GGUF file: type and bits of its blocks, if it has any. */
interface Held {
  readonly type?: string
  readonly bits?: number
  readonly elements: number
}

/** Bits a value, scales included, above which a matrix is meant to be more exact than those in four bits. */
const WIDE = 6

/**
 * The blocks of a file's matrix: its own where they are no larger than asked for. In a file of mixed types, matrices that were
 * given more bits than others keep eight.
 */
const blocksOf = ({ bits = Infinity, type = "" }: Held, asked: Blocks, mixed: boolean): Blocks => {
  const own = formOf(type)
  if (asked.size === own?.size && own.bits <= asked.bits) return own
  return { bits: mixed && bits > WIDE ? 8 : asked.bits, size: asked.size }
}

/** The quantisation of a folder's weights: of a GGUF file, with what its own types ask for. */
export const over = Effect.fnUntraced(
  function*(opened: Opened, { bits, size }: Quantisation) {
    const matrices = yield* held(opened)
    const mixed = [...matrices.values()].some((own) => (own.bits ?? Infinity) <= WIDE)
    const others = new Map([...matrices].map(([path, own]) => [path, blocksOf(own, { bits, size }, mixed)]))
    /** A tied head has the embedding's. */
    const { embedding, head } = tablesOf(matrices.keys())
    const shared = others.get(embedding)
    if (shared && !others.has(head)) others.set(head, shared)
    return { bits, size, others } satisfies Quantisation as Quantisation
  }
)

/** Logs that a GGUF file's blocks become float32, and the setting that keeps them small; nothing without blocks. */
export const tellWidened = Effect.fnUntraced(
  function*(opened: Opened, setting: string) {
    const matrices = [...(yield* held(opened)).values()].filter(({ type }) => type !== undefined)
    if (matrices.length === 0) return
    const types = [...new Set(matrices.map(({ type }) => type))].toSorted().join(", ")
    const sum = (bytes: (own: Held) => number) => bytesText(matrices.reduce((all, own) => all + bytes(own), 0))
    const narrow = matrices.some(({ bits }) => bits! <= WIDE)
    yield* Effect.logInfo(
      `${opened.folder}: ${matrices.length} matrices (${types}) are widened to float32, from `
        + `${sum(({ bits, elements }) => elements * bits! / 8)} to ${sum(({ elements }) => 4 * elements)}; `
        + `${setting}: ${narrow ? "int4" : "int8"} keeps them about as small as they are`
    )
  }
)

/** The blocks of frozen matrices, linear maps and embedding tables; norms and biases, `undefined`, stay as they are. */
export const chosen =
  ({ bits, others = new Map(), size }: Quantisation, frozen: (path: string) => boolean) =>
  (path: string, { shape }: Param): Blocks | undefined =>
    shape.length === 2 && frozen(path) ? others.get(path) ?? { bits, size } : undefined

/** Quantises the matrices of the paths for which `frozen` holds. */
export interface Packer {
  /** Reads a parameter's parts in place of its values; `undefined` if it is not quantised. */
  readonly pack: WeightFiles.Pack
  /** Logs how many matrices were quantised or taken over, their size before and after, and the largest error. */
  readonly tell: (folder: string) => Effect.Effect<void>
}

/** A file's matrix as it is there, if it is in these blocks; `undefined` if it has no such form. */
const taken = Effect.fnUntraced(function*({ file, name, shape }: WeightFiles.Source, blocks: Blocks) {
  const own = file.blocks?.(name)
  if (own === undefined || !isBlockType(own.type)) return undefined
  const form = formOf(own.type)
  if (form?.bits !== blocks.bits || form.size !== blocks.size || form.shifted !== blocks.shifted) return undefined
  return fromGguf(own.type, yield* own.bytes, shape[0]!, shape[1]!)?.matrix
})

/** What was quantised. */
const tally = (size: number) => {
  const [bits, types] = [new Set<number>(), new Set<string>()]
  let [matrices, kept, before, after, most, worst] = [0, 0, 0, 0, 0, ""]
  const origin = () => {
    const from = types.size === 0 ? "" : ` from ${[...types].toSorted().join(", ")}`
    const error = `the largest error is ${most.toPrecision(3)}, in ${worst}`
    if (kept === matrices) return "all are as the file has them, without loss"
    if (kept > 0) return `${kept} are as the file has them, ${matrices - kept} are quantised anew${from}; ${error}`
    return types.size === 0 ? error : `all are quantised anew${from}; ${error}`
  }
  return {
    add: (blocks: Blocks, elements: number, arrays: ReturnType<typeof arraysOf>) => {
      bits.add(blocks.bits)
      matrices++
      before += Float32Array.BYTES_PER_ELEMENT * elements
      after += arrays.reduce((sum, [, { byteLength }]) => sum + byteLength, 0)
    },
    keep: () => void kept++,
    round: (path: string, type: string | undefined, error: number) => {
      if (type !== undefined) types.add(type)
      if (error >= most) [most, worst] = [error, path]
    },
    text: (folder: string): string | undefined =>
      matrices === 0 ?
        undefined :
        `${folder}: ${matrices} frozen matrices in ${[...bits].toSorted().join(" and ")} bits `
        + `(blocks of ${size}), ${bytesText(before)} in float32 now ${bytesText(after)}; ${origin()}`
  }
}

/** A packer of the frozen matrices. */
export const packer = (quantisation: Quantisation, frozen: (path: string) => boolean): Packer => {
  const told = tally(quantisation.size)
  const blocksFor = chosen(quantisation, frozen)
  return {
    pack: Effect.fnUntraced(function*(path, param, source) {
      const blocks = blocksFor(path, param)
      if (blocks === undefined) return undefined
      const own = yield* taken(source, blocks)
      if (own) {
        const arrays = arraysOf(path, own)
        told.add(blocks, Nd.size(param.shape), arrays)
        told.keep()
        return arrays
      }
      const { data } = yield* source.file.read(source.name)
      const made = quantise(data, param.shape[1]!, blocks, ruleOf(blocks))
      const arrays = arraysOf(path, made)
      told.add(blocks, data.length, arrays)
      told.round(path, source.file.blocks?.(source.name)?.type, made.error)
      return arrays
    }),
    tell: (folder) => {
      const text = told.text(folder)
      return text === undefined ? Effect.void : Effect.logInfo(text)
    }
  }
}
