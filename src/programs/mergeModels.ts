/** Program: merges models by a config of mergekit's. */
import * as Effect from "effect/Effect"
import { basename } from "node:path"
import { modelFiles } from "../domain/fileNames.ts"
import { ConfigError } from "../domain/settings/configure.ts"
import { readText } from "../runtime/files/disk.ts"
import { parse } from "../runtime/files/hub/ids.ts"
import { pin } from "../runtime/files/hub/models.ts"
import { bytesIn } from "../runtime/files/safetensors/shards.ts"
import { literal, readObject } from "../runtime/files/settings.ts"
import { fingerprint } from "../runtime/models/folder.ts"
import { decode, type MergeConfig } from "../runtime/models/merging/config.ts"
import * as Merge from "../runtime/models/merging/merge.ts"
import { type Reference, referenceOf } from "../runtime/models/merging/models.ts"
import { licenceText, LINEAGE, lineageOf, matterOf, originOf } from "./cards/origin.ts"
import * as ModelCard from "./modelCard.ts"
import { atHand } from "./models.ts"

/** Options of a merge. */
export interface MergeOptions {
  /** In Hugging Face's notation: "5GB". */
  readonly maxShardSize: string
  /** Of the masks of DARE and DELLA. */
  readonly seed: number
}

/** Fetches a model of a config, and its adapter, unless they are at hand. */
const reference = Effect.fnUntraced(function*(name: string) {
  const { adapter, model } = yield* referenceOf(name)
  const own = yield* atHand(model)
  return (adapter === undefined ? { model: own } : { model: own, adapter: yield* pin(adapter) }) as Reference
})

/** The models of a config by name, at hand. */
export const referencesOf = Effect.fnUntraced(function*(config: MergeConfig) {
  const { tokenizerSource = "base" } = config
  const names = [...Merge.namesIn(config), ...["base", "union"].includes(tokenizerSource) ? [] : [tokenizerSource]]
  const all = yield* Effect.forEach(names, (name) => Effect.map(reference(name), (own) => [name, own] as const))
  return new Map(all)
})

/** The models of a merge, each with the SHA-256 of its weights. */
const table = Effect.fnUntraced(
  function*({ models, options: { references } }: Merge.Prepared) {
    const rows = yield* Effect.forEach([...models], ([name, { folders }]) => {
      const { adapter, model } = references.get(name)!
      const from = adapter === undefined ? model : `${model}+${adapter}`
      const told = from === name ? "" : `${from}, `
      return Effect.map(fingerprint(folders.at(-1)!), (sha256) => [name, `${told}SHA-256 ${sha256}`])
    })
    return ModelCard.table(["model", "weights"], Object.fromEntries(rows))
  }
)

/** Sections of a model card. */
type Sections = ModelCard.Card["sections"]

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

/** Parameters as JSON; "" if there are none. */
const told = (parameters: unknown): string => parameters === undefined ? "" : JSON.stringify(parameters)

/** What a config says of all its models, and of each; nothing of models of slices. */
const parametersIn = (text: string) => {
  const config = literal(text)
  const models = isObject(config) && Array.isArray(config["models"]) ? config["models"].filter(isObject) : []
  return {
    all: isObject(config) ? told(config["parameters"]) : "",
    each: new Map(models.map(({ model, parameters }) => [String(model), told(parameters)] as const))
  }
}

/** What the models of a merge are made of. */
const originsOf = Effect.fnUntraced(function*({ models, options: { references } }: Merge.Prepared, text: string) {
  const { each } = parametersIn(text)
  return yield* Effect.forEach([...models.keys()], (name) => {
    const { model } = references.get(name)!
    return Effect.map(originOf(model), (own) => ({
      origin: parse(name) === undefined ? own : { ...own, ids: [parse(name)!.repo], lineage: [`- ${name}`] },
      about: each.get(name) ?? ""
    }))
  })
})

/** The text of the model card: the method, the models, `more` sections, and the config as it was given. */
const cardOf = Effect.fnUntraced(function*(
  name: string,
  prepared: Merge.Prepared,
  { more = [], seed, text }: Recipe
) {
  const { donor, options: { config }, plan } = prepared
  const { method } = config
  const title = method.reference === undefined ? method.title : `[${method.title}](${method.reference})`
  const base = config.base === undefined ? "" : ` with ${config.base} as its base`
  const masks = method.random ? ` Random masks were drawn under seed ${seed}.` : ""
  const origins = yield* originsOf(prepared, text)
  const [sources, { all }] = [origins.map(({ origin }) => origin), parametersIn(text)]
  return ModelCard.text({
    name,
    matter: {
      library_name: "transformers",
      ...matterOf(sources),
      base_model_relation: "merge",
      tags: "[anamnesis, mergekit, merge]"
    },
    sections: [
      [
        "Merge",
        `${plan.steps.length} tensors were merged by ${title}${base}.${masks} Config and names of tensors are those of ${donor.name}.`
      ],
      ["Licence", licenceText(sources)],
      [LINEAGE, lineageOf(`merged by ${method.title}${all === "" ? "" : ` (${all})`}`, origins)],
      ["Models", yield* table(prepared)],
      ...more,
      ["Configuration", `\`\`\`yaml\n${text.replace(/\n+$/, "")}\n\`\`\``]
    ]
  })
})

/** Bytes of `--max-shard-size`. */
export const sizeOf = (text: string) => {
  const size = bytesIn(text)
  return size ? Effect.succeed(size) : Effect.fail(
    new ConfigError({ source: "--max-shard-size", problems: [`"${text}" is no size such as 500MB or 5GB`] })
  )
}

/** What is written beside a merge's weights. */
export interface Recipe {
  /** The config's YAML. */
  readonly text: string
  readonly seed: number
  /** Further sections of the card. */
  readonly more?: Sections
}

/** Carries out a prepared merge: a new folder with a model card, and the config as `mergekit_config.yml`. */
export const write = Effect.fnUntraced(function*(prepared: Merge.Prepared, out: string, recipe: Recipe) {
  const card = yield* cardOf(basename(out), prepared, recipe)
  return yield* Merge.save(prepared, out, new Map([[modelFiles.card, card], [modelFiles.recipe, recipe.text]]))
})

/** Merges the models of a config file into a new folder, with a model card and the config as `mergekit_config.yml`. */
export const mergeModels = Effect.fn("mergeModels")(
  function*(path: string, out: string, { maxShardSize: size, seed }: MergeOptions) {
    const json = yield* readObject(path)
    const text = yield* readText(path)
    const maxShardSize = yield* sizeOf(size)
    const { config, idle } = yield* decode(path, json)
    yield* Effect.forEach(idle, (note) => Effect.logWarning(`${path}: ${note}`))
    const references = yield* referencesOf(config)
    const draw = Merge.drawing(seed)
    const prepared = yield* Merge.prepare({ source: path, config, references, draw, maxShardSize })
    return yield* write(prepared, out, { text, seed })
  },
  Effect.scoped
)
