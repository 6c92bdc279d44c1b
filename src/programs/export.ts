/** Programs: export a run's model, or an adapter with its base, as a folder for other tools. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import type { PartName } from "../domain/fileNames.ts"
import { ConfigError } from "../domain/settings/configure.ts"
import type { RunConfig } from "../domain/settings/RunConfig.ts"
import * as Checkpoints from "../runtime/files/checkpoints.ts"
import { FileError } from "../runtime/files/disk.ts"
import { locate } from "../runtime/files/hub/models.ts"
import * as Peft from "../runtime/files/peft.ts"
import { bytesIn } from "../runtime/files/safetensors/shards.ts"
import * as SavedModel from "../runtime/models/export/folder.ts"
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

/** Saves a part of the newest intact checkpoint, with adapters merged. */
export const exportPart = Effect.fn("exportPart")(
  function*(c: RunConfig, part: PartName, out: string, format: Format) {
    const options = yield* sized(format)
    const checkpoint = yield* Checkpoints.latest(c.output_dir)
    if (checkpoint === undefined) {
      return yield* new ConfigError({ source: c.output_dir, problems: ["holds no checkpoint; train first"] })
    }
    if (!checkpoint.parts.has(part)) {
      return yield* new ConfigError({ source: checkpoint.path, problems: [`mode ${c.mode} has no ${part}`] })
    }
    return yield* SavedModel.save(yield* atHand(join(checkpoint.path, part)), out, {
      ...options,
      card: yield* ModelCard.ofRun(c, part)
    })
  }
)

/** Merges an adapter of ours or of PEFT, a folder or a model of the Hub, into its base. */
export const merge = Effect.fn("merge")(function*(name: string, out: string, format: Format) {
  const options = yield* sized(format)
  const { folder: adapter } = yield* locate(yield* atHand(name))
  if (!(yield* Peft.isIn(adapter))) {
    return yield* new FileError({ path: adapter, place: "", reason: `is no adapter: it has no ${Peft.CONFIG}` })
  }
  const { base, config: { revision, ...config } } = yield* Peft.read(adapter)
  const told = {
    ...config,
    ...(revision === null ? {} : { revision }),
    ...(base === undefined ? {} : { base_sha256: base })
  }
  const card = ModelCard.text({
    name: "Merged model",
    matter: {
      library_name: "transformers",
      base_model: JSON.stringify(config.base_model_name_or_path),
      base_model_relation: "merge",
      tags: "[anamnesis]"
    },
    sections: [["Adapter", ModelCard.table(["setting", "value"], told)]]
  })
  return yield* SavedModel.save(adapter, out, { ...options, card })
})
