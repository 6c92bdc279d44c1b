/** timm's queries, keys and values, which are one tensor in its files and three here. */
import * as Effect from "effect/Effect"
import type { StoredTensor, Tensors } from "../tensors.ts"
import type { Source, Sources } from "../weights.ts"

const PARTS = ["q_proj", "k_proj", "v_proj"] as const
const fused = /^(.*\.attn\.)qkv(\.(?:weight|bias))$/
const apart = /^(.*\.attn\.)([qkv])_proj(\.(?:weight|bias))$/

/** A file of which a tensor's name stands for a third of its rows. */
const third = (file: Tensors, part: number): Tensors => {
  const rows = <A extends { readonly length: number; subarray(from: number, to: number): A }>(all: A): A =>
    all.subarray(part * all.length / 3, (part + 1) * all.length / 3)
  return {
    path: file.path,
    half: file.half,
    ...(file.type ? { type: file.type } : {}),
    read: (name) =>
      Effect.map(file.read(name), ({ data, shape: [height, ...rest] }) => ({
        shape: [height! / 3, ...rest],
        data: rows(data).slice()
      })),
    words: (name) => Effect.map(file.words(name), (all) => rows(all).slice())
  }
}

/** The tensors with each fused one as three: `attn.qkv` as `attn.q_proj`, `attn.k_proj` and `attn.v_proj`. */
export const split = (sources: Sources): Sources =>
  new Map(
    [...sources].flatMap(([name, source]): ReadonlyArray<readonly [string, Source]> => {
      const [, before, after] = fused.exec(name) ?? []
      const [height, ...rest] = source.shape
      if (before === undefined || height === undefined || height % 3 !== 0) return [[name, source]]
      return PARTS.map((part, i) => [
        `${before}${part}${after}`,
        { ...source, file: third(source.file, i), shape: [height / 3, ...rest] }
      ])
    })
  )

/** The tensors as timm has them: the three as one. */
export const joined = (tensors: ReadonlyMap<string, StoredTensor>): ReadonlyMap<string, StoredTensor> => {
  const found = new Map<string, StoredTensor>()
  for (const [name, tensor] of tensors) {
    const [, before, part, after] = apart.exec(name) ?? []
    if (before === undefined) found.set(name, tensor)
    if (part !== "q") continue
    const three = PARTS.map((own) => tensors.get(`${before}${own}${after}`)!)
    const { length } = tensor.data
    const data = new Float32Array(3 * length)
    three.forEach((own, i) => data.set(own.data, i * length))
    const [height, ...rest] = tensor.shape
    found.set(`${before}qkv${after}`, { shape: [3 * height!, ...rest], data })
  }
  return found
}
