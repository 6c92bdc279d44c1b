/**
 * The same prompts read, and continued greedily, by llama.cpp: `{ batch, prompt, tokens }` in, times and tokens out, a
 * line of JSON each.
 *
 *     node bench/peers/readLlama.mjs --model FILE.gguf [--batch 8] [--context 1024] [--threads 2]
 */
import { getLlama } from "node-llama-cpp"
import { createInterface } from "node:readline"
import { parseArgs } from "node:util"

const { values: options } = parseArgs({
  options: {
    model: { type: "string", default: "" },
    batch: { type: "string", default: "8" },
    context: { type: "string", default: "1024" },
    threads: { type: "string", default: "2" }
  }
})
const say = (value) => void process.stdout.write(`${JSON.stringify(value)}\n`)

const began = performance.now()
const llama = await getLlama({ gpu: false, build: "never", logLevel: "error", maxThreads: Number(options.threads) })
const model = await llama.loadModel({ modelPath: options.model, gpuLayers: 0 })
const [batch, size] = [Number(options.batch), Number(options.context)]
const context = await model.createContext({
  sequences: batch,
  contextSize: size,
  batchSize: Math.min(4096, batch * size),
  threads: Number(options.threads)
})
const sequences = Array.from({ length: batch }, () => context.getSequence())
const vocabulary = model.fileInfo.metadata.llama.vocab_size
say({ loading: (performance.now() - began) / 1000, threads: context.currentThreads })

const idsOf = (row, prompt) =>
  Array.from({ length: prompt }, (_, i) => (7919 * i + 104_729 * row) % vocabulary)

/** The first new tokens of a text, greedily, whatever they are. */
const written = async (sequence, ids, tokens, told) => {
  const found = []
  for await (const token of sequence.evaluate(ids, { temperature: 0, yieldEogToken: true })) {
    found.push(token)
    if (found.length === 1) told()
    if (found.length === tokens) break
  }
  return found
}

/** Without new tokens, a prompt is read and no logits are computed. */
const once = async ({ batch: rows, prompt, tokens }) => {
  const own = sequences.slice(0, rows)
  await Promise.all(own.map((sequence) => sequence.clearHistory()))
  const before = process.cpuUsage()
  const start = performance.now()
  let [first, firstCpu] = [0, 0]
  const spent = () => {
    const { system, user } = process.cpuUsage(before)
    return (user + system) / 1e6
  }
  const told = () => {
    first = (performance.now() - start) / 1000
    firstCpu = spent()
  }
  const texts = await Promise.all(own.map((sequence, r) =>
    tokens === 0
      ? sequence.evaluateWithoutGeneratingNewTokens(idsOf(r, prompt))
      : written(sequence, idsOf(r, prompt), tokens, told)
  ))
  if (tokens === 0) told()
  const [seconds, cpu] = [(performance.now() - start) / 1000, spent()]
  say({ first, firstCpu, seconds, cpu, peak: process.resourceUsage().maxRSS * 1024, texts })
}

for await (const line of createInterface({ input: process.stdin })) await once(JSON.parse(line))
process.exit(0)
