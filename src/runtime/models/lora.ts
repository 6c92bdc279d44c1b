/** Which modules of a model get adapters and which are trained in full, by the settings or by an adapter folder. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { modelFiles } from "../../domain/fileNames.ts"
import { didYouMean } from "../../domain/nearest.ts"
import { fullMatch } from "../../domain/pattern.ts"
import type { ModelSettings } from "../../domain/settings/model.ts"
import type { Lora, Rank } from "../../kernels/nn/lora.ts"
import type { Flat } from "../../kernels/nn/Module.ts"
import { FileError } from "../files/disk.ts"
import * as Peft from "../files/peft.ts"
import { limited } from "../files/timeLimit.ts"

/** LoRA settings of a model, in PEFT's spelling. */
export interface LoraSettings {
  /** Prefix of the model's keys in the settings, if any. */
  readonly prefix?: string
  readonly r: number
  readonly lora_alpha: number
  readonly lora_dropout: number
  readonly target_modules: ModelSettings["lora_target_modules"]
  readonly modules_to_save: ReadonlyArray<string>
  readonly use_rslora: boolean
  /** Whether modules are named by whole paths: a model has others with the same last names, which get none. */
  readonly paths?: boolean
  /** Whether a parameter may be trained: names mean modules of such alone; by default all. */
  readonly within?: (path: string) => boolean
}

/** The LoRA settings of a model; `undefined` if its own weights are trained. */
export const loraOf = (model: ModelSettings): LoraSettings | undefined =>
  model.lora_r === 0 ? undefined : {
    prefix: model.prefix,
    r: model.lora_r,
    lora_alpha: model.lora_alpha,
    lora_dropout: model.lora_dropout,
    target_modules: model.lora_target_modules,
    modules_to_save: model.modules_to_save,
    use_rslora: model.use_rslora
  }

/** What is trained of a model with adapters. */
export interface Adapted {
  readonly lora: Lora
  /** Parameters of the model that are trained in full. */
  readonly saved: ReadonlyArray<string>
}

/** Modules as `adapter_config.json` names them. */
export interface Named {
  readonly target_modules: ReadonlyArray<string>
  readonly modules_to_save: ReadonlyArray<string>
}

/** Whether a parameter belongs to an adapter. */
export const isLora = (path: string): boolean => /\.lora_(A|B|embedding_A|embedding_B)(\.|$)/.test(path)

/** Path of a parameter's module. */
export const moduleOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf(".")))

/** Modules that can have an adapter: linear layers and embeddings. */
const adaptable = (params: Flat): ReadonlyArray<{ readonly path: string; readonly lookup: boolean }> =>
  [...params].filter(([path, { shape }]) => path.endsWith(".weight") && shape.length === 2)
    .map(([path, { lookup }]) => ({ path: moduleOf(path), lookup: lookup === true }))

/** Linear maps that are no part of a model's layers: the output head, and what brings pictures to a decoder's width. */
const beside = /(^|\.)lm_head$|(^|\.)(multi_modal_projector|connector)\./

/** Time limit in milliseconds for matching a pattern against all modules. */
const PATIENCE = 1000

/**
 * PEFT's rule: a list names path suffixes; a string is a pattern of whole paths, or stands for all linear layers but
 * the output head (and, of a model that reads pictures, its connector). Throws if the pattern is invalid or runs out of time.
 */
const targeted = (names: LoraSettings["target_modules"], params: Flat): ReadonlyArray<string> => {
  const modules = adaptable(params)
  if (names === "all-linear") return modules.filter((m) => !m.lookup && !beside.test(m.path)).map((m) => m.path)
  const paths = modules.map((m) => m.path)
  if (typeof names !== "string") return paths.filter((path) => names.some((n) => path === n || path.endsWith(`.${n}`)))
  const pattern = fullMatch(names)
  return limited(PATIENCE, () => paths.filter((path) => pattern.test(path)))
}

