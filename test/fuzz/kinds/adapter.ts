/** An adapter of PEFT and the model that it rests on, merged. */
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { createHash } from "node:crypto"
import { existsSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { isDeepStrictEqual } from "node:util"
import { reference } from "../../../src/runtime/engine/providers.ts"
import { save } from "../../../src/runtime/models/export/folder.ts"
import { type Files, type FolderEdit, folderEdits, lay, moved } from "../edits/folders.ts"
import { of, textOf } from "../edits/json.ts"
import { type Edit, edited, edits, often, Raw } from "../edits/mutations.ts"
import { type FileEdit, fileEdits, tensor, writeFile, type Written } from "../edits/tensors.ts"
import { attempt, Fault, kind, refused, tells } from "../kind.ts"
import { configOf, type Matrices, type Merged, merged } from "../readings/adapter.ts"
import { decoded, isFields, strictly } from "../readings/json.ts"
import { bad, unlessBad } from "../readings/records.ts"
import { fileOf, numbers } from "../readings/safetensors.ts"

const [CONFIG, WEIGHTS, BASE] = ["adapter/adapter_config.json", "adapter/adapter_model.safetensors", "base"]
const [EMBEDDING, HEAD] = ["model.embed_tokens", "lm_head"]
const attention = "model.layers.0.self_attn"

/** So many numbers that half precision has. */
const some = (count: number, seed: number) => Array.from({ length: count }, (_, i) => ((i * 7 + seed * 3) % 17 - 8) / 8)
const matrix = (name: string, shape: ReadonlyArray<number>, seed: number, dtype = "F32"): Written =>
  tensor(name, shape, some(shape.reduce((a, b) => a * b, 1), seed), dtype)

const tied = [
  matrix(`${EMBEDDING}.weight`, [5, 4], 1, "BF16"),
  matrix(`${attention}.q_proj.weight`, [4, 4], 2, "F16"),
  matrix("model.layers.1.self_attn.v_proj.weight", [2, 4], 3),
  matrix("model.norm.weight", [4], 4)
]
const bases = { tied, own: [...tied, matrix(`${HEAD}.weight`, [5, 4], 5)] }
type Name = keyof typeof bases

const configOfBase = (name: Name) => ({
  model_type: "llama",
  hidden_size: 4,
  intermediate_size: 4,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  vocab_size: 5,
  max_position_embeddings: 8,
  tie_word_embeddings: name === "tied"
})

const own = (name: string, shape: ReadonlyArray<number>, seed: number, dtype = "F32") =>
  matrix(`base_model.model.${name}`, shape, seed, dtype)

const plain = [
  own(`${attention}.q_proj.lora_A.weight`, [2, 4], 6),
  own(`${attention}.q_proj.lora_B.weight`, [4, 2], 7, "F16"),
  own("model.layers.1.self_attn.v_proj.lora_A.weight", [1, 4], 8, "BF16"),
  own("model.layers.1.self_attn.v_proj.lora_B.weight", [2, 1], 9)
]
const shapes = {
  few: plain,
  embedded: [
    ...plain,
    own(`${EMBEDDING}.lora_embedding_A`, [2, 5], 10),
    own(`${EMBEDDING}.lora_embedding_B`, [4, 2], 11),
    own("model.norm.weight", [4], 12)
  ],
  grown: [...plain, own(`${EMBEDDING}.weight`, [6, 4], 13), own(`${HEAD}.weight`, [6, 4], 14)]
}
type Shape = keyof typeof shapes
const targets = {
  few: ["q_proj", "v_proj"],
  embedded: ".*\\.(q|v)_proj|model.embed_tokens",
  grown: "all-linear"
} satisfies Record<Shape, unknown>
const saved = { few: null, embedded: ["norm"], grown: ["embed_tokens", "lm_head"] } satisfies Record<Shape, unknown>

const configs = Object.fromEntries(
  Object.keys(shapes).map((shape) => [
    shape,
    of({
      alpha_pattern: { v_proj: 3 },
      auto_mapping: null,
      base_model_name_or_path: "../base",
      bias: "none",
      ensure_weight_tying: false,
      exclude_modules: null,
      fan_in_fan_out: false,
      inference_mode: true,
      init_lora_weights: true,
      layers_pattern: null,
      layers_to_transform: null,
      loftq_config: {},
      lora_alpha: 4,
      lora_dropout: 0.1,
      modules_to_save: saved[shape as Shape],
      peft_type: "LORA",
      peft_version: "0.21.2",
      qalora_group_size: 16,
      r: 2,
      rank_pattern: { "layers.1.self_attn.v_proj": 1 },
      target_modules: targets[shape as Shape],
      task_type: "CAUSAL_LM",
      use_dora: false,
      use_rslora: false
    })
  ])
)

/** Settings that make another adapter of the same tensors, or none. */
const settings: Readonly<Record<string, ReadonlyArray<string>>> = {
  target_modules: [
    "null",
    "[\"q_proj\"]",
    "\"all-linear\"",
    "\".*_proj\"",
    "\".*(v_proj\"",
    "[\"self_attn\"]",
    "\".*\""
  ],
  exclude_modules: ["[\"v_proj\"]", "[\"layers.1\"]", "\".*v_proj\"", "[]", "\"\""],
  layers_to_transform: ["0", "[0, 1]", "[1]", "[]", "-1"],
  layers_pattern: ["\"layers\"", "[\"h\", \"layers\"]", "[]", "\"h\"", "\"\""],
  modules_to_save: ["[\"norm\"]", "[\"q_proj\"]", "[\"lm_head\"]", "[\"model\"]", "[\"other\"]", "[]"],
  ensure_weight_tying: ["true"],
  use_rslora: ["true"],
  r: ["1", "0", "2.0"],
  lora_alpha: ["1e308", "1e-30", "0", "-4", "\"4\""],
  rank_pattern: ["{}", "{\".*\": 1}", "{\"q_proj\": 2, \"v_proj\": 1}", "{\"^q_proj\": 1}"],
  alpha_pattern: ["{}", "{\".*\": 1}", "{\"_proj\": 9}", "{\"v_proj\": 1e300}", "{\"(\": 1}", "{\"q_proj|v_proj\": 5}"],
  use_dora: ["true"],
  bias: ["\"lora_only\""],
  fan_in_fan_out: ["true"],
  init_lora_weights: ["\"pissa\"", "\"gaussian\"", "false"],
  peft_type: ["\"LOHA\"", "null"]
}
const setting = fc.constantFrom(...Object.entries(settings)).chain(([key, values]) =>
  fc.constantFrom(...values).map((text): Edit => ({ path: [key], does: "replace", value: new Raw(text) }))
)

/** Ends of modules' names: of those that tensors are gone of, one or all. */
const modules = ["q_proj", "v_proj", "embed_tokens", "norm", "lm_head"]

interface Case {
  readonly base: Name
  readonly shape: Shape
  /** A module of which the adapter has nothing. */
  readonly without?: string
  readonly config: ReadonlyArray<Edit>
  readonly weights: ReadonlyArray<FileEdit>
  readonly folder: ReadonlyArray<FolderEdit>
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")
const baseFile = (name: Name) => writeFile({ tensors: bases[name] })
const adapterFile = ({ base, shape, without }: Pick<Case, "base" | "shape" | "without">) => ({
  metadata: { format: "pt", ...(shape === "few" ? {} : { base_sha256: sha256(baseFile(base)) }) },
  tensors: shapes[shape].filter(({ name }) => without === undefined || !name.includes(without))
})

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const filesOf = (c: Case): Files =>
  moved({
    [CONFIG]: utf8(textOf(edited(configs[c.shape]!, c.config))),
    [WEIGHTS]: writeFile(adapterFile(c), c.weights),
    [`${BASE}/config.json`]: utf8(JSON.stringify(configOfBase(c.base))),
    [`${BASE}/model.safetensors`]: baseFile(c.base)
  }, c.folder)

const bytesOf = (files: Files, name: string): Uint8Array => {
  const entry = Object.hasOwn(files, name) ? files[name] : undefined
  return entry instanceof Uint8Array ? entry : bad(name)
}

const matricesOf = (bytes: Uint8Array): Matrices =>
  Object.fromEntries([...fileOf(bytes).tensors].map(([name, { bytes, dtype, shape }]) => {
    const values = numbers(dtype, bytes) ?? bad(name)
    return [name, { shape, values: values.every(Number.isFinite) ? values : bad(name) }]
  }))

/** The folder that the config names, from here or from its own. */
const isBase = (config: unknown, folder: string): boolean => {
  const given = isFields(config) ? config["base_model_name_or_path"] : ""
  if (typeof given !== "string" || given === "" || given.includes("\u0000")) return false
  const found = [given, resolve(folder, "adapter", given)].find((path) => existsSync(join(path, "config.json")))
  return found !== undefined && resolve(found) === join(folder, BASE)
}

/** The model that the files are. @throws Bad where they are none. */
const expected = (files: Files, folder: string, name: Name): Merged => {
  const json = strictly(bytesOf(files, CONFIG)) ?? bad(CONFIG)
  const config = configOf(json.value)
  const adapter = fileOf(bytesOf(files, WEIGHTS))
  if (!isBase(json.value, folder)) bad("no base")
  if (files[`${BASE}/adapter_config.json`] !== undefined) bad("an adapter on an adapter")
  if (decoded(bytesOf(files, `${BASE}/config.json`)) !== JSON.stringify(configOfBase(name))) bad("no config")
  const base = bytesOf(files, `${BASE}/model.safetensors`)
  const hash = adapter.metadata["base_sha256"]
  if (hash !== undefined && hash !== sha256(base)) bad("another base")
  return merged(config, adapter, matricesOf(base))
}

const close = (found: Matrices, wanted: Matrices): boolean =>
  isDeepStrictEqual(Object.keys(found).toSorted(), Object.keys(wanted).toSorted())
  && Object.entries(wanted).every(([name, { shape, values }]) => {
    const own = found[name]!
    const near = (value: number, i: number) =>
      Math.abs(value - own.values[i]!) <= 1e-5 * Math.max(1e-30, Math.abs(value))
    return own.shape.join() === shape.join() && values.every(near)
  })

const options = { dtype: "float32", maxShardSize: 1e9, card: "" } as const

const none = fc.constant([])
const adapters = fc.record({
  base: fc.constantFrom<Name>("tied", "own"),
  shape: fc.constantFrom<Shape>("few", "embedded", "grown"),
  without: fc.oneof({ weight: 5, arbitrary: fc.constant("nothing") }, fc.constantFrom(...modules))
}, { noNullPrototype: true })
const files = [CONFIG, WEIGHTS, `${BASE}/config.json`, `${BASE}/model.safetensors`]
const others = [`${BASE}/adapter_config.json`, "adapter/adapter_model.bin", BASE, "adapter"]

const example = (
  shape: Shape,
  config: ReadonlyArray<readonly [key: string, text: string]>,
  without = "nothing"
): Case => ({
  base: "tied",
  shape,
  without,
  config: config.map(([key, text]) => ({ path: [key], does: "replace", value: new Raw(text) })),
  weights: [],
  folder: []
})

export default kind<Case>({
  examples: [
    example("few", [["target_modules", "[\"v_proj\"]"]]),
    example("few", [["exclude_modules", "[\"v_proj\"]"]]),
    example("few", [["layers_to_transform", "1"]]),
    example("few", [], "q_proj"),
    example("embedded", [], "norm"),
    example("embedded", [["ensure_weight_tying", "true"]]),
    example("few", [["modules_to_save", "[\"lm_head\"]"]]),
    example("few", [["base_model_name_or_path", "\"/etc/hostname\""]]),
    example("few", [["alpha_pattern", "3"]]),
    example("few", [["target_modules", `"${"x".repeat(70_000)}"`]])
  ],
  cases: adapters.chain((own) =>
    fc.record({
      base: fc.constant(own.base),
      shape: fc.constant(own.shape),
      without: fc.constant(own.without),
      config: fc.oneof(
        { weight: 2, arbitrary: edits(configs[own.shape]!) },
        { weight: 2, arbitrary: fc.array(setting, { minLength: 1, maxLength: 2 }) },
        { weight: 2, arbitrary: none }
      ),
      weights: often(1, fileEdits(adapterFile(own))),
      folder: often(0.1, fc.array(folderEdits(files, others), { minLength: 1, maxLength: 1 }))
    }, { noNullPrototype: true })
  ),
  judge: async (c, folder) => {
    const files = filesOf(c)
    lay(folder, files)
    const out = join(folder, "merged")
    const outcome = await attempt(save(join(folder, "adapter"), out, options).pipe(Effect.provide(reference)))
    const wanted = unlessBad(() => expected(files, folder, c.base))
    if (outcome._tag === "Refused") {
      if (wanted !== undefined) throw new Fault(`refused: ${outcome.message}`)
      return refused(outcome, folder)
    }
    if (wanted === undefined) throw new Fault("merged, where something is bad")
    const found = matricesOf(readFileSync(join(out, "model.safetensors")))
    if (!close(found, wanted.weights)) throw new Fault(`merged otherwise: ${JSON.stringify([found, wanted])}`)
    const untold = wanted.missing.filter((path) => !tells(outcome, path))
    if (untold.length > 0) throw new Fault(`not told: there is no adapter for ${untold.join()}`)
    const before = unlessBad(() => expected(filesOf({ ...c, config: [], weights: [], folder: [] }), folder, c.base))
    return isDeepStrictEqual(before?.weights, wanted.weights) ? "same" : "changed"
  }
})
