/** Merges an adapter into its base weights: W + s B A in place of W. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { several } from "../../domain/brief.ts"
import type { Rank } from "../../kernels/nn/lora.ts"
import type { Graph } from "../../kernels/onnx/encode.ts"
import { matmul } from "../../kernels/op/contract.ts"
import { add } from "../../kernels/op/elementwise.ts"
import { input, type Shape } from "../../kernels/Tensor.ts"
import { cached } from "../engine/Programs.ts"
import type { NotFinite } from "../engine/Session.ts"
import { FileError } from "../files/disk.ts"
import * as Peft from "../files/peft.ts"
import { misfits } from "../files/weights.ts"
import { isLora, savedBy } from "./lora.ts"

/** W [out, in] + s B A; for an embedding W [in, out] + s (B A)ᵀ. */
const folded = (to: number, from: number, r: number, scaling: number, lookup: boolean): Graph => {
  const w = input("w", [to, from])
  const [a, b] = [input("a", [r, lookup ? to : from]), input("b", [lookup ? from : to, r])]
  const product = lookup ? matmul(a, b, true, true, scaling) : matmul(b, a, false, false, scaling)
  return { name: `fold ${to}x${from}/${r}`, inputs: { w, a, b }, outputs: { folded: add(w, product) } }
}

/** Names of a module's two adapter matrices, and whether the module is an embedding. */
const matrices = ({ tensors }: Peft.Adapter, path: string) => {
  const lookup = tensors.has(`${path}.lora_embedding_A`)
  const [a, b] = lookup ? ["lora_embedding_A", "lora_embedding_B"] : ["lora_A.weight", "lora_B.weight"]
  return { a: `${path}.${a}`, b: `${path}.${b}`, lookup }
}

type Shapes = ReadonlyMap<string, Shape>

/** The tensors that an adapter of these targets must or may have, on weights of these shapes. */
const expected = (adapter: Peft.Adapter, targets: ReadonlyMap<string, Rank>, shapes: Shapes) => {
  const wanted = new Map<string, { readonly shape: Shape }>()
  for (const [path, { r }] of targets) {
    const [to, from] = shapes.get(`${path}.weight`) ?? []
    if (to === undefined || from === undefined) continue
    const { a, b, lookup } = matrices(adapter, path)
    wanted.set(a, { shape: [r, lookup ? to : from] }).set(b, { shape: [lookup ? from : to, r] })
  }
  const saved = (adapter.config.modules_to_save ?? []).flatMap((name) => savedBy(name, shapes))
  for (const name of [...saved, ...adapter.tensors.keys()]) {
    const shape = isLora(name) ? undefined : shapes.get(name)
    if (shape) wanted.set(name, { shape })
  }
  return wanted
}

/** Refuses an adapter whose tensors do not fit weights of these shapes; reports what its config names and it lacks. */
export const fitting = (adapter: Peft.Adapter, shapes: Shapes): Effect.Effect<void, FileError> => {
  const wrong = misfits(expected(adapter, adapter.targets, shapes), adapter.tensors)
  if (wrong.length === 0) return Peft.tellMissing(adapter, shapes)
  const reason = several(wrong).join("; ")
  return Effect.fail(new FileError({ path: join(adapter.folder, Peft.WEIGHTS), place: "", reason }))
}

/** The error for an adapter that makes a weight NaN or infinite. */
const beyond = ({ folder }: Peft.Adapter, path: string, { scaling }: Rank, { element, value }: NotFinite) =>
  new FileError({
    path: join(folder, Peft.WEIGHTS),
    place: `merged into ${path}`,
    reason: `element ${element} becomes ${value}; the adapter's factor is ${scaling} (lora_alpha of ${Peft.CONFIG})`
  })

/** A path's weight with the adapter merged in, which must fit (see `fitting`); the given values without an adapter. */
export const make = Effect.fnUntraced(function*(adapter: Peft.Adapter) {
  const { targets, tensors } = adapter
  const fold = yield* cached(([to, from, r, scaling, lookup]: [number, number, number, number, number]) =>
    folded(to, from, r, scaling, lookup === 1)
  )
  return Effect.fnUntraced(function*(path: string, given: Float32Array, [to, from]: Shape) {
    const w = tensors.get(path)?.data ?? given
    const module = path.endsWith(".weight") ? path.slice(0, -".weight".length) : ""
    const rank = targets.get(module)
    if (!rank) return w
    const { a, b, lookup } = matrices(adapter, module)
    const feeds = { w, a: tensors.get(a)!.data, b: tensors.get(b)!.data }
    const run = yield* fold([to!, from!, rank.r, rank.scaling, lookup ? 1 : 0], feeds).pipe(
      Effect.mapError((error) => error.reason._tag === "NotFinite" ? beyond(adapter, path, rank, error.reason) : error)
    )
    return run["folded"] as Float32Array
  })
})

/** The names of a decoder's embedding, and of the output head that may share its weights. */
export interface Tables {
  readonly head: string
  readonly embedding: string
}

/** The tables of a decoder by the names of its parameters, which may be those of a part of a model. */
export const tablesOf = (names: Iterable<string>): Tables => {
  const found = [...names].map((name) => /^(.*\.|)embed_tokens\.weight(?=$|\.)/.exec(name)?.[0])
  const embedding = found.find((name) => name !== undefined) ?? "model.embed_tokens.weight"
  return { embedding, head: `${embedding.startsWith("language_model.") ? "language_model." : ""}lm_head.weight` }
}

/** Whether an adapter unties the output head from the embedding. */
export const parts = ({ config, tensors }: Peft.Adapter): boolean =>
  [...tensors.keys()].some((name) => /(^|\.)(lm_head|embed_tokens)\./.test(name))
  || (config.modules_to_save ?? []).some((name) => savedBy(name, new Map([["lm_head.weight", undefined]])).length > 0)
