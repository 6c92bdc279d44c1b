/** config.json and what lies beside it: refused, told, or with the effect that transformers documents. */
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { colbert } from "../../../src/kernels/nn/colbert.ts"
import { causalLm } from "../../../src/kernels/nn/decoder.ts"
import { cpu } from "../../../src/runtime/engine/providers.ts"
import * as ReaderFolder from "../../../src/runtime/language/folder.ts"
import * as Decoding from "../../../src/runtime/language/generation/decoding.ts"
import * as ReaderGraphs from "../../../src/runtime/language/graphs.ts"
import * as Model from "../../../src/runtime/models/load.ts"
import * as RetrieverFolder from "../../../src/runtime/retrieval/colbert/folder.ts"
import * as RetrieverGraphs from "../../../src/runtime/retrieval/dense/graphs.ts"
import type { Tokenizer } from "../../../src/runtime/tokenizers/tokenizer.ts"
import { decode } from "../../../src/systems/all.ts"
import { after, type Damage, damages } from "../edits/damage.ts"
import { isObject, textOf } from "../edits/json.ts"
import { type Edit, edited, edits, type Raw, values } from "../edits/mutations.ts"
import { folders, keysOfOthers, tokenizer } from "../inputs/modelFolders.ts"
import { attempt, expectSame, Fault, fill, kind, type Outcome, refused } from "../kind.ts"
import { type Expected, expectedOf, probes } from "../readings/config/whole.ts"
import { Bad, type Fields } from "../readings/records.ts"

interface Case {
  readonly model: string
  /** The one that is changed. */
  readonly file: string
  readonly edits: ReadonlyArray<Edit>
  /** Keys that are put in, as other models have them. */
  readonly more: ReadonlyArray<readonly [key: string, value: Raw]>
  readonly damages: ReadonlyArray<Damage>
  /** Without weights, which are drawn. */
  readonly untrained: boolean
}

type Files = Readonly<Record<string, Uint8Array>>

const filesOf = ({ damages, edits, file, model, more, untrained }: Case): Files => {
  const { files, others } = folders[model]!
  const texts = Object.entries(files).map(([name, base]): [string, Uint8Array] => {
    const json = name === file ? edited(base, edits) : base
    const put = more.map(([key, value]) => [JSON.stringify(key), value.text] as const)
    const whole = name === file && isObject(json) ? { entries: [...json.entries, ...put] } : json
    const bytes = new TextEncoder().encode(textOf(whole))
    return [name, name === file ? after(bytes, damages) : bytes]
  })
  const { "model.safetensors": weights, ...beside } = others
  return {
    ...Object.fromEntries(texts),
    ...beside,
    ...untrained ? { "untrained.json": new TextEncoder().encode("{}") } : { "model.safetensors": weights! }
  }
}

/** Tokens of a prompt, layers of a graph that is built, and weights that are drawn at once, or never. */
const [LENGTH, LAYERS, FEW, MANY] = [16, 8, 1e7, 1e10]
const options = { seed: 1, lora: undefined, learns: () => false, slots: [], draws: true }

const settingsOf = (folder: string) =>
  decode("test", {
    output_dir: "o",
    passages_file: "p",
    retriever_name_or_path: folder,
    reader_name_or_path: folder,
    max_length: LENGTH
  })

/** What a model folder comes to, of all that its files say. */
const readFolder = Effect.fnUntraced(function*(folder: string, type: "encoder" | "decoder") {
  const settings = yield* settingsOf(folder)
  if (type === "encoder") {
    const opened = yield* RetrieverFolder.open(folder, settings)
    const { config, module } = yield* Model.load(opened, colbert, { ...options, task: "FEATURE_EXTRACTION" })
    if (config.num_hidden_layers < LAYERS) RetrieverGraphs.encode(module, 1, 4)
    const { skip, ...marks } = opened.marks
    const rest: Fields = { lengths: opened.lengths, marks, skip: [...skip] }
    return { config: { ...config } as Fields, tokenizer: opened.tokenizer, rest }
  }
  const opened = yield* ReaderFolder.open(folder, settings)
  const { config, module } = yield* Model.load(opened, causalLm, { ...options, task: "CAUSAL_LM" })
  if (config.num_hidden_layers < LAYERS) ReaderGraphs.score(module, { rows: 1, length: 8, supervised: 2 })
  const { end, padding, stops } = opened.ends
  const rest: Fields = {
    wrap: opened.wrap,
    ends: { end, padding, stops: [...stops] },
    generation: Decoding.resolve(settings, opened.generation),
    foreign: Decoding.foreign(settings, opened.generation).map((one) => one.split(" ")[0])
  }
  return { config: { ...config } as Fields, tokenizer: opened.tokenizer, rest }
})
type Folder = Effect.Success<ReturnType<typeof readFolder>>

