/** Settings, by docs/settings.md: which values a setting may have, and what it is called otherwise. */
import { isFields } from "./json.ts"

type Is = (value: unknown) => boolean

const integer = (least: number): Is => (v) => Number.isSafeInteger(v) && (v as number) >= least
const within = (least: number, most: number): Is => (v) =>
  Number.isFinite(v) && (v as number) >= least && (v as number) <= most
const [LEAST, GREATEST] = [2 ** -126, (2 - 2 ** -23) * 2 ** 127]
const float = (v: unknown) => v === 0 || within(LEAST, GREATEST)(Math.abs(v as number))
const positive: Is = (v) => Number.isFinite(v) && (v as number) > 0 && float(v)
const nonNegative: Is = (v) => Number.isFinite(v) && (v as number) >= 0 && float(v)
const text: Is = (v) => typeof v === "string"
const full: Is = (v) => typeof v === "string" && v !== ""
const maybePath: Is = (v) => typeof v === "string" && !v.includes("\0") && !/^(~(\/|$)|\$)/.test(v)
const path: Is = (v) => full(v) && maybePath(v)
const flag: Is = (v) => typeof v === "boolean"
const texts: Is = (v) => Array.isArray(v) && v.every(full)
const oneOf = (...names: ReadonlyArray<string>): Is => (v) => names.includes(v as string)
const or = (...all: ReadonlyArray<Is>): Is => (v) => all.some((is) => is(v))
const where: Is = (v) => isFields(v) && Object.values(v).every(or(text, Number.isFinite))

/** Settings that the cases give, by name. */
export const rules: Readonly<Record<string, Is>> = {
  preset: oneOf("paper", "release"),
  mode: oneOf("joint", "frozen_rag", "no_retrieval", "bm25_rag", "gold_supervised", "oracle", "lexical", "copy"),
  seed: integer(0),
  output_dir: path,
  passages_file: path,
  train_file: maybePath,
  train_where: where,
  holdout: within(0, 1),
  group_field: full,
  skip_bad_lines: flag,
  retriever_name_or_path: path,
  reader_name_or_path: path,
  per_device_train_batch_size: integer(1),
  num_train_epochs: (v) => Number.isFinite(v) && (v as number) > 0,
  max_steps: integer(-1),
  learning_rate: nonNegative,
  lr_scheduler_type: oneOf("constant", "linear", "cosine"),
  adam_beta1: (v) => within(0, 1)(v) && v !== 1,
  adam_epsilon: positive,
  lora_r: integer(0),
  lora_dropout: within(0, 0.99),
  lora_target_modules: or(full, texts),
  refresh_index: or(Number.isSafeInteger, text),
  question_prompt: text,
  temperature: or((v) => v === null, nonNegative),
  top_k: or((v) => v === null, integer(0)),
  do_sample: or((v) => v === null, flag),
  stop_strings: or((v) => v === null, texts),
  n_candidates: integer(1),
  n_context: integer(1)
}

const aliases: Readonly<Record<string, string>> = {
  lr: "learning_rate",
  bsize: "per_device_train_batch_size",
  clip: ""
}

/** The setting that a key names: by its name or an alias, with hyphens or without. */
export const settingOf = (key: string): string | undefined => {
  const name = key.replaceAll("-", "_")
  const own = Object.hasOwn(aliases, name) ? aliases[name]! : name
  return Object.hasOwn(rules, own) ? own : undefined
}

/** The settings under their names; `undefined` where a key is none, is there twice, or has a value that it may not have. */
export const settled = (given: unknown): Readonly<Record<string, unknown>> | undefined => {
  if (!isFields(given)) return undefined
  const found = new Map<string, unknown>()
  for (const [key, value] of Object.entries(given)) {
    const name = settingOf(key)
    if (name === undefined || found.has(name) || !rules[name]!(value)) return undefined
    found.set(name, value)
  }
  return Object.fromEntries(found)
}

/** A scalar of YAML 1.2 as it is read without a tag; `undefined` where it is a text or no scalar. */
export const scalarOf = (source: string): { readonly value: unknown } | undefined => {
  const own = source.trim()
  if (/^(~|null|Null|NULL|)$/.test(own)) return { value: null }
  if (/^(true|True|TRUE|false|False|FALSE)$/.test(own)) return { value: own.toLowerCase() === "true" }
  if (/^0o[0-7]+$|^0x[\da-fA-F]+$/.test(own)) return { value: Number(own) }
  if (/^[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$/.test(own)) return { value: Number(own) }
  if (/^[-+]?\.(inf|Inf|INF)$/.test(own)) return { value: own.startsWith("-") ? -Infinity : Infinity }
  return /^\.(nan|NaN|NAN)$/.test(own) ? { value: NaN } : undefined
}
