/** The model folder of a retriever: an encoder with or without a ColBERT head, in ColBERT's or PyLate's layout. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { modelFiles } from "../../../domain/fileNames.ts"
import { type Retrieval, retrieval } from "../../../domain/settings/retrieval.ts"
import { aboutOf } from "../../../domain/settings/setting.ts"
import type { EncoderConfig } from "../../../kernels/nn/colbert.ts"
import { decodeEncoder } from "../../files/config/encoder.ts"
import { FileError } from "../../files/disk.ts"
import { spelledAs } from "../../files/json/numbers.ts"
import { exists, readJson, readText } from "../../files/model.ts"
import { linearOnly } from "../../files/sentence/modules.ts"
import { HEAD, ofEncoder } from "../../files/stateDict.ts"
import * as WeightFiles from "../../files/weights.ts"
import * as ModelFolder from "../../models/folder.ts"
import type { Lengths } from "../dense/texts.ts"
import * as Convention from "./metadata.ts"

/** Output dimension of the head in the folder's weights; `undefined` without a head. */
const headSize = Effect.fnUntraced(function*(folder: string, naming: WeightFiles.Naming) {
  if (yield* exists(join(folder, modelFiles.modules))) yield* linearOnly(folder)
  const shapes = yield* WeightFiles.shapes(folder)
  return [...shapes ?? []].find(([name]) => naming(name) === HEAD)?.[1][0]
})

/** Fails if the folder states different vector dimensions. */
const alike = (folder: string, said: Readonly<Record<string, number | undefined>>): Effect.Effect<void, FileError> => {
  const sizes = Object.entries(said).filter(([, size]) => size !== undefined)
  if (new Set(sizes.map(([, size]) => size)).size < 2) return Effect.void
  const reason = `vectors of two sizes: ${sizes.map(([place, size]) => `${place}: ${size}`).join("; ")}`
  return Effect.fail(new FileError({ path: folder, place: "", reason }))
}

/** `config.json` with `dim`, and ColBERT metadata with these lengths, for a copy of the model. */
const files = Effect.fnUntraced(function*(
  folder: string,
  dim: number,
  convention: Convention.Convention,
  { passage, query }: Lengths
) {
  const path = join(folder, modelFiles.config)
  const config = { ...(yield* readJson(path)) as object, dim }
  const texts = new Map(yield* ModelFolder.companions(folder))
  texts.set(modelFiles.config, spelledAs(config, yield* readText(path)))
  return [
    ...texts.set(Convention.METADATA, Convention.text({ ...convention, dim, query_maxlen: query, doc_maxlen: passage }))
  ]
})

/** Maximum lengths of texts, and the vector dimension for folders without a head. */
export type FolderSettings = Pick<Retrieval, "query_max_len" | "passage_max_len" | "dim">

/**
 * Opens a folder under the settings. The vector dimension is the head's, else the config's or the metadata's, else the
 * setting `dim`, and then a head is initialised.
 */
export const open = Effect.fnUntraced(function*(path: string, settings: FolderSettings) {
  const opened = yield* ModelFolder.open(path, decodeEncoder)
  const { config: found, folder, tokenizer } = opened
  const convention = yield* Convention.read(folder)
  const naming = ofEncoder(found.model_type)
  const told = found.dim ?? convention.dim
  const head = yield* headSize(folder, naming)
  yield* alike(folder, { "config.json, dim": found.dim, [`${Convention.METADATA}, dim`]: convention.dim, [HEAD]: head })
  const dim = head ?? told ?? settings.dim
  if (settings.dim !== dim && settings.dim !== aboutOf(retrieval.dim).default) {
    yield* Effect.logWarning(
      `${folder}: vectors have ${dim} numbers, by the folder; dim (${settings.dim}) is for one without`
    )
  }
  const config: EncoderConfig = { ...found, dim }
  const lengths = yield* Convention.lengths(folder, convention, settings, found.max_position_embeddings)
  yield* ModelFolder.fits(folder, config, { passage_max_len: lengths.passage, query_max_len: lengths.query })
  return {
    ...opened,
    config,
    lengths,
    marks: yield* Convention.marks(folder, convention, tokenizer),
    files: yield* files(folder, dim, convention, lengths),
    loading: { naming, dispensable: (path: string) => path === HEAD && told === undefined }
  }
})
