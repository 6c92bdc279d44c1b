/** The tokenizers of a merge: that of the output, and how each model's tokens map to its. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { brief } from "../../../domain/brief.ts"
import { modelFiles } from "../../../domain/fileNames.ts"
import { exists, readJson } from "../../files/model.ts"
import type { Model } from "./models.ts"
import * as Vocabulary from "./vocabulary.ts"

type Json = Readonly<Record<string, unknown>>

/** A model's tokenizer. */
export interface Own {
  readonly json: Json
  readonly config: Json
  readonly tokens: Vocabulary.Tokens
}

const objectIn = Effect.fnUntraced(function*(folders: ReadonlyArray<string>, name: string) {
  for (const folder of folders) {
    const path = join(folder, name)
    if (yield* exists(path)) return (yield* readJson(path)) as Json
  }
  return undefined
})

/** Reads a model's tokenizer; `undefined` if it has no `tokenizer.json`. */
export const read = Effect.fnUntraced(function*({ folders }: Pick<Model, "folders">) {
  const json = yield* objectIn(folders, modelFiles.tokenizer)
  if (json === undefined) return undefined
  const config = (yield* objectIn(folders, modelFiles.tokenizerConfig)) ?? {}
  return { json, config, tokens: Vocabulary.tokensOf(json, config) } satisfies Own as Own
})

/** The tokenizer of the output. */
export interface Target {
  readonly tokens: Vocabulary.Tokens
  /** One more than the greatest id. */
  readonly rows: number
  /** Files that are not those of the model that the tokenizer is from. */
  readonly files: ReadonlyMap<string, Json>
  /** The model that the tokenizer's files, and the ids of special tokens, are from. */
  readonly from: Model
}

/** One more than the greatest id. */
const sizeOf = (tokens: Vocabulary.Tokens): number => {
  let size = 0
  for (const id of tokens.values()) size = Math.max(size, id + 1)
  return size
}

/** An added token without options, as Hugging Face's library adds a text. */
const plain = (content: string) => ({
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: true,
  special: false
})

/** Tokens of the others that the first lacks: words in the order of the models and ids, then added tokens. */
const unknown = (first: Own, others: ReadonlyArray<Own>): ReadonlyArray<Vocabulary.Token> => {
  const added = new Map<string, Vocabulary.Token>()
  for (const own of others) {
    for (const token of Vocabulary.addedOf(own.json, own.config)) {
      if (!added.has(token.content)) added.set(token.content, token)
    }
  }
  const words = new Set(
    others.flatMap(({ tokens }) => [...tokens].toSorted(([, a], [, b]) => a - b).map(([token]) => token))
  )
  return [...[...words].filter((word) => !added.has(word)).map(plain), ...added.values()]
    .filter(({ content }) => !first.tokens.has(content))
}

/** The first tokenizer with the others' unknown tokens added to it, under the next ids. */
const union = (from: Model, first: Own, others: ReadonlyArray<Own>): Target => {
  const size = sizeOf(first.tokens)
  const more = unknown(first, others).map((token, i): Vocabulary.Added =>
    Object.assign({ id: 0 }, token, { id: size + i })
  )
  const added_tokens = [...Vocabulary.addedOf(first.json, {}), ...more]
  const decoder = first.config["added_tokens_decoder"] as Json | undefined
  const described = more.map(({ id, ...token }) => [id, token] as const)
  const config = { ...first.config, added_tokens_decoder: { ...decoder, ...Object.fromEntries(described) } }
  return {
    tokens: new Map([...first.tokens, ...more.map(({ content, id }) => [content, id] as const)]),
    rows: size + more.length,
    from,
    files: more.length === 0 ? new Map() : new Map<string, Json>([
      [modelFiles.tokenizer, { ...first.json, added_tokens }],
      ...decoder === undefined ? [] : [[modelFiles.tokenizerConfig, config] as const]
    ])
  }
}

/** What a merge needs to know of its tokenizers. */
export interface Tokenizers {
  /** Without one, tables are merged as they are. */
  readonly target: Target | undefined
  /** Ids of tokens by model. */
  readonly own: ReadonlyMap<Model, Vocabulary.Tokens>
  readonly problems: ReadonlyArray<string>
  readonly notes: ReadonlyArray<string>
}

/** Tokens whose ids the model's tables have no rows for. */
const beyond = ({ config, name }: Model, { tokens }: Own): ReadonlyArray<string> => {
  const rows = Number(config["vocab_size"])
  const bad = [...tokens].find(([, id]) => !(id < rows))
  return bad ? [`${name}: token ${brief(bad[0])} has the id ${bad[1]}, beyond its ${rows} rows (vocab_size)`] : []
}

/** Without a tokenizer setting, all must have the same tokens under the same ids. */
const agreeing = (donor: Model, models: ReadonlyArray<Model>, read: ReadonlyMap<Model, Own | undefined>) => {
  const [problems, notes] = [new Array<string>(), new Array<string>()]
  const base = read.get(donor)
  for (const model of models) {
    const own = read.get(model)
    if (model === donor || own === undefined || base === undefined) continue
    const why = Vocabulary.disagreement(own.tokens, base.tokens)
    if (why !== undefined) {
      problems.push(
        `${model.name}: its tokenizer is not that of ${donor.name}: ${why}; set tokenizer_source: union or base`
      )
      continue
    }
    const parts = Vocabulary.differingParts(own.json, base.json)
    if (parts.length > 0) {
      notes.push(
        `${model.name}: its tokenizer differs from that of ${donor.name}, which is written, in ${parts.join(", ")}`
      )
    }
  }
  return { problems, notes }
}

/** Reads the tokenizers, and makes that of the output: `source` is "base", "union", a model, or nothing. */
export const resolve = Effect.fnUntraced(function*(
  models: ReadonlyArray<Model>,
  donor: Model,
  source: "base" | "union" | Model | undefined
) {
  const others = typeof source === "object" && !models.includes(source) ? [source] : []
  const found = yield* Effect.forEach(
    [...models, ...others],
    (model) => Effect.map(read(model), (own) => [model, own] as const)
  )
  const all: ReadonlyMap<Model, Own | undefined> = new Map(found)
  const from = typeof source === "object" ? source : donor
  const first = all.get(from)
  const without = found.filter(([, own]) => own === undefined).map(([{ name }]) =>
    `${name}: has no ${modelFiles.tokenizer}; its tokens are taken to be those of ${donor.name}`
  )
  const own = new Map(
    found.map(([model, its]) => [model, (its ?? all.get(donor))?.tokens ?? new Map<string, number>()])
  )
  if (source === undefined) {
    const { notes, problems } = agreeing(donor, models, all)
    return { target: undefined, own, problems, notes: [...without, ...notes] } satisfies Tokenizers as Tokenizers
  }
  if (first === undefined) {
    const problems = [`${from.name}: has no ${modelFiles.tokenizer}, which tokenizer_source needs`]
    return { target: undefined, own, problems, notes: [] } satisfies Tokenizers as Tokenizers
  }
  const rest = models.flatMap((model) => model === from ? [] : all.get(model) ?? [])
  const target = source === "union"
    ? union(from, first, rest)
    : { tokens: first.tokens, rows: sizeOf(first.tokens), from, files: new Map<string, Json>() }
  const problems = models.flatMap((model) => {
    const its = all.get(model)
    return its === undefined ? [] : beyond(model, its)
  })
  return { target, own, problems, notes: without } satisfies Tokenizers as Tokenizers
})
