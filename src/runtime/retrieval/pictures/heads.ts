/** The heads of a retriever of pictures: which there are, what they are, and where their weights come from. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { isAbsolute, join, resolve } from "node:path"
import { modelFiles } from "../../../domain/fileNames.ts"
import * as Key from "../../../domain/Key.ts"
import { flatten, type Params } from "../../../kernels/nn/Module.ts"
import { type Head, type HeadKind, headOf } from "../../../kernels/nn/pictures/heads.ts"
import type { Arrays } from "../../engine/Weights.ts"
import { decodeFile, exists, FileError } from "../../files/disk.ts"
import * as ModelFolder from "../../models/folder.ts"
import { initialise } from "../../models/initialise.ts"
import type { OnnxSettings } from "../../pictures/onnxFile.ts"
import * as FrozenEncoder from "./frozen.ts"

/** What a head looks for: passages by their pictures, or by their captions. */
export const spaces = ["image", "text"] as const
/** One of `spaces`, which is the head's name. */
export type Space = typeof spaces[number]

/** How heads are made and used. */
export interface HeadSettings {
  /** The heads that search, in this order. */
  readonly used: ReadonlyArray<Space>
  /** The head that learns; `undefined` if none does. */
  readonly learns: Space | undefined
  /** What a head is that no file has yet. */
  readonly kind: HeadKind
  /** λ: weight of a head beside F. */
  readonly weight: number
  /** Seed of an adapter's first weights. */
  readonly seed: number
  /** Input and output of an encoder that is an ONNX file; found, if omitted. */
  readonly onnx?: OnnxSettings
}

/** A kind as settings and files spell it: "copy", "layers:N", "adapter:WIDTH". */
const spelled = /^(?:(copy)|layers:([1-9]\d*)|adapter:([1-9]\d*))$/

/** The kind that a text spells; `undefined` if it spells none. */
export const kindOf = (text: string): HeadKind | undefined => {
  const [, copy, n, width] = spelled.exec(text) ?? []
  if (copy !== undefined) return { kind: "copy" }
  if (n !== undefined) return { kind: "layers", n: Number(n) }
  return width === undefined ? undefined : { kind: "adapter", width: Number(width) }
}

const textOf = (kind: HeadKind): string =>
  kind.kind === "copy" ? "copy" : kind.kind === "layers" ? `layers:${kind.n}` : `adapter:${kind.width}`

const Kind = Schema.String.check(Schema.isPattern(spelled))
const Heads = Schema.Struct({
  base_model_name_or_path: Schema.NonEmptyString,
  /** SHA-256 of what the base's vectors depend on. */
  base: Schema.String,
  head_weight: Schema.Finite,
  heads: Schema.Record(Schema.Literals(spaces), Schema.optionalKey(Kind))
})
type Kinds = ReadonlyMap<Space, HeadKind>

/** A file of heads, with its folder. */
interface Filed {
  readonly folder: string
  readonly base: string
  readonly sha256: string
  readonly weight: number
  readonly kinds: Kinds
}

/** The heads of a folder; `undefined` if the name is no such folder. */
const filed = Effect.fnUntraced(function*(folder: string) {
  const path = join(folder, modelFiles.heads)
  if (FrozenEncoder.isBare(folder) || !(yield* exists(path))) return undefined
  const found = yield* decodeFile(path, Schema.decodeUnknownEffect(Heads))
  const kinds = spaces.flatMap((space) => {
    const kind = kindOf(found.heads[space] ?? "")
    return kind === undefined ? [] : [[space, kind] as const]
  })
  const { base, base_model_name_or_path: name, head_weight: weight } = found
  const beside = resolve(folder, name)
  const isBeside = !FrozenEncoder.isBare(name) && !isAbsolute(name) && !(yield* exists(name)) &&
    (yield* exists(beside))
  return {
    folder,
    base: isBeside ? beside : name,
    sha256: base,
    weight,
    kinds: new Map(kinds)
  } satisfies Filed as Filed
})

/** The name of the frozen encoder that a name stands for: a folder of heads names its own. */
export const baseOf = Effect.fnUntraced(function*(name: string) {
  return (yield* filed(name))?.base ?? name
})

/** A head, and what it is. */
export interface Kinded {
  readonly kind: HeadKind
  readonly head: Head
}

/** An encoder with heads on it. */
export interface Opened {
  readonly frozen: FrozenEncoder.Frozen
  /** By name, those that there are; a space without one is searched by F itself. */
  readonly heads: ReadonlyMap<Space, Kinded>
  /** Parameters of all heads, by their names. */
  readonly params: Params
  /** First values of all parameters. */
  readonly weights: Arrays
  /** The files beside the weights that make a folder of them. */
  readonly files: ReadonlyArray<readonly [name: string, text: string]>
}