const compareTexts = (found: Tokenizer, { tokens }: Expected): void => {
  for (const text of probes) {
    const ids = found.encode(text)
    expectSame(ids, tokens.encode(text), `ids of ${JSON.stringify(text)}`)
    expectSame(found.decode(ids), tokens.decode(ids), `text of ${ids.join()}`)
  }
  expectSame(found.size, tokens.size, "size")
}

/** What each file told that it makes no use of. */
const toldOf = ({ told }: Outcome<unknown>, folder: string): ReadonlyArray<string> =>
  told.flatMap((line) => {
    const [, path, keys] = /^(.*?): (?:not known here, and passed over|without effect beside \S+): (.*)$/s.exec(line) ??
      []
    return keys === undefined ? [] : keys.split(", ").map((key) => `${path!.replace(`${folder}/`, "")} ${key}`)
  })

const compare = (outcome: Outcome<Folder> & { readonly _tag: "Read" }, own: Expected, folder: string): void => {
  const { config, rest, tokenizer: found } = outcome.value
  const read = Object.fromEntries(Object.keys(own.config).map((key) => [key, own.of(config)[key]]))
  expectSame(read, own.config, "config")
  compareTexts(found, own)
  expectSame(rest, own.rest, "rest")
  const told = toldOf(outcome, folder)
  const wanted = own.told.map(([file, key]) => `${file} ${key.length > 80 ? `${key.slice(0, 79)}…` : key}`)
  if (wanted.length < 10 && !wanted.some((key) => key.includes(", "))) {
    expectSame(told.toSorted(), wanted.toSorted(), "told")
  }
}

/** What is to come of the files; "bad" where they are to be refused. */
const expected = (c: Case, files: Files): Expected | "bad" => {
  try {
    return expectedOf(folders[c.model]!, files, { length: LENGTH, untrained: c.untrained })
  } catch (error) {
    if (error instanceof Bad) return "bad"
    throw error
  }
}

export default kind<Case>({
  cases: fc.constantFrom(...Object.keys(folders)).chain((model) =>
    fc.oneof(
      { weight: 3, arbitrary: fc.constant("config.json") },
      { weight: 4, arbitrary: fc.constantFrom(...Object.keys(folders[model]!.files)) }
    ).chain((file) =>
      fc.record<Case>({
        model: fc.constant(model),
        file: fc.constant(file),
        edits: fc.oneof({ weight: 5, arbitrary: edits(folders[model]!.files[file]!) }, fc.constant([])),
        more: file === "config.json"
          ? fc.oneof(
            { weight: 3, arbitrary: fc.constant([]) },
            fc.array(fc.tuple(fc.constantFrom(...keysOfOthers), values), { maxLength: 2 })
          )
          : fc.constant([]),
        damages: fc.oneof({ weight: 15, arbitrary: fc.constant([]) }, damages),
        untrained: fc.boolean()
      }, { noNullPrototype: true })
    )
  ),
  judge: async (c, folder) => {
    const files = filesOf(c)
    fill(folder, { "tokenizer.json": JSON.stringify(tokenizer), ...files })
    const own = expected(c, files)
    /** Nothing is wrong about drawing gigabytes where there is memory for them, but that it takes long. */
    if (own !== "bad" && own.drawn > FEW && own.drawn < MANY) return "changed"
    const outcome = await attempt(Effect.provide(readFolder(folder, folders[c.model]!.kind), cpu({ threads: 1 })))
    if (outcome._tag === "Refused") {
      if (own !== "bad" && own.drawn <= FEW) throw new Fault(`refused: ${outcome.message}`)
      return refused(outcome, folder)
    }
    if (own === "bad") throw new Fault("read, where it is bad")
    if (own.drawn > FEW) throw new Fault("read, although it is larger than any memory")
    compare(outcome, own, folder)
    const told = outcome.told.length > 0
    const same = files[c.file]!.join() === filesOf({ ...c, edits: [], more: [], damages: [] })[c.file]!.join()
    return same ? "same" : told ? "told" : "changed"
  }
})
