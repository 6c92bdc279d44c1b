/** Programs: export a run's model, an adapter with its base, or the model of a GGUF file, for other tools. */
import * as Effect from "effect/Effect"
import { basename, join } from "node:path"
import type { PartName } from "../domain/fileNames.ts"
import { ConfigError } from "../domain/settings/configure.ts"
import type { RunConfig } from "../domain/settings/RunConfig.ts"
import * as Checkpoints from "../runtime/files/checkpoints.ts"
import { FileError } from "../runtime/files/disk.ts"
import { locate } from "../runtime/files/hub/models.ts"
import * as Peft from "../runtime/files/peft.ts"
import { bytesIn } from "../runtime/files/safetensors/shards.ts"
import * as SavedModel from "../runtime/models/export/folder.ts"
import * as SavedGguf from "../runtime/models/export/gguf.ts"
import * as SavedHeads from "../runtime/retrieval/pictures/saved.ts"
import { modeOf } from "../systems/all.ts"
import { licenceText, LINEAGE, lineageOf, matterOf, originOf } from "./cards/origin.ts"
import * as ModelCard from "./modelCard.ts"
import { atHand } from "./models.ts"

/** The format of a saved model. */
export interface Format {
  readonly dtype: SavedModel.Options["dtype"]
  /** In Hugging Face's notation: "5GB". */
  readonly maxShardSize: string
}

const sized = ({ dtype, maxShardSize }: Format) => {
  const most = bytesIn(maxShardSize)
  return most === undefined || most === 0
    ? Effect.fail(
      new ConfigError({ source: "--max-shard-size", problems: [`"${maxShardSize}" is no size such as 500MB or 5GB`] })
    )
    : Effect.succeed({ dtype, maxShardSize: most })
}

/** The folder of a part of the newest intact checkpoint. */
const newest = Effect.fnUntraced(function*(c: RunConfig, part: PartName) {
  const checkpoint = yield* Checkpoints.latest(c.output_dir)
  if (checkpoint === undefined) {
    return yield* new ConfigError({ source: c.output_dir, problems: ["holds no checkpoint; train first"] })
  }
  if (!checkpoint.parts.has(part)) {
    return yield* new ConfigError({ source: checkpoint.path, problems: [`mode ${c.mode} has no ${part}`] })
  }
  return join(checkpoint.path, part)
})

/** Saves a part of the newest intact checkpoint as a GGUF file, with adapters merged. */
export const exportGguf = Effect.fn("exportGguf")(
  function*(c: RunConfig, part: PartName, out: string, type: SavedGguf.Type) {
    return yield* SavedGguf.save(yield* atHand(yield* newest(c, part)), out, basename(out, ".gguf"), type)
  }
)

/** Saves a part of the newest intact checkpoint, with adapters merged. */
export const exportPart = Effect.fn("exportPart")(
  function*(c: RunConfig, part: PartName, out: string, format: Format) {
    const options = yield* sized(format)
    const folder = yield* newest(c, part)
    if (part === "retriever" && modeOf(c).traits.queries === "pictures") {
      return {
        ...(yield* SavedHeads.save(folder, out)),
        dtype: "float32"
      } satisfies SavedModel.Saved as SavedModel.Saved
    }
    return yield* SavedModel.save(yield* atHand(folder), out, { ...options, card: yield* ModelCard.ofRun(c, part) })
  }
)

/** The folder of an adapter, ours or PEFT's: a path, or a model of the Hub. */
const adapterOf = Effect.fnUntraced(function*(name: string) {
  const { folder } = yield* locate(yield* atHand(name))
  if (yield* Peft.isIn(folder)) return folder
  return yield* new FileError({ path: folder, place: "", reason: `is no adapter: it has no ${Peft.CONFIG}` })
})

/** Merges an adapter into its base, as a GGUF file. */
export const mergeGguf = Effect.fn("mergeGguf")(function*(name: string, out: string, type: SavedGguf.Type) {
  return yield* SavedGguf.save(yield* adapterOf(name), out, basename(out, ".gguf"), type)
})

/** Merges an adapter into its base, as a Hugging Face folder. */
export const merge = Effect.fn("merge")(function*(name: string, out: string, format: Format) {
  const options = yield* sized(format)
  const adapter = yield* adapterOf(name)
  const { base, config: { revision, ...config } } = yield* Peft.read(adapter)
  const told = {
    ...config,
    ...(revision === null ? {} : { revision }),
    ...(base === undefined ? {} : { base_sha256: base })
  }
  const origin = yield* originOf(config.base_model_name_or_path ?? "")
  const card = ModelCard.text({
    name: "Merged model",
    matter: {
      library_name: "transformers",
      ...matterOf([origin]),
      base_model_relation: "finetune",
      tags: "[anamnesis]"
    },
    sections: [
      ["Licence", licenceText([origin])],
      [LINEAGE, lineageOf(`adapter ${name}, folded into its base`, [{ origin }])],
      ["Adapter", ModelCard.table(["setting", "value"], told)]
    ]
  })
  return yield* SavedModel.save(adapter, out, { ...options, card })
})

/** Saves the model of a GGUF file as a Hugging Face folder, its values dequantised. */
export const importGguf = Effect.fn("importGguf")(function*(file: string, out: string, format: Format) {
  const origin = yield* originOf(file)
  const card = ModelCard.text({
    name: basename(file),
    matter: { library_name: "transformers", ...matterOf([origin]), tags: "[anamnesis]" },
    sections: [
      ["Licence", licenceText([origin])],
      [LINEAGE, lineageOf("converted from GGUF", [{ origin }])],
      ["Origin", "Converted from the GGUF file of this name; quantised weights are dequantised."]
    ]
  })
  return yield* SavedModel.save(file, out, { ...(yield* sized(format)), card })
})