/** What is wrong with a head on an encoder, if anything. */
const misfit = (kind: HeadKind, { opened }: FrozenEncoder.Frozen): string | undefined => {
  if (kind.kind === "adapter") return undefined
  if (opened === undefined) return `has no layers that a head could copy (head: ${textOf(kind)}); set head: adapter:128`
  const layers = opened.vision.num_hidden_layers
  if (kind.kind === "copy" || kind.n <= layers) return undefined
  return `has ${layers} layers, fewer than head: ${textOf(kind)}`
}

/** A head's first values: those of the layers that it copies, or an adapter's that changes nothing. */
const firstOf = (head: Head, { opened }: FrozenEncoder.Frozen, { kind }: HeadKind, seed: number): Arrays => {
  const params = flatten(head.params)
  if (kind === "adapter") return initialise(params, Key.fold(Key.make(seed), "head"))
  return new Map([...params.keys()].map((path) => [path, opened!.weights.get(path)!.slice()]))
}

const under = (space: Space, arrays: Arrays): ReadonlyArray<readonly [string, Float32Array]> =>
  [...arrays].map(([path, values]) => [`${space}.${path}`, values as Float32Array])

const checked = Effect.fnUntraced(function*(
  name: string,
  frozen: FrozenEncoder.Frozen,
  own: Filed | undefined,
  o: HeadSettings
) {
  const fail = (reason: string) => new FileError({ path: name, place: "", reason })
  if (frozen.texts === undefined && [...o.used, o.learns].includes("text")) {
    return yield* fail(
      "encodes pictures alone: a text head looks for captions, and needs an encoder of texts in the same space (CLIP, "
        + "SigLIP); set heads: [image]"
    )
  }
  if (own === undefined) return
  if (own.sha256 !== frozen.hash) {
    return yield* fail(`has heads that were trained on another encoder than ${own.base} now is`)
  }
  if (own.weight !== o.weight) {
    yield* Effect.logWarning(`${name}: the heads were trained with head_weight ${own.weight}, not ${o.weight}`)
  }
})

/** Opens an encoder, or a folder of heads with the encoder that it names; a head that learns is made if there is none. */
export const open = Effect.fnUntraced(function*(name: string, o: HeadSettings) {
  const own = yield* filed(name)
  const frozen = yield* FrozenEncoder.open(own?.base ?? name, o.onnx)
  yield* checked(name, frozen, own, o)
  const kinds = new Map<Space, HeadKind>(own?.kinds)
  if (o.learns !== undefined && !kinds.has(o.learns)) kinds.set(o.learns, o.kind)
  const wrong = [...kinds.values()].map((kind) => misfit(kind, frozen)).find((why) => why !== undefined)
  if (wrong !== undefined) return yield* new FileError({ path: own?.base ?? name, place: "", reason: wrong })
  const heads = new Map(
    [...kinds].map(([space, kind]) =>
      [space, { kind, head: headOf(kind, frozen.size, frozen.opened?.vision) }] as const
    )
  )
  const params: Params = Object.fromEntries([...heads].map(([space, { head }]) => [space, head.params]))
  const stored = own && flatten(Object.fromEntries([...own.kinds.keys()].map((space) => [space, params[space]!])))
  const loaded = own && stored
    ? yield* ModelFolder.weights(own.folder, stored, o.seed)
    : new Map<string, Float32Array>()
  const drawn = [...heads].flatMap(([space, { head, kind }]) =>
    own?.kinds.has(space) ? [] : under(space, firstOf(head, frozen, kind, o.seed))
  )
  const file: typeof Heads.Type = {
    base_model_name_or_path: own?.base ?? name,
    base: frozen.hash,
    head_weight: o.weight,
    heads: Object.fromEntries([...kinds].map(([space, kind]) => [space, textOf(kind)]))
  }
  return {
    frozen,
    heads,
    params,
    weights: new Map([...loaded, ...drawn]),
    files: [[modelFiles.heads, `${JSON.stringify(file, undefined, 2)}\n`]]
  } satisfies Opened as Opened
})

/** Opens a folder of heads as it was saved. */
export const openSaved = Effect.fnUntraced(function*(name: string) {
  const own = yield* filed(name)
  if (own === undefined) return yield* new FileError({ path: name, place: "", reason: `has no ${modelFiles.heads}` })
  return yield* open(name, { used: [], learns: undefined, kind: { kind: "copy" }, weight: own.weight, seed: 0 })
})
