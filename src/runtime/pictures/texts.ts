/** Texts as rows of ids, as the text towers of CLIP and SigLIP and a BERT beside a tower take them. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { modelFiles } from "../../domain/fileNames.ts"
import type { BertTextConfig } from "../../kernels/nn/pictures/bertText.ts"
import type { TextTowerConfig } from "../../kernels/nn/pictures/textTower.ts"
import { bucket } from "../engine/Programs.ts"
import { FileError } from "../files/disk.ts"
import { special, type Tokenizer } from "../tokenizers/tokenizer.ts"

/** Rows of ids of one length. */
export interface TextRows {
  readonly length: number
  /** [texts, length] */
  readonly ids: Int32Array
  /** Texts that were cut. */
  readonly cut: number
}

/** What is put around texts, and after them up to the length of a batch. */
interface Frame {
  readonly start: ReadonlyArray<number>
  readonly end: ReadonlyArray<number>
  readonly pad: number
}

const rows =
  (tokenizer: Tokenizer, { end, pad, start }: Frame, most: number, lengthOf: (longest: number) => number) =>
  (texts: ReadonlyArray<string>): TextRows => {
    const room = most - start.length - end.length
    const encoded = texts.map((text) => tokenizer.encode(text))
    const framed = encoded.map((ids) => [...start, ...ids.slice(0, room), ...end])
    const length = lengthOf(framed.reduce((longest, row) => Math.max(longest, row.length), 1))
    const ids = new Int32Array(texts.length * length).fill(pad)
    framed.forEach((row, i) => ids.set(row, i * length))
    return { length, ids, cut: encoded.filter((all) => all.length > room).length }
  }

/** Why the tokenizer's end of a text is not where the tower looks for a text's vector. */
const misplaced = ({ end, vocab_size }: TextTowerConfig, tokenizer: Tokenizer): string | undefined => {
  const last = tokenizer.end.at(-1)
  if (last === undefined) return "puts no token after a text, where a text's vector is"
  const wanted = end === "greatest" ? Math.min(vocab_size, tokenizer.size) - 1 : end
  if (last === wanted) return undefined
  const which = end === "greatest" ? "the greatest id, as eos_token_id 2 means" : "eos_token_id"
  return `puts ${last} after a text, and config.json has the vector at ${wanted}, ${which}`
}

/** How texts become rows of ids: those that are too long are cut before their end token, and counted. */
export const textsOf = Effect.fnUntraced(function*(c: TextTowerConfig | BertTextConfig, tokenizer: Tokenizer) {
  const fail = (reason: string) =>
    new FileError({ path: join(tokenizer.folder, modelFiles.tokenizer), place: "", reason })
  if (tokenizer.size > c.vocab_size) {
    return yield* fail(`has ids up to ${tokenizer.size - 1}, and the model has ${c.vocab_size} (vocab_size)`)
  }
  const [start, end, most] = [tokenizer.start ?? [], tokenizer.end, c.max_position_embeddings]
  if (start.length + end.length >= most) return yield* fail(`leaves a text no room among ${most} tokens`)
  if (c.model_type === "bert") {
    const own = tokenizer.id(special(tokenizer, "pad_token") ?? "")
    if (own !== undefined && own !== c.pad) {
      return yield* fail(`pads with ${own}, and the text encoder looks away from ${c.pad} (pad_token_id)`)
    }
    return rows(tokenizer, { start, end, pad: c.pad }, most, (longest) => bucket(longest, most))
  }
  if (c.model_type === "clip_text_model") {
    const why = misplaced(c, tokenizer)
    if (why !== undefined) return yield* fail(why)
    return rows(tokenizer, { start, end, pad: end.at(-1)! }, most, (longest) => bucket(longest, most))
  }
  const pad = tokenizer.id(special(tokenizer, "pad_token") ?? "")
  if (pad === undefined) return yield* fail("has no pad_token, which SigLIP was trained to read after a text")
  return rows(tokenizer, { start, end, pad }, most, () => most)
})
