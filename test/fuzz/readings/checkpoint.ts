/** A run's folder of checkpoints, read a second time: which are whole, and what they hold. */
import { createHash } from "node:crypto"
import { type Files, plainFiles } from "../edits/folders.ts"
import { isFields, strictly } from "./json.ts"
import { bad, type Fields, unlessBad } from "./records.ts"
import { fileOf, weightsOf } from "./safetensors.ts"

const sha256 = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex")
const isNatural = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const isText = (value: unknown): value is string => typeof value === "string"
const isRecord = (value: unknown, is: (own: unknown) => boolean): value is Fields =>
  isFields(value) && Object.values(value).every(is)

export interface OwnManifest {
  readonly global_step: number
  readonly run: Readonly<Record<string, string>>
  readonly counters: Readonly<Record<string, Readonly<Record<string, number>>>>
  readonly files: Readonly<Record<string, string>>
}

/** What a manifest tells, in the order in which it is hashed. */
const contentOf = ({ counters, files, global_step, run }: Fields): OwnManifest => {
  const isPath = (name: string) => /^(?:[\w-]+\/){1,2}[\w-][\w.-]*$/.test(name)
  const isOne = isNatural(global_step) && isRecord(run, isText) && isRecord(files, isText)
    && isRecord(counters, (own) => isRecord(own, isNatural)) && Object.keys(files).every(isPath)
  return isOne ? { global_step, run, counters, files } as unknown as OwnManifest : bad("no manifest")
}

/** The manifest with the hash that it should have. */
export const seal = (manifest: unknown): unknown => {
  const content = isFields(manifest) ? unlessBad(() => contentOf(manifest)) : undefined
  return content ? { ...(manifest as Fields), sha256: sha256(JSON.stringify(content)) } : manifest
}

const within = (files: Files, folder: string): Files =>
  Object.fromEntries(
    Object.entries(files).filter(([path]) => path.startsWith(`${folder}/`))
      .map(([path, entry]) => [path.slice(folder.length + 1), entry])
  )

/** A file's content. @throws Bad where it is none. */
const bytesOf = (files: Files, name: string): Uint8Array => plainFiles(files)[name] ?? bad(name)

/** @throws Bad where a checkpoint's files are not as its manifest tells; states of which `whole` says so need be none. */
const manifestOf = (files: Files, step: number, whole: boolean): OwnManifest => {
  const json = strictly(bytesOf(files, "trainer_state.json"))?.value
  const fields = isFields(json) ? json : bad("no object")
  const manifest = contentOf(fields)
  const keys = new Set(["counters", "files", "format", "global_step", "run", "sha256"])
  if (Object.keys(fields).some((key) => !keys.has(key))) bad("another key")
  const sealed = fields["format"] === 2 && fields["sha256"] === sha256(JSON.stringify(manifest))
  if (!sealed || manifest.global_step !== step) bad("not sealed")
  const parts = Object.keys(manifest.counters)
  const has = (path: string) => Object.hasOwn(manifest.files, path)
  const isWhole = (part: string) =>
    has(`${part}/state.safetensors`) && (has(`${part}/model.safetensors`) || has(`${part}/adapter_model.safetensors`))
  if (!parts.every(isWhole)) bad("a part lacks something")
  if (!Object.keys(manifest.files).every((path) => parts.includes(path.split("/")[0]!))) bad("of no part")
  for (const [path, hash] of Object.entries(manifest.files)) {
    const bytes = bytesOf(files, path)
    if (!whole && path.endsWith("/state.safetensors")) fileOf(bytes)
    else if (sha256(bytes) !== hash) bad(path)
  }
  const beside = Object.keys(files).map((path) => path.split("/").slice(0, 2))
  const strangers = beside.flatMap(([part, name = ""]) =>
    parts.includes(part!) && !has(`${part}/${name}`) ? [name] : []
  )
  return strangers.some((path) => /\.(json|jinja|safetensors|metadata)$/.test(path)) ? bad("a stranger") : manifest
}

/** Names of checkpoints, the newest first, and of those that are whole their manifests. */
const listed = (files: Files, whole: boolean) =>
  [...new Set(Object.keys(files).map((path) => path.split("/")[0]!))].filter((name) => /^checkpoint-\d+$/.test(name))
    .map((name) => ({ name, step: Number(name.slice("checkpoint-".length)) })).toSorted((a, b) => b.step - a.step)
    .map(({ name, step }) => {
      const manifest = name === `checkpoint-${step}`
        ? unlessBad(() => manifestOf(within(files, name), step, whole))
        : undefined
      return { name, step, manifest }
    })

export interface OwnCheckpoint {
  readonly step: number
  /** By part: its counters, and its tensors' values by name. */
  readonly parts: Readonly<Record<string, Fields>>
}

export interface Newest<A> {
  readonly found: A
  /** Names of those that are passed over. */
  readonly passed: ReadonlyArray<string>
}

/** The step of the newest checkpoint whose models are whole; none where there is no checkpoint. @throws Bad where none is. */
export const latest = (files: Files): Newest<number | undefined> => {
  const all = listed(files, false)
  const at = all.findIndex(({ manifest }) => manifest !== undefined)
  if (at < 0) return all.length === 0 ? { found: undefined, passed: [] } : bad("none is whole")
  return { found: all[at]!.step, passed: all.slice(0, at).map(({ name }) => name) }
}

/** What the newest whole checkpoint holds of the parts. @throws Bad where it is of another run, or none is whole. */
export const restored = (
  files: Files,
  run: OwnManifest["run"],
  parts: ReadonlyArray<string>
): Newest<OwnCheckpoint | undefined> => {
  const all = listed(files, true)
  const at = all.findIndex(({ manifest }) => manifest !== undefined)
  if (at < 0) return all.length === 0 ? { found: undefined, passed: [] } : bad("none is whole")
  const { manifest, name, step } = all[at]!
  const own = within(files, name)
  const same = Object.keys({ ...run, ...manifest!.run }).every((key) => run[key] === manifest!.run[key])
  if (!same) bad("of another run")
  const valuesOf = (part: string): Fields => {
    const counters = Object.hasOwn(manifest!.counters, part) ? manifest!.counters[part]! : bad(`no ${part}`)
    const adapts = Object.hasOwn(manifest!.files, `${part}/adapter_model.safetensors`)
    const tensors = (file: string) => Object.entries(weightsOf(fileOf(bytesOf(own, `${part}/${file}`)).tensors))
    return Object.fromEntries([
      ...Object.entries(counters),
      ...tensors(adapts ? "adapter_model.safetensors" : "model.safetensors").map(([n, data]) => [`weights/${n}`, data]),
      ...tensors("state.safetensors").map(([n, data]) => [`extra/${n}`, data])
    ])
  }
  return {
    found: { step, parts: Object.fromEntries(parts.map((part) => [part, valuesOf(part)])) },
    passed: all.slice(0, at).map((one) => one.name)
  }
}
