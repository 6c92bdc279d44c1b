/**
 * What transformers.js makes of an exported folder: `{ kind, folder, texts, tokens }` in, numbers out, a line of JSON
 * each. Texts are padded to the longest: an encoder's on the right, a decoder's on the left.
 */
import { AutoModel, AutoModelForCausalLM, AutoTokenizer, env, Tensor } from "@huggingface/transformers"
import { basename, dirname } from "node:path"
import { createInterface } from "node:readline"

const say = (value) => void process.stdout.write(`${JSON.stringify(value)}\n`)
env.allowRemoteModels = false

const load = (kind, folder) => {
  env.localModelPath = dirname(folder)
  return kind.from_pretrained(basename(folder), { dtype: "fp32", device: "cpu" })
}

const padded = (rows, left) => {
  const length = Math.max(...rows.map((row) => row.length))
  const fill = (row, by) => {
    const padding = Array(length - row.length).fill(by)
    return left ? [...padding, ...row] : [...row, ...padding]
  }
  const of = (values) => new Tensor("int64", values.flat().map(BigInt), [rows.length, length])
  return {
    input_ids: of(rows.map((row) => fill(row, 0))),
    attention_mask: of(rows.map((row) => fill(row.map(() => 1), 0)))
  }
}
const flat = (tensor) => ({ dims: tensor.dims, data: [...tensor.data] })

const answer = async ({ folder, kind, texts, tokens }) => {
  const tokenizer = await load(AutoTokenizer, folder)
  const ids = texts.map((text) => tokenizer.encode(text, { add_special_tokens: false }))
  const isEncoder = kind === "encoder"
  const model = await load(isEncoder ? AutoModel : AutoModelForCausalLM, folder)
  const inputs = padded(ids, !isEncoder)
  const { last_hidden_state, logits, token_embeddings } = await model(inputs)
  if (isEncoder) return { ids, hidden: flat(last_hidden_state), vectors: flat(token_embeddings) }
  const out = await model.generate({ ...inputs, max_new_tokens: tokens, do_sample: false, eos_token_id: null })
  const length = inputs.input_ids.dims[1]
  return { ids, logits: flat(logits), texts: out.tolist().map((row) => row.slice(length).map(Number)) }
}

say({ version: env.version })
for await (const line of createInterface({ input: process.stdin })) say(await answer(JSON.parse(line)))
