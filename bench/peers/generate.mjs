/**
 * The same texts from transformers.js: `{ batch, prompt, tokens }` in, times and tokens out, a line of JSON each.
 *
 *     node bench/peers/generate.mjs --model FOLDER [--dtype fp32|q8|q4] [--threads 2] [--spin]
 *
 * Without new tokens, the prompts are read and the logits of all their tokens computed.
 */
import { AutoModelForCausalLM, BaseStreamer, env, Tensor } from "@huggingface/transformers"
import { dirname, basename } from "node:path"
import { createInterface } from "node:readline"
import { parseArgs } from "node:util"

const { values: options } = parseArgs({
  options: {
    model: { type: "string", default: "" },
    dtype: { type: "string", default: "fp32" },
    threads: { type: "string", default: "2" },
    spin: { type: "boolean", default: false }
  }
})
const say = (value) => void process.stdout.write(`${JSON.stringify(value)}\n`)

env.allowRemoteModels = false
env.localModelPath = dirname(options.model)

const began = performance.now()
const model = await AutoModelForCausalLM.from_pretrained(basename(options.model), {
  dtype: options.dtype,
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
    this.before = process.cpuUsage()
    this.puts = 0
    this.first = 0
    this.firstCpu = 0
  }
  spent() {
    const { system, user } = process.cpuUsage(this.before)
    return (user + system) / 1e6
  }
  put() {
    if (this.puts++ !== 1) return
    this.first = (performance.now() - this.start) / 1000
    this.firstCpu = this.spent()
  }
  end() {}
}

const once = async ({ batch, prompt, tokens }) => {
  const ids = Array.from({ length: batch }, (_, r) =>
    Array.from({ length: prompt }, (_, i) => BigInt((7919 * i + 104_729 * r) % vocabulary))
  ).flat()
  const shape = [batch, prompt]
  const inputs = new Tensor("int64", ids, shape)
  const mask = new Tensor("int64", ids.map(() => 1n), shape)
  const watch = new Watch(performance.now())
  const out = tokens === 0
    ? await model({ input_ids: inputs, attention_mask: mask })
    : await model.generate({
      inputs,
      attention_mask: mask,
      max_new_tokens: tokens,
      eos_token_id: null,
      do_sample: false,
      streamer: watch
    })
  const [seconds, cpu] = [(performance.now() - watch.start) / 1000, watch.spent()]
  const texts = tokens === 0 ? ids.map(() => []) : out.tolist().map((row) => row.slice(prompt).map(Number))
  const { first, firstCpu } = tokens === 0 ? { first: seconds, firstCpu: cpu } : watch
  say({ first, firstCpu, seconds, cpu, peak: process.resourceUsage().maxRSS * 1024, texts })
}

for await (const line of createInterface({ input: process.stdin })) await once(JSON.parse(line))
