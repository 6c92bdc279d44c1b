/**
 * The same texts from transformers.js: `{ batch, prompt, tokens }` in, times and tokens out, a line of JSON each.
 *
 *     node bench/peers/generate.mjs --model FOLDER [--threads 2] [--spin]
 */
import { AutoModelForCausalLM, BaseStreamer, env, Tensor } from "@huggingface/transformers"
import { dirname, basename } from "node:path"
import { createInterface } from "node:readline"
import { parseArgs } from "node:util"

const { values: options } = parseArgs({
  options: {
    model: { type: "string", default: "" },
    threads: { type: "string", default: "2" },
    spin: { type: "boolean", default: false }
  }
})
const say = (value) => void process.stdout.write(`${JSON.stringify(value)}\n`)

env.allowRemoteModels = false
env.localModelPath = dirname(options.model)

const began = performance.now()
const model = await AutoModelForCausalLM.from_pretrained(basename(options.model), {
  dtype: "fp32",
  device: "cpu",
  session_options: {
    intraOpNumThreads: Number(options.threads),
    interOpNumThreads: 1,
    extra: { session: { intra_op: { allow_spinning: options.spin ? "1" : "0" } } }
  }
})
const vocabulary = model.config.vocab_size
say({ loading: (performance.now() - began) / 1000, version: env.version })

/** Tells when the first tokens are there; the prompt is put first. */
class Watch extends BaseStreamer {
  constructor(start) {
    super()
    this.start = start
    this.puts = 0
    this.first = 0
  }
  put() {
    if (this.puts++ === 1) this.first = performance.now() - this.start
  }
  end() {}
}

const once = async ({ batch, prompt, tokens }) => {
  const ids = Array.from({ length: batch }, (_, r) =>
    Array.from({ length: prompt }, (_, i) => BigInt((7919 * i + 104_729 * r) % vocabulary))
  ).flat()
  const shape = [batch, prompt]
  const before = process.cpuUsage()
  const watch = new Watch(performance.now())
  const out = await model.generate({
    inputs: new Tensor("int64", ids, shape),
    attention_mask: new Tensor("int64", ids.map(() => 1n), shape),
    max_new_tokens: tokens,
    eos_token_id: null,
    do_sample: false,
    streamer: watch
  })
  const seconds = (performance.now() - watch.start) / 1000
  const { system, user } = process.cpuUsage(before)
  const texts = out.tolist().map((row) => row.slice(prompt).map(Number))
  say({ first: watch.first / 1000, seconds, cpu: (user + system) / 1e6, texts })
}

for await (const line of createInterface({ input: process.stdin })) await once(JSON.parse(line))