/** The module of a parameter and the modules around it: "model", "model.norm". */
const around = (path: string): ReadonlyArray<string> => {
  const names = moduleOf(path).split(".")
  return names.map((_, i) => names.slice(0, i + 1).join("."))
}

/** PEFT's rule: the parameters of modules whose paths end in the name, and of their submodules. */
export const savedBy = (name: string, params: ReadonlyMap<string, unknown>): ReadonlyArray<string> =>
  [...params.keys()].filter((path) => around(path).some((module) => module.endsWith(name)))

const lastNames = (params: Flat): ReadonlyArray<string> => [
  ...new Set([...params.keys()].map((path) => moduleOf(path).split(".").at(-1)!))
]

/** The modules that the settings target, and what is wrong with the settings. Throws as `targeted` does. */
const found = ({ modules_to_save, prefix: given, target_modules }: LoraSettings, params: Flat) => {
  const prefix = given ?? ""
  const has = lastNames(params)
  const lost = (name: string, key: string) => {
    const near = didYouMean(name, has)
    return `${prefix}${key}: no module is called "${name}"${near ? `, did you mean "${near}"?` : ""} (there are ${
      has.join(", ")
    })`
  }
  const paths = targeted(target_modules, params)
  const unmatched = typeof target_modules === "string"
    ? [target_modules].filter(() => paths.length === 0)
    : target_modules.filter((name) => targeted([name], params).length === 0)
  const saved = new Set(modules_to_save.flatMap((name) => savedBy(name, params)))
  const wrong = [
    ...unmatched.map((name) => lost(name, "lora_target_modules")),
    ...modules_to_save.filter((name) => savedBy(name, params).length === 0).map((n) => lost(n, "modules_to_save")),
    ...paths.filter((path) => saved.has(`${path}.weight`))
      .map((path) => `${path} is both in ${prefix}lora_target_modules and in ${prefix}modules_to_save`)
  ]
  return { paths, wrong }
}

/**
 * The settings applied to a model of the given parameters. Those of `drawn` have no values in the folder: they are
 * trained in full, so that the adapter's folder has their values.
 */
export const resolve = Effect.fnUntraced(function*(
  settings: LoraSettings,
  params: Flat,
  drawn: ReadonlyArray<string>,
  folder: string
) {
  const { modules_to_save, prefix, target_modules, within = () => true } = settings
  const fail = (reason: string) => new FileError({ path: join(folder, modelFiles.config), place: "", reason })
  const stored = new Map([...params].filter(([path]) => !drawn.includes(path) && within(path)))
  const { paths, wrong } = yield* Effect.try({
    try: () => found(settings, stored),
    catch: (cause) => fail(`${prefix ?? ""}lora_target_modules: the pattern ${(cause as Error).message}`)
  })
  if (wrong.length > 0) return yield* fail(wrong.join("; "))
  const rank: Rank = {
    r: settings.r,
    scaling: Peft.scalingOf(settings.lora_alpha, settings.r, settings.use_rslora)
  }
  const saved = new Set([...drawn, ...modules_to_save.flatMap((name) => savedBy(name, stored))])
  return {
    lora: { targets: new Map(paths.map((path) => [path, rank])), dropout: settings.lora_dropout },
    saved: [...params.keys()].filter((path) => saved.has(path)),
    target_modules: settings.paths === true || typeof target_modules === "string" ? paths : target_modules,
    modules_to_save: [...modules_to_save, ...new Set(drawn.map(moduleOf))]
  } satisfies Adapted & Named as Adapted & Named
})

/** What an adapter folder holds, as in the settings of its training. */
export const ofAdapter = ({ config, targets, tensors }: Peft.Adapter): Adapted => {
  const isSaved = (name: string) => !isLora(name) && !targets.has(moduleOf(name))
  return {
    lora: { targets, dropout: config.lora_dropout },
    saved: [...tensors.keys()].filter(isSaved)
  }
}
