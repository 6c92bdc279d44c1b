/** Which modules of a model get adapters and which learn beside them, by the settings or by an adapter's folder. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { didYouMean } from "../../domain/nearest.ts"
import type { RunConfig } from "../../domain/RunConfig.ts"
import type { Lora, Rank } from "../../kernels/nn/lora.ts"
import type { Flat } from "../../kernels/nn/Module.ts"
import { FileError } from "./files.ts"
import * as Peft from "./peft.ts"

/** A model's share of the settings, in PEFT's spelling. */
export interface LoraSettings {
  readonly r: number
  readonly lora_alpha: number
  readonly lora_dropout: number
  readonly target_modules: RunConfig["lora_target_modules"]
  readonly modules_to_save: ReadonlyArray<string>
  readonly use_rslora: boolean
}

/** The reader's; none where all of its weights learn. */
export const readerLora = (c: RunConfig): LoraSettings | undefined =>
  c.lora_r === 0 ? undefined : {
    r: c.lora_r,
    lora_alpha: c.lora_alpha,
    lora_dropout: c.lora_dropout,
    target_modules: c.lora_target_modules,
    modules_to_save: c.modules_to_save,
    use_rslora: c.use_rslora
  }

export const retrieverLora = (c: RunConfig): LoraSettings | undefined =>
  c.retriever_lora_r === 0 ? undefined : {
    r: c.retriever_lora_r,
    lora_alpha: c.retriever_lora_alpha,
    lora_dropout: c.retriever_lora_dropout,
    target_modules: c.retriever_lora_target_modules,
    modules_to_save: c.retriever_modules_to_save,
    use_rslora: c.use_rslora
  }

export interface Adapted {
  readonly lora: Lora
  /** Parameters of the model that learn in full. */
  readonly saved: ReadonlyArray<string>
}

/** Modules as `adapter_config.json` names them. */
export interface Named {
  readonly target_modules: ReadonlyArray<string>
  readonly modules_to_save: ReadonlyArray<string>
}

/** Whether a parameter is an adapter's own. */
export const isLora = (path: string): boolean => /\.lora_(A|B|embedding_A|embedding_B)(\.|$)/.test(path)

export const moduleOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf(".")))

/** Modules that can have an adapter: linear maps and look-ups. */
const adaptable = (params: Flat): ReadonlyArray<{ readonly path: string; readonly lookup: boolean }> =>
  [...params].filter(([path, { shape }]) => path.endsWith(".weight") && shape.length === 2)
    .map(([path, { lookup }]) => ({ path: moduleOf(path), lookup: lookup === true }))

/** PEFT's rule: a list names ends of paths, a text is a pattern of whole paths, or stands for all but the output head. */
const targeted = (names: LoraSettings["target_modules"], params: Flat): ReadonlyArray<string> => {
  const modules = adaptable(params)
  if (names === "all-linear") return modules.filter((m) => !m.lookup && m.path !== "lm_head").map((m) => m.path)
  const pattern = typeof names === "string" ? new RegExp(`^(?:${names})$`) : undefined
  const isTarget = (path: string): boolean =>
    pattern ? pattern.test(path) : (names as ReadonlyArray<string>).some((n) => path === n || path.endsWith(`.${n}`))
  return modules.map((m) => m.path).filter(isTarget)
}

/** A module and those it is within: "model", "model.norm". */
const around = (path: string): ReadonlyArray<string> => {
  const names = moduleOf(path).split(".")
  return names.map((_, i) => names.slice(0, i + 1).join("."))
}
const savedBy = (name: string, params: Flat): ReadonlyArray<string> =>
  [...params.keys()].filter((path) => around(path).some((module) => module.endsWith(name)))

const lastNames = (params: Flat): ReadonlyArray<string> => [
  ...new Set([...params.keys()].map((path) => moduleOf(path).split(".").at(-1)!))
]

/** What the settings ask of a model that it does not have. */
const problems = ({ modules_to_save, target_modules }: LoraSettings, params: Flat): ReadonlyArray<string> => {
  const given = typeof target_modules === "string" ? [target_modules] : target_modules
  const ofTargets = (name: string) => targeted(typeof target_modules === "string" ? name : [name], params)
  const has = lastNames(params)
  const lost = (name: string, what: string) => {
    const near = didYouMean(name, has)
    return `${what}: no module is called "${name}"${near ? `, did you mean "${near}"?` : ""} (there are ${
      has.join(", ")
    })`
  }
  const saved = new Set(modules_to_save.flatMap((name) => savedBy(name, params)))
  return [
    ...given.filter((name) => ofTargets(name).length === 0).map((name) => lost(name, "lora_target_modules")),
    ...modules_to_save.filter((name) => savedBy(name, params).length === 0).map((n) => lost(n, "modules_to_save")),
    ...targeted(target_modules, params).filter((path) => saved.has(`${path}.weight`))
      .map((path) => `${path} is both in lora_target_modules and in modules_to_save`)
  ]
}

/**
 * The settings on a model of the given parameters. Those of `drawn` have no values in its folder: they learn in full, or
 * nobody could know them.
 */
export const resolve = (
  settings: LoraSettings,
  params: Flat,
  drawn: ReadonlyArray<string>,
  folder: string
): Effect.Effect<Adapted & Named, FileError> => {
  const stored = new Map([...params].filter(([path]) => !drawn.includes(path)))
  const wrong = problems(settings, stored)
  if (wrong.length > 0) {
    return Effect.fail(new FileError({ path: join(folder, "config.json"), place: "", reason: wrong.join("; ") }))
  }
  const rank: Rank = {
    r: settings.r,
    scaling: Peft.scalingOf(settings.lora_alpha, settings.r, settings.use_rslora)
  }
  const paths = targeted(settings.target_modules, stored)
  const saved = new Set([...drawn, ...settings.modules_to_save.flatMap((name) => savedBy(name, stored))])
  return Effect.succeed({
    lora: { targets: new Map(paths.map((path) => [path, rank])), dropout: settings.lora_dropout },
    saved: [...params.keys()].filter((path) => saved.has(path)),
    target_modules: typeof settings.target_modules === "string" ? paths : settings.target_modules,
    modules_to_save: [...settings.modules_to_save, ...new Set(drawn.map(moduleOf))]
  })
}

/** What an adapter's folder holds, as the settings of its training had it. */
export const ofAdapter = (adapter: Peft.Adapter): Adapted => {
  const targets = Peft.targets(adapter)
  const isSaved = (name: string) => !isLora(name) && !targets.has(moduleOf(name))
  return {
    lora: { targets, dropout: adapter.config.lora_dropout },
    saved: [...adapter.tensors.keys()].filter(isSaved)
  }
}
