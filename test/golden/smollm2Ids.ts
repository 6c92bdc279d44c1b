/**
 * Ids of the lines of tokenizers/lines.json as llama.cpp has them: tokenizers/smollm2.ids. Run in a folder where
 * node-llama-cpp is installed: `node .../test/golden/smollm2Ids.ts FILE`.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"

interface Llama {
  readonly loadModel: (options: { readonly modelPath: string }) => Promise<{
    readonly tokenize: (text: string, special: boolean) => ReadonlyArray<number>
  }>
}

const entry = join(process.cwd(), "node_modules", "node-llama-cpp", "dist", "index.js")
const { getLlama } = (await import(pathToFileURL(entry).href)) as {
  readonly getLlama: (options: object) => Promise<Llama>
}
const model = await (await getLlama({ gpu: false, build: "never" })).loadModel({ modelPath: process.argv[2]! })
const folder = join(import.meta.dirname, "tokenizers")
const lines = JSON.parse(readFileSync(join(folder, "lines.json"), "utf8")) as ReadonlyArray<string>
const words = lines.map((line) => model.tokenize(line, false)).flatMap((ids) => [ids.length].concat(ids))
writeFileSync(join(folder, "smollm2.ids"), new Uint8Array(Uint16Array.from(words).buffer))
process.exit(0)
