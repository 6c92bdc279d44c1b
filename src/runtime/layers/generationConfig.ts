/** How a model folder says its texts are generated, and how the settings say it. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import type { RunConfig } from "../../domain/RunConfig.ts"
import { decodeFile, located } from "./files.ts"
import type { Sampling } from "./sampling.ts"

const given = <S extends Schema.Top>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))
const oneOrMore = <S extends Schema.Top>(schema: S) => given(Schema.Union([schema, Schema.Array(schema)]))

/** `generation_config.json`; other keys are ignored. */
const GenerationConfig = Schema.Struct({
  do_sample: given(Schema.Boolean),
  temperature: given(Schema.Finite),
  top_k: given(Schema.Natural),
  top_p: given(Schema.Finite),
  repetition_penalty: given(Schema.Finite),
  eos_token_id: oneOrMore(Schema.Natural),
  stop_strings: oneOrMore(Schema.String)
})
export type GenerationConfig = typeof GenerationConfig.Type

const FILE = "generation_config.json"

/** What the folder says; nothing where it has no such file. */
export const read = Effect.fnUntraced(function*(folder: string) {
  const fs = yield* FileSystem.FileSystem
  const path = join(folder, FILE)
  if (!(yield* fs.exists(path).pipe(located(path)))) return {} satisfies GenerationConfig as GenerationConfig
  return yield* decodeFile(path, Schema.decodeUnknownEffect(GenerationConfig, { errors: "all" }))
})

/** Settings of generation, but for those of how a text ends. */
export interface Decoding extends Sampling {
  readonly stop_strings: ReadonlyArray<string>
}

/**
 * The settings where they say something, else the folder, else Hugging Face's defaults. A temperature of 0 means that
 * nothing is drawn.
 */
export const resolve = (c: RunConfig, folder: GenerationConfig): Decoding => {
  const temperature = c.temperature ?? folder.temperature ?? 1
  return {
    do_sample: (c.do_sample ?? folder.do_sample ?? false) && temperature > 0,
    temperature,
    top_k: c.top_k ?? folder.top_k ?? 50,
    top_p: c.top_p ?? folder.top_p ?? 1,
    repetition_penalty: c.repetition_penalty ?? folder.repetition_penalty ?? 1,
    stop_strings: c.stop_strings ?? [folder.stop_strings ?? []].flat()
  }
}
