/** Folders of decoders that read pictures, from files of pictures and a chat to tokens, likelihoods and generated texts. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { type Chat, image, type Part, text } from "../../src/domain/Content.ts"
import { parts } from "../../src/domain/pictures/parts.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { readJson } from "../../src/runtime/files/disk.ts"
import * as Safetensors from "../../src/runtime/files/safetensors/write.ts"
import * as Folder from "../../src/runtime/language/folder.ts"
import { readOnly } from "../../src/runtime/language/languageModel.ts"
import * as Sequences from "../../src/runtime/language/sequences.ts"
import { save } from "../../src/runtime/models/export/folder.ts"
import * as ImageFiles from "../../src/runtime/pictures/images.ts"
import * as Reading from "../../src/runtime/pictures/reading.ts"
import { Images } from "../../src/runtime/ports/Images.ts"
import { LanguageModel } from "../../src/runtime/ports/LanguageModel.ts"
import { ofReader } from "../../src/systems/jmlr/layers.ts"
import { decode } from "../../src/systems/jmlr/settings.ts"
import { folderOf } from "../support/files.ts"
import * as Golden from "./golden.ts"

const folders = join(import.meta.dirname, "readers")
const [first, second] = ["rgb.png", "wide.jpg"].map((name) => join(import.meta.dirname, "pictures", name))
const user = (...content: ReadonlyArray<Part>): Chat => [{ role: "user", content }]
/** What `readers.py` asks: as a text, and as a chat. */
const plain = user(text("a"), image(first!), text("bead: \n"), image(second!), text("a bad decade"))
const chat = user(text("abed"), image(first!), text(" a cab: "), image(second!))

const settings = (name: string, own: object = {}) =>
  decode("golden", {
    mode: "no_retrieval",
    output_dir: "o",
    passages_file: "p",
    reader_name_or_path: join(folders, name),
    apply_chat_template: true,
    max_length: 256,
    max_new_tokens: 8,
    ...own
  })

const around = Layer.mergeAll(
  cpu({ threads: 1 }),
  ImageFiles.layer({ memory: 2 ** 20 }).pipe(Layer.provide(NodeFileSystem.layer)),
  NodeFileSystem.layer
)
const live = (what: string, test: () => Effect.Effect<void, unknown, any>) =>
  it.live(
    what,
    () => test().pipe(Effect.scoped, Effect.provide(around, { local: true })) as Effect.Effect<void, unknown>
  )

const expectedOf = (name: string) => Safetensors.read(join(folders, name, "expected.safetensors"))
const numbers = (tensors: Safetensors.StoredTensors, name: string) => Array.from(tensors.get(name)!.data)

/** The tokens of a chat, with the reading of the model. */
const prompted = Effect.fnUntraced(function*(name: string, own: Chat, apply_chat_template: boolean) {
  const c = yield* settings(name, { apply_chat_template })
  const { ends, folder, pictures, tokenizer, wrap } = yield* Folder.open(c.reader_name_or_path, c)
  const sight = yield* Reading.sight(pictures!, { hashes: true })
  const sequences = Sequences.make({ tokenizer, wrap, max_length: c.max_length, end: ends.end, sight, folder })
  return { ...yield* sequences.open(own, 8), pictures, wrap }
})

/** Σ log-likelihood of each token after the first, by the logits. */
const likelihood = (logits: ReadonlyArray<number>, ids: ReadonlyArray<number>): number => {
  const width = logits.length / ids.length
  return ids.slice(1).reduce((sum, id, i) => {
    const row = logits.slice(i * width, (i + 1) * width)
    const most = Math.max(...row)
    return sum + row[id]! - most - Math.log(row.reduce((total, x) => total + Math.exp(x - most), 0))
  }, 0)
}

describe("a folder of transformers' that reads pictures", () => {
  for (const name of readdirSync(folders).toSorted()) {
    live(`makes the tokens of texts and chats that it makes there: ${name}`, () =>
      Effect.gen(function*() {
        const expected = yield* expectedOf(name)
        const { ids, wrap } = yield* prompted(name, plain, false)
        assert.deepStrictEqual(ids.slice((wrap as ReadonlyArray<number>).length), numbers(expected, "whole/plain"))
        assert.deepStrictEqual([...(yield* prompted(name, chat, true)).ids], numbers(expected, "whole/ids"))
      }))
    live(`prepares pictures to the bit: ${name}`, () =>
      Effect.gen(function*() {
        const expected = yield* expectedOf(name)
        const { pictures } = yield* prompted(name, chat, true)
        const { read } = yield* Images
        const got = yield* Effect.forEach([first!, second!], (path) =>
          Effect.map(read(path), ({ picture }) =>
            parts(picture, pictures!.preprocessing).flatMap(({ data }) =>
              Array.from(data)
            )))
        assert.deepStrictEqual(got.flat(), numbers(expected, "whole/pixels"))
      }))
    live(`finds a chat as likely, and goes on as it does there: ${name}`, () =>
      Effect.gen(function*() {
        const expected = yield* expectedOf(name)
        const ids = numbers(expected, "whole/ids")
        const layer = readOnly(ofReader(yield* settings(name)))
        yield* Effect.gen(function*() {
          const model = yield* LanguageModel
          const row = { ids, learned: ids.map((_, i) => i === 0 ? 0 : 1), starts: [0], pictures: [first!, second!] }
          const [found] = yield* model.logLikelihood([row])
          const wanted = likelihood(numbers(expected, "whole/logits"), ids)
          Golden.close([found!], [wanted], name, { tolerance: 1e-5 })
          const tokens = yield* Stream.runCollect(model.write([chat], { max_new_tokens: 8 }))
          assert.deepStrictEqual(tokens.map(({ id }) => id), numbers(expected, "whole/written"))
        }).pipe(Effect.provide(layer, { local: true }))
      }))
    live(`is saved as it was: ${name}`, () =>
      Effect.gen(function*() {
        const out = join(yield* folderOf({}), "saved")
        yield* save(join(folders, name), out, { dtype: "auto", maxShardSize: 1e9, card: "" })
        const [was, is] = yield* Effect.forEach(
          [join(folders, name), out],
          (folder) => Safetensors.read(join(folder, "model.safetensors"))
        )
        assert.deepStrictEqual([...is!.keys()].toSorted(), [...was!.keys()].toSorted())
        for (const [path, tensor] of was!) assert.deepStrictEqual(is!.get(path), tensor, path)
        const [config, own] = [
          yield* readJson(join(folders, name, "config.json")),
          yield* readJson(join(out, "config.json"))
        ]
        assert.deepStrictEqual(own, config)
        for (const file of ["processor_config.json", "chat_template.jinja", "tokenizer.json"]) {
          assert.include(readdirSync(out), file)
        }
      }))
  }
})
